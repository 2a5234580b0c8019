package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/testmedia"
	"millrace/internal/machinetest"
	"millrace/internal/media"
)

// TestTheProgramOutlivesItsParts kills a publisher, the worker and the SRT
// process one after the other while a viewer watches.
func TestTheProgramOutlivesItsParts(t *testing.T) {
	t.Parallel()
	machinetest.InTime(t, standstill, outlive)
}

func outlive(t *testing.T) (check func(*testing.T)) {
	paths := map[string]string{"returned": clip(t, otherFormat(), ".mp4")}
	ids := []string{"cam1", "cam2", "cam3", "cam4"}
	for i, id := range ids {
		paths[id] = clip(t, camera(i+1), ".mp4")
	}
	a := startAppliance(t)
	keys := map[string]string{}
	for _, id := range ids {
		keys[id] = a.pushSource(id)
	}
	a.makeChannel(ids, v180)
	leaver := publish(t, a.rtmpURL(keys["cam1"]), playFile(paths["cam1"])...)
	publish(t, a.rtmpURL(keys["cam2"]), playFile(paths["cam2"])...)
	overSRT := []*encoder{
		keepPublishing(t, a.srtURL("cam3", keys["cam3"]), playFile(paths["cam3"])...),
		keepPublishing(t, a.srtURL("cam4", keys["cam4"]), playFile(paths["cam4"])...),
	}
	a.shows(20*time.Second, "live", ids...)
	video, audio := a.record("main", "v180"), a.record("main", "audio")
	video.waitFor(0)

	w := &watch{calm: a.state().Frame}
	leaver.stop()
	a.eventually(8*time.Second, "the source is lost", func() bool { return a.sourceState("cam1") != "live" })
	a.shows(8*time.Second, "slate", "cam1")
	w.slate = a.state().Frame
	publish(t, a.rtmpURL(keys["cam1"]), append([]string{"-re", "-stream_loop", "-1", "-i", paths["returned"]},
		"-c:v", "copy", "-c:a", "aac", "-ar", "44100", "-ac", "1")...)
	a.shows(15*time.Second, "live", "cam1")
	w.returned = a.state().Frame + int64(rate.Num)
	track := a.call(200, "GET", "/v1/sources/cam1/stats", nil)
	require.EqualValues(t, 44100, track["audio"].(map[string]any)["sampleRate"])
	require.EqualValues(t, 426, track["video"].(map[string]any)["width"])
	waitForFrame(a, w.returned+int64(rate.Num))

	old := a.state().Workers.Pid
	w.killed = a.state().Frame
	a.sigkill(old)
	a.eventually(10*time.Second, "there is a new worker", func() bool { pid := a.state().Workers.Pid; return pid != 0 && pid != old })
	w.replaced = startOf(t, a.state().Workers.Pid)
	a.eventually(10*time.Second, "the channel runs", func() bool { return a.state().State == "running" })
	a.shows(10*time.Second, "live", ids...)
	w.srtKilled = max(a.state().Frame, rate.Index(media.TimeOf(w.replaced.Add(pictureBack)))+1)
	waitForFrame(a, w.srtKilled)

	a.sigkill(a.child("srt"))
	for _, e := range overSRT {
		e.connectsAgain()
	}
	a.shows(20*time.Second, "live", ids...)
	w.end = a.state().Frame + int64(rate.Num)
	w.state = a.state()

	video.waitFor(w.end / segmentFrames)
	audio.waitFor(w.end / segmentFrames)
	video.stop()
	audio.stop()
	return func(t *testing.T) { w.check(t, video, video.film(v180)) }
}

// otherFormat is what the publisher comes back with: another size and rate.
func otherFormat() (c testmedia.Clip) {
	c = camera(1)
	c.Width, c.Height, c.Rate, c.Frames = 426, 240, media.Rate{Num: 30, Den: 1}, 120
	return c
}

func waitForFrame(a *appliance, frame int64) {
	a.t.Helper()
	limit := time.Until(rate.At(frame).UTC()) + 5*time.Second
	a.eventually(limit, "the frame is due", func() bool { return a.state().Frame >= frame })
}

