package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/testmedia"
	"millrace/internal/machinetest"
	"millrace/internal/media"
)

// secondFormat is where the counters of a camera's clip in its second format begin.
const secondFormat = 100_000

// TestFeedsMayChangeAndFail mixes four feeds of which none behaves: one changes
// its format, one has no sound, the sound of one ends, and one falls silent
// without a word.
func TestFeedsMayChangeAndFail(t *testing.T) {
	t.Parallel()
	machinetest.InTime(t, standstill, misbehave)
}

// misbehaviour is what the feeds did in a recording, in frames.
type misbehaviour struct {
	video, audio *recorder
	all          int64 // every feed is there
	frozen       int64 // the last of the one that falls silent
	slate        int64 // in its place
	back         int64 // another publisher has taken over
	end          int64
	state        channelState
}

func misbehave(t *testing.T) (check func(*testing.T)) {
	changing, paths := changing(t), map[string]string{}
	a := startAppliance(t)
	ids, keys := []string{"cam1", "cam2", "cam3", "cam4"}, map[string]string{}
	for i, id := range ids {
		paths[id], keys[id] = clip(t, camera(i+1), ".mp4"), a.pushSource(id)
	}
	a.makeChannel(ids, v180)
	loop := []string{"-re", "-stream_loop", "-1", "-i"}
	publish(t, a.srtURL("cam1", keys["cam1"]), "-re", "-f", "concat", "-safe", "0", "-i", changing, "-c", "copy")
	publish(t, a.rtmpURL(keys["cam2"]), append(loop, paths["cam2"], "-c", "copy", "-an")...)
	silent := publish(t, a.rtmpURL(keys["cam4"]), playFile(paths["cam4"])...)
	a.shows(15*time.Second, "live", "cam1", "cam2", "cam4")
	m := &misbehaviour{video: a.record("main", "v180"), audio: a.record("main", "audio")}
	m.video.waitFor(0)
	m.audio.waitFor(0)
	publish(t, a.rtmpURL(keys["cam3"]), append(loop, paths["cam3"], "-re", "-i", paths["cam3"], "-map", "0:v", "-map", "1:a", "-c", "copy",
		"-max_interleave_delta", "200000")...) // else ffmpeg waits 10 s for sound that does not come
	a.shows(15*time.Second, "live", "cam3")
	m.all = a.state().Frame

	m.fallSilent(a, silent)
	publish(t, a.rtmpURL(keys["cam4"]), playFile(paths["cam4"])...)
	a.shows(10*time.Second, "live", "cam4")
	m.back = a.state().Frame + partFrames
	a.eventually(15*time.Second, "a source without its sound is degraded", func() bool { return a.sourceState("cam3") == "degraded" })
	m.state = a.state()
	m.end = m.state.Frame + rate.Num
	for _, r := range []*recorder{m.video, m.audio} {
		r.waitFor(m.end / segmentFrames)
		r.stop()
	}
	return m.check
}

// fallSilent waits until a publisher that stays connected and says nothing is
// lost and its picture a slate.
func (m *misbehaviour) fallSilent(a *appliance, silent *publisher) {
	silent.freeze()
	at := time.Now()
	m.frozen = a.state().Frame
	a.shows(4*time.Second, "held", "cam4")
	a.eventually(8*time.Second-time.Since(at), "a silent source is lost", func() bool {
		state := a.sourceState("cam4")
		return state == "lost" || state == "idle"
	})
	a.shows(8*time.Second, "slate", "cam4")
	m.slate = a.state().Frame
}

