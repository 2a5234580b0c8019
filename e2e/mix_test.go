package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/testmedia"
	"millrace/internal/machinetest"
	"millrace/internal/media"
)

// TestFourCamerasAreMixed publishes two cameras over RTMP and two over SRT,
// and looks at what a viewer gets while an operator cuts.
func TestFourCamerasAreMixed(t *testing.T) {
	t.Parallel()
	machinetest.InTime(t, standstill, mix)
}

func mix(t *testing.T) (check func(*testing.T)) { return mixOn(t, "cpu") }

// mixOn plays the scenario on that device, on a node with that in its environment.
func mixOn(t *testing.T, device string, environment ...string) (check func(*testing.T)) {
	clips := fourClips()
	paths := make(map[string]string)
	for id, c := range clips {
		paths[id] = clip(t, c, ".mp4")
	}
	a := startAppliance(t, environment...)
	ids := []string{"cam1", "cam2", "cam3", "cam4"}
	keys := map[string]string{}
	for _, id := range ids {
		keys[id] = a.pushSource(id)
	}
	a.makeChannel(ids, v360, v180)
	publish(t, a.rtmpURL(keys["cam1"]), playFile(paths["cam1"])...)
	publish(t, a.rtmpURL(keys["cam2"]), playFile(paths["cam2"])...)
	publish(t, a.srtURL("cam3", keys["cam3"]), playFile(paths["cam3"])...)
	publish(t, a.srtURL("cam4", keys["cam4"]), playFile(paths["cam4"])...)
	a.shows(20*time.Second, "live", ids...)

	large, small, audio := a.record("main", "v360"), a.record("main", "v180"), a.record("main", "audio")
	s := directInTime(a, large)
	for _, r := range []*recorder{large, small, audio} {
		r.waitFor(s.end / segmentFrames)
		r.stop()
	}

	s.restarts = a.state().Workers.Restarts
	requireStages(t, a.call(200, "GET", "/v1/channels/main/state", nil), ids)
	mixedOn := a.encoder()["device"]
	return func(t *testing.T) {
		require.Equal(t, device, mixedOn)
		s.check(t, clips, audio.sound(), large.film(v360), small.film(v180))
	}
}

// requireStages wants the state to tell where the time goes, from packet in to
// part out.
func requireStages(t *testing.T, state map[string]any, sources []string) {
	at := func(path ...string) float64 {
		var v any = state
		for _, key := range path {
			m, ok := v.(map[string]any)
			require.True(t, ok, "%v", path)
			v = m[key]
		}
		ms, ok := v.(float64)
		require.True(t, ok, "%v", path)
		return ms
	}
	for _, id := range sources {
		for _, stage := range []string{"toWorker", "decoded", "waited"} {
			require.Positive(t, at("sources", id, "latency", stage, "p95"), "%s %s", id, stage)
			require.LessOrEqual(t, at("sources", id, "latency", stage, "p50"), at("sources", id, "latency", "total", "max"), "%s %s", id, stage)
		}
	}
	for _, stage := range []string{"composed", "fromWorker", "listed"} {
		require.Positive(t, at("latency", stage, "p50"), stage)
	}
	for _, rung := range []string{"v360", "v180"} {
		require.GreaterOrEqual(t, at("latency", "encoded", rung, "max"), at("latency", "encoded", rung, "p50"))
		require.Positive(t, at("latency", "encoded", rung, "p50"))
	}
}

func (s *show) check(t *testing.T, clips map[string]testmedia.Clip, heard sound, films ...film) {
	require.Zero(t, s.restarts)
	for _, f := range films {
		t.Run("pictures of "+f.rung.ID, func(t *testing.T) { s.checkPictures(t, f) })
	}
	t.Run("every camera plays at its speed", func(t *testing.T) {
		for i := range 4 {
			checkSpeed(t, films[0], s.begin, s.cut.Frame, i, clips[fmt.Sprintf("cam%d", i+1)])
		}
	})
	t.Run("every camera is heard", func(t *testing.T) { s.checkTones(t, heard) })
	t.Run("flash and beep are together", func(t *testing.T) {
		for _, f := range films {
			checkLipSync(t, f, s.begin, s.cut.Frame, heard)
		}
	})
}