// pictureBack is how long after its start a new worker shows the sources.
const pictureBack = 2 * time.Second

// watch is what happened in the recording, in frames.
type watch struct {
	calm      int64 // everything is as it should be
	slate     int64 // in place of the publisher that left
	returned  int64 // it is back and has been for a second
	killed    int64 // the worker's last moment, or the frames just before
	replaced  time.Time
	srtKilled int64
	end       int64
	state     channelState
}

// unfinished is how many frames a worker may have had in hand when it was killed.
const unfinished = 2 * partFrames

func (w *watch) check(t *testing.T, video *recorder, f film) {
	t.Helper()
	require.EqualValues(t, 1, w.state.Workers.Restarts)
	require.Positive(t, w.state.Filler)
	w.checkPublisher(t, f)
	gone, back := w.away(t, f)
	filler := map[int64]bool{}
	for _, c := range video.chunks() {
		for i := range c.samples {
			filler[c.start/c.step+int64(i)] = c.filler
		}
	}
	for n := f.first; n < f.end(); n++ {
		switch {
		case n >= gone && n < back:
			require.True(t, filler[n], "frame %d shows %v, which is no filler", n, grid(f.at(n)))
		case n < gone-partFrames || n > back+partFrames: // a part with some filler is filler
			require.False(t, filler[n], "frame %d is from a worker", n)
		}
	}
	took := rate.At(back).UTC().Sub(w.replaced)
	t.Logf("the new worker shows the sources %v after its start and %v after the old one's end", took,
		time.Duration(rate.At(back-gone)))
	require.Less(t, took, pictureBack)
	for i := 1; i < 4; i++ {
		c := camera(i + 1)
		_, before := shown(cell(f.at(gone-1), i))
		_, after := shown(cell(f.at(back+partFrames), i)) // it may still be decoding what it missed
		step := ((after-before)%c.Frames + c.Frames) % c.Frames
		require.Less(t, step, back-gone+rate.Num, "camera %d goes on where it is, from %d to %d", i+1, before, after)
	}

	for n := back; n < w.end; n++ {
		cells := grid(f.at(n))
		require.Equal(t, [2]int{1, 2}, [2]int(cells[:2]), "frame %d: RTMP does not notice", n)
		if n <= w.srtKilled-unfinished || n >= w.end-rate.Num {
			require.Equal(t, [4]int{1, 2, 3, 4}, cells, "frame %d", n)
		}
	}
	checkSpeed(t, f, back+rate.Num, w.end, 0, otherFormat())
	checkSpeed(t, f, back+rate.Num, w.end, 1, camera(2))
}

// checkPublisher holds the time from when a publisher left until it was back.
func (w *watch) checkPublisher(t *testing.T, f film) {
	t.Helper()
	for n := w.calm; n < w.killed-unfinished; n++ {
		cells := grid(f.at(n))
		require.Equal(t, [3]int{2, 3, 4}, [3]int(cells[1:]), "frame %d: the others do not notice", n)
		switch {
		case n == w.calm || n >= w.returned:
			require.Equal(t, 1, cells[0], "frame %d shows the publisher", n)
		case n == w.slate:
			require.Zero(t, cells[0], "frame %d shows a slate", n)
		}
	}
	for i := 1; i < 4; i++ {
		checkSpeed(t, f, w.calm, w.killed-unfinished, i, camera(i+1))
	}
}

// away are the first frame that the killed worker did not make and the first
// that shows the sources again.
func (w *watch) away(t *testing.T, f film) (gone, back int64) {
	t.Helper()
	all := func(n int64) bool { return grid(f.at(n)) == [4]int{1, 2, 3, 4} }
	for gone = w.killed - unfinished; all(gone); gone++ {
		require.Less(t, gone, w.killed+2*rate.Num, "the worker was not missed")
	}
	for back = gone; !all(back); back++ {
		require.Less(t, back, w.srtKilled, "the sources did not come back")
	}
	return gone, back
}
