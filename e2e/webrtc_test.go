package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// guestReport is what browser/guest.mjs prints of one codec.
type guestReport struct {
	Codec   string
	Errors  []string
	Left    []int // answers to DELETE
	Figures map[string]struct {
		State        string
		Sent, Frames int
		Freezes      int
		Width        int
		Samples      float64
		Tone         float64 // dBFS at 440 Hz
	}
	Stats struct {
		State, Protocol string
		Video, Audio    struct{ Codec string }
	}
}

// TestGuestInABrowser is a co-host: Chromium's camera and microphone go in by
// WHIP with each codec that browsers have; program and return come out by WHEP.
func TestGuestInABrowser(t *testing.T) {
	requireBrowser(t)
	a := startAppliance(t)
	key := a.pushSource("guest")
	a.call(201, "POST", "/v1/sources", map[string]any{"id": "one", "kind": "test", "test": map[string]any{"pattern": 1, "toneHz": 440}})
	a.call(201, "POST", "/v1/channels", map[string]any{
		"id": "main", "canvas": map[string]any{"width": 640, "height": 360, "rate": "25"}, "sources": []string{"guest", "one"},
		"ladder": []map[string]any{{"id": "v360", "width": 640, "height": 360, "bitrate": 800_000}},
	})
	a.waitOnAir("main", "v360")
	recorder := a.record("main", "v360")

	const seconds = 4
	args := []string{"browser/guest.mjs", playerPage(t), a.mediaURL(""), "main", "guest", key, strconv.Itoa(seconds), "h264", "vp8", "vp9", "av1"}
	command := exec.CommandContext(t.Context(), "node", args...)
	command.Env = append(os.Environ(), "API_KEY="+a.key, "STATS=http://"+a.control+"/v1/sources/guest/stats")
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	require.NoError(t, err, complaints.String())
	reports := 0
	for line := range bytes.Lines(out) {
		var report guestReport
		require.NoError(t, json.Unmarshal(line, &report), string(line))
		t.Run(report.Codec, func(t *testing.T) { checkGuest(t, report, seconds) })
		reports++
	}
	require.Equal(t, 4, reports)
	a.eventually(10*time.Second, "the guest is gone", func() bool { return a.sourceState("guest") == "idle" })
	recorder.stop() // no viewer of the playlists noticed any of it
}

func checkGuest(t *testing.T, report guestReport, seconds int) {
	t.Logf("%+v", report)
	require.Empty(t, report.Errors)
	require.Equal(t, []int{200, 200, 200}, report.Left)
	require.Equal(t, "whip", report.Stats.Protocol)
	require.Equal(t, "live", report.Stats.State)
	require.Equal(t, report.Codec, report.Stats.Video.Codec)
	require.Equal(t, "opus", report.Stats.Audio.Codec)
	require.Positive(t, report.Figures["publish"].Sent)
	for _, name := range []string{"program", "return"} {
		seen := report.Figures[name]
		require.Equal(t, "connected", seen.State, name)
		require.Equal(t, 640, seen.Width, name)
		require.Greater(t, seen.Frames, seconds*25/2, name)
		require.Greater(t, seen.Samples, float64(seconds*48000/2), name)
		require.Greater(t, seen.Tone, -60.0, "the other source is not heard in the %s", name)
	}
}