func (m *misbehaviour) check(t *testing.T) {
	require.Zero(t, m.state.Workers.Restarts)
	require.Equal(t, "live", m.state.Sources["cam2"].State, "it never had sound")
	f, heard := m.video.film(v180), m.audio.sound()
	t.Run("a feed that changes its format is shown and heard on", func(t *testing.T) { checkChanging(t, f, heard, m.end) })
	t.Run("a feed without sound is shown", func(t *testing.T) {
		checkSpeed(t, f, m.all, m.end, 1, camera(2))
		require.Less(t, heard.tone(m.all, m.end, cameraTone(2)), testmedia.ToneLevel/10)
	})
	t.Run("a feed whose sound ends is shown on", func(t *testing.T) {
		checkSpeed(t, f, m.all+rate.Num, m.end, 2, camera(3))
		require.Greater(t, heard.tone(m.all, m.all+2*rate.Num, cameraTone(3)), testmedia.ToneLevel/2)
		require.Less(t, heard.tone(m.end-rate.Num, m.end, cameraTone(3)), testmedia.ToneLevel/10)
	})
	t.Run("a silent feed is held, then a slate", func(t *testing.T) {
		last := lastCounter(f, m.frozen+rate.Num)
		for n := m.frozen + rate.Num; n < m.frozen+2*rate.Num; n++ {
			require.Equal(t, last, lastCounter(f, n), "frame %d is not the held picture", n)
		}
		number, _ := shown(cell(f.at(m.slate), 3))
		require.Zero(t, number, "frame %d shows no slate", m.slate)
		number, _ = shown(cell(f.at(m.back), 3))
		require.Equal(t, 4, number, "frame %d does not show the publisher that took over", m.back)
	})
}

func lastCounter(f film, frame int64) (counter int64) {
	number, counter := shown(cell(f.at(frame), 3))
	require.Equal(f.t, 4, number, "frame %d", frame)
	return counter
}

// changing is a list of clips for ffmpeg to send as one: camera 1 in turn in
// one format and another, of another size, rate and sample rate.
func changing(t *testing.T) string {
	t.Helper()
	one := camera(1)
	other := one
	other.First += secondFormat
	other.Width, other.Height, other.Rate, other.Frames = 426, 240, media.Rate{Num: 30, Den: 1}, 120
	path := filepath.Join(t.TempDir(), "other.ts")
	remux(t, path, "-i", clip(t, other, ".ts"), "-c:v", "copy", "-c:a", "aac", "-ar", "44100", "-ac", "1")
	list := filepath.Join(t.TempDir(), "list.txt")
	both := fmt.Sprintf("file '%s'\nfile '%s'\n", clip(t, one, ".ts"), path)
	require.NoError(t, os.WriteFile(list, []byte(strings.Repeat(both, 20)), 0o600))
	return list
}

// mostSlate is how many frames of a GOP a change of format may cost.
const mostSlate = 25

// checkChanging holds the first cell to both formats, one after the other.
func checkChanging(t *testing.T, f film, heard sound, end int64) {
	t.Helper()
	var formats [2]int // frames in each
	changes, lost, before := 0, 0, -1
	for n := f.first; n < end; n++ {
		number, counter := shown(cell(f.at(n), 0))
		if number != 1 {
			lost++
			continue
		}
		format := 0
		if counter >= secondFormat {
			format = 1
		}
		if before >= 0 && format != before {
			changes++
		}
		before = format
		formats[format]++
	}
	t.Logf("%d and %d frames in the two formats, %d changes, %d frames without", formats[0], formats[1], changes, lost)
	require.Greater(t, changes, 1)
	require.LessOrEqual(t, lost, changes*mostSlate)

	holes := heard.holes(f.first, end, cameraTone(1))
	t.Logf("%.1f%% of the sound is missing", 100*holes)
	require.Less(t, holes, mostHoles)

	// The pitch stays: a sound played at the wrong rate is 9% off.
	tone := cameraTone(1)
	level := heard.pitch(f.first, end, tone)
	require.Greater(t, level, testmedia.ToneLevel/2)
	for _, wrong := range []int{tone * 441 / 480, tone * 480 / 441} {
		require.Less(t, heard.pitch(f.first, end, wrong), level/2, "heard at %d Hz", wrong)
	}
}
