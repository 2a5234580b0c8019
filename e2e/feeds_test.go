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
	"millrace/internal/media"
)

// secondFormat is where the counters of a camera's clip in its second format begin.
const secondFormat = 100_000

// TestFeedsMayChangeAndFail mixes four feeds of which none behaves: one changes
// its format, one has no sound, the sound of one ends, and one falls silent
// without a word.
func TestFeedsMayChangeAndFail(t *testing.T) {
	t.Parallel()
	paths := []string{changing(t), clip(t, camera(2), ".mp4"), clip(t, camera(3), ".mp4"), clip(t, camera(4), ".mp4")}
	a := startAppliance(t)
	ids := []string{"cam1", "cam2", "cam3", "cam4"}
	keys := map[string]string{}
	for _, id := range ids {
		keys[id] = a.pushSource(id)
	}
	a.makeChannel(ids, v180)
	loop := []string{"-re", "-stream_loop", "-1", "-i"}
	publish(t, a.srtURL("cam1", keys["cam1"]), "-re", "-f", "concat", "-safe", "0", "-i", paths[0], "-c", "copy")
	publish(t, a.rtmpURL(keys["cam2"]), append(loop, paths[1], "-c", "copy", "-an")...)
	silent := publish(t, a.rtmpURL(keys["cam4"]), playFile(paths[3])...)
	a.shows(15*time.Second, "live", "cam1", "cam2", "cam4")
	video, audio := a.record("main", "v180"), a.record("main", "audio")
	video.waitFor(0)
	audio.waitFor(0)
	publish(t, a.rtmpURL(keys["cam3"]), append(loop, paths[2], "-re", "-i", paths[2], "-map", "0:v", "-map", "1:a", "-c", "copy",
		"-max_interleave_delta", "200000")...) // else ffmpeg waits 10 s for sound that does not come
	a.shows(15*time.Second, "live", "cam3")
	all := a.state().Frame

	silent.freeze()
	frozen, at := a.state().Frame, time.Now()
	a.shows(4*time.Second, "held", "cam4")
	a.eventually(8*time.Second-time.Since(at), "a silent source is lost", func() bool {
		state := a.sourceState("cam4")
		return state == "lost" || state == "idle"
	})
	a.shows(8*time.Second, "slate", "cam4")
	slate := a.state().Frame
	publish(t, a.rtmpURL(keys["cam4"]), playFile(paths[3])...)
	a.shows(10*time.Second, "live", "cam4")
	back := a.state().Frame
	a.eventually(15*time.Second, "a source without its sound is degraded", func() bool { return a.sourceState("cam3") == "degraded" })
	require.Equal(t, "live", a.sourceState("cam2"), "it never had sound")
	end := a.state().Frame + rate.Num
	video.waitFor(end / segmentFrames)
	audio.waitFor(end / segmentFrames)
	video.stop()
	audio.stop()

	f, heard := video.film(v180), audio.sound()
	t.Run("a feed that changes its format is shown and heard on", func(t *testing.T) { checkChanging(t, f, heard, end) })
	t.Run("a feed without sound is shown", func(t *testing.T) {
		checkSpeed(t, f, all, end, 1, camera(2))
		require.Less(t, heard.tone(all, end, cameraTone(2)), testmedia.ToneLevel/10)
	})
	t.Run("a feed whose sound ends is shown on", func(t *testing.T) {
		checkSpeed(t, f, all+rate.Num, end, 2, camera(3))
		require.Greater(t, heard.tone(all, all+2*rate.Num, cameraTone(3)), testmedia.ToneLevel/2)
		require.Less(t, heard.tone(end-rate.Num, end, cameraTone(3)), testmedia.ToneLevel/10)
	})
	t.Run("a silent feed is held, then a slate", func(t *testing.T) {
		last := lastCounter(f, frozen+rate.Num)
		for n := frozen + rate.Num; n < frozen+2*rate.Num; n++ {
			require.Equal(t, last, lastCounter(f, n), "frame %d is not the held picture", n)
		}
		number, _ := shown(cell(f.at(slate), 3))
		require.Zero(t, number, "frame %d shows no slate", slate)
		number, _ = shown(cell(f.at(back+partFrames), 3))
		require.Equal(t, 4, number, "frame %d does not show the publisher that took over", back+partFrames)
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