// fourClips differ in all that cameras differ in. Only cam1's is never looped.
func fourClips() map[string]testmedia.Clip {
	one, two, three, four := camera(1), camera(2), camera(3), camera(4)
	one.Scene, one.Tone, one.Frames, one.Bitrate = testmedia.Sync, 0, 2500, 200_000
	two.Width, two.Height, two.BFrames, two.Bitrate = 640, 360, 2, 1_000_000
	three.Rate, three.Frames = media.Rate{Num: 30, Den: 1}, 120
	four.Rate, four.Frames = media.Rate{Num: 30000, Den: 1001}, 120
	return map[string]testmedia.Clip{"cam1": one, "cam2": two, "cam3": three, "cam4": four}
}

// show is what the operator does in the recording: grid, cam2, cam3, grid.
type show struct {
	begin int64 // first frame that is looked at
	cut   taken // to cam2, at once
	back  taken // to cam3, which was on preview
	last  taken // to the grid, at a frame asked for
	end   int64 // frame after the last that is looked at

	restarts int64 // of the worker
}

// directInTime directs a show in which no picture had to be repeated because
// the machine was busy with other things.
func directInTime(a *appliance, r *recorder) *show {
	a.t.Helper()
	for attempt := 1; ; attempt++ {
		_, last := r.waitFor(0)
		s := &show{begin: (last + 1) * segmentFrames}
		before := a.state().Ticks.Repeated
		r.waitFor(last + 2)
		s.direct(a)
		r.waitFor(s.end / segmentFrames) // longer than from report to report
		if repeated := a.state().Ticks.Repeated - before; repeated == 0 || attempt == 3 {
			return s
		} else {
			a.t.Logf("%d pictures were repeated: the machine is busy", repeated)
		}
	}
}

func (s *show) direct(a *appliance) {
	s.cut = a.take("cut", map[string]any{"scene": "cam2"})
	require.Equal(a.t, "cam2", s.cut.Program)
	a.call(409, "POST", "/v1/channels/main/cut", map[string]any{"scene": "cam1", "expect": map[string]any{"program": "grid"}})

	preview := a.take("preview", map[string]any{"scene": "cam3"})
	require.Equal(a.t, []string{"cam2", "cam3"}, []string{preview.Program, preview.Preview})
	state := a.state()
	require.Equal(a.t, []string{"program", "preview"}, []string{state.Sources["cam2"].Tally, state.Sources["cam3"].Tally})
	s.back = a.take("cut", map[string]any{})
	require.Equal(a.t, []string{"cam3", "cam2"}, []string{s.back.Program, s.back.Preview})
	require.Greater(a.t, s.back.Frame, s.cut.Frame)

	at := a.state().Frame + 2*rate.Num
	s.last = a.take("batch", map[string]any{"preview": "cam1", "program": map[string]any{"scene": "grid"}, "at": map[string]any{"frame": at}})
	require.Equal(a.t, taken{Program: "grid", Preview: "cam1", Frame: at, Time: s.last.Time}, s.last)
	a.call(409, "POST", "/v1/channels/main/cut", map[string]any{"scene": "cam1", "at": map[string]any{"frame": at - 3*rate.Num}})
	s.end = at + rate.Num
}

// checkPictures holds every frame to the scene that was on air in it.
func (s *show) checkPictures(t *testing.T, f film) {
	for n := s.begin; n < s.end; n++ {
		p := f.at(n)
		switch {
		case n < s.cut.Frame || n >= s.last.Frame:
			require.Equal(t, [4]int{1, 2, 3, 4}, grid(p), "frame %d, cut at %d and %d", n, s.cut.Frame, s.last.Frame)
		default:
			want := 2
			if n >= s.back.Frame {
				want = 3
			}
			number, _ := shown(p)
			require.Equal(t, want, number, "frame %d, cuts at %d, %d and %d", n, s.cut.Frame, s.back.Frame, s.last.Frame)
		}
	}
}

