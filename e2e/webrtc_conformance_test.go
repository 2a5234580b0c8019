package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWebRTCConformance runs the W and E rows against the binary, but for what
// takes half a minute (W16: `go run ./conformance -slow`).
func TestWebRTCConformance(t *testing.T) {
	a := startAppliance(t)
	key := a.pushSource("cam1")
	a.testChannel("main")
	a.waitOnAir("main", "v360")

	program := filepath.Join(t.TempDir(), "conformance")
	build := exec.Command("go", "build", "-o", program, "../conformance")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))
	check := exec.CommandContext(t.Context(), program, "-only", "W,E", "-key", key,
		"-whip", a.mediaURL("/whip/cam1"), "-whep", a.mediaURL("/whep/main"), "-idle", a.mediaURL("/whep/nobody"))
	table, err := check.CombinedOutput()
	t.Logf("%s", table)
	if err != nil {
		require.Equal(t, 1, check.ProcessState.ExitCode(), string(table))
	}
	outcomes := map[string]string{}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 2 && len(fields[0]) == 3 && strings.Contains("WE", fields[0][:1]) {
			outcomes[fields[0]] = fields[1]
		}
	}
	require.Len(t, outcomes, 21+6)
	require.NotEqual(t, "not", outcomes["E06"], "pictures came with a time") // how young they are depends on the machine
	delete(outcomes, "E06")
	require.Equal(t, "not", outcomes["W16"])
	delete(outcomes, "W16")
	for id, outcome := range outcomes {
		require.Equal(t, "pass", outcome, id)
	}
	require.Equal(t, "idle", a.sourceState("cam1"))
}

// TestWatchASource is for operators: what a source sends, before the mixer.
func TestWatchASource(t *testing.T) {
	a := startAppliance(t)
	key := a.pushSource("cam1")
	view, playback := a.token("view"), a.token("playback")
	offer := "v=0\r\n"
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/whep/source/cam1", "", 401}, {"/whep/source/cam1", key, 401}, {"/whep/source/cam1", view, 403},
		{"/whep/source/cam1", playback, 409}, {"/whep/source/cam1", a.key, 409}, {"/whep/source/nobody", playback, 404},
		{"/whep/main", "", 409}, {"/whep/main/multiview", "", 401}, {"/whep/main/multiview", view, 403}, {"/whep/main/multiview", a.key, 409}, {"/whep/a/b/c/d", "", 404},
	} {
		status, header := a.ask("POST", c.path, c.key, offer, "Content-Type", "application/sdp")
		require.Equal(t, c.status, status, c.path)
		require.Equal(t, "*", header.Get("Access-Control-Allow-Origin"))
		if status == 409 {
			require.NotEmpty(t, header.Get("Retry-After"))
		}
	}
	publish(t, a.rtmpURL(key), "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=frequency=1000",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac")
	a.eventually(20*time.Second, "the source is watched", func() bool {
		status, _ := a.ask("POST", "/whep/source/cam1", playback, offer, "Content-Type", "application/sdp")
		return status == 422 // the offer is judged
	})

	// The control room's session is its key, from its own pages only.
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+a.control+"/v1/session", strings.NewReader(`{"token":"`+a.key+`"}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Len(t, answer.Cookies(), 1)
	for origin, status := range map[string]int{"http://" + a.control: 422, "http://elsewhere.test": 401} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+a.control+"/whep/source/cam1", strings.NewReader(offer))
		require.NoError(t, err)
		r.AddCookie(answer.Cookies()[0])
		r.Header.Set("Content-Type", "application/sdp")
		r.Header.Set("Origin", origin)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, status, answer.StatusCode, origin)
	}
}