// checkSpeed holds the counter in a cell of the grid to count the frames of
// its clip, whatever the rate of the clip, over and over.
func checkSpeed(t *testing.T, f film, from, to int64, index int, c testmedia.Clip) {
	t.Helper()
	total, still := int64(0), 0
	_, before := shown(cell(f.at(from), index))
	for n := from + 1; n < to; n++ {
		number, counter := shown(cell(f.at(n), index))
		require.Equal(t, index+1, number, "frame %d", n)
		step := ((counter-before)%c.Frames + c.Frames) % c.Frames
		require.Less(t, step, c.Frames/2, "frame %d: from %d to %d", n, before, counter)
		total += step
		if step == 0 {
			still++
		}
		before = counter
	}
	want := float64(to-1-from) * float64(c.Rate.Num) / float64(c.Rate.Den) * float64(rate.Den) / float64(rate.Num)
	require.InDelta(t, want, float64(total), 4, "camera %d", index+1)
	require.Less(t, still, int(to-from)/4, "camera %d stands still", index+1)
}

// mostHoles is how much of a sound may be missing because the machine is busy
// with other things, of 0 to 1.
const mostHoles = 0.1

// checkTones looks for each camera's tone while it is on air, and for its
// absence while it is not.
func (s *show) checkTones(t *testing.T, heard sound) {
	levels := func(from, to int64) (all [5]float64) {
		for number := 2; number <= 4; number++ {
			all[number] = heard.tone(from, to, cameraTone(number))
		}
		return all
	}
	inGrid := levels(s.begin, s.cut.Frame)
	alone := levels(s.back.Frame+2, s.last.Frame-2) // clear of the fades around a cut
	for number := 2; number <= 4; number++ {
		require.InDelta(t, testmedia.ToneLevel, inGrid[number], testmedia.ToneLevel/4, "camera %d in the grid", number)
		require.Less(t, heard.holes(s.begin, s.cut.Frame, cameraTone(number)), mostHoles, "camera %d", number)
		want := 0.0
		if number == 3 {
			want = testmedia.ToneLevel
		}
		require.InDelta(t, want, alone[number], testmedia.ToneLevel/4, "camera %d while camera 3 is alone", number)
	}
}

// lipSync is how far picture and sound of a source may be apart, and a
// millisecond for what the codecs smear.
const lipSync = (40 + 1) * time.Millisecond

// checkLipSync compares when the first cell flashes with when it beeps, by the
// decode times of the two renditions.
func checkLipSync(t *testing.T, f film, from, to int64, heard sound) {
	t.Helper()
	var flashes []int64 // sample numbers
	for n := from + 1; n < to; n++ {
		if testmedia.ReadFlash(cell(f.at(n), 0)) && !testmedia.ReadFlash(cell(f.at(n-1), 0)) {
			flashes = append(flashes, rate.Samples(n, testmedia.SampleRate))
		}
	}
	beeps := heard.beeps()
	var found []time.Duration // from beep to flash
	for _, flash := range flashes {
		for _, beep := range beeps {
			apart := time.Duration(flash-beep) * time.Second / testmedia.SampleRate
			if apart.Abs() > 500*time.Millisecond {
				continue
			}
			found = append(found, apart)
			require.LessOrEqual(t, apart.Abs(), lipSync)
		}
	}
	require.GreaterOrEqual(t, len(found), 4, "flashes at %v, beeps at %v", flashes, beeps)
	t.Logf("%s: the flash comes %v to %v after the beep", f.rung.ID, slices.Min(found), slices.Max(found))
}
