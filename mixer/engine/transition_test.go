package engine

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/mixer/engine/pattern"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

func ptr[T any](v T) *T { return &v }

// stills is a show of three push sources that never send: their slates differ,
// so that every picture is known. s1 and s2 are alone in their scenes, and both
// in "both".
func stills() worker.Show {
	show := testShow("30")
	show.Sources = nil
	show.Scenes = []scene.Scene{{ID: "both", Layout: "two-up", Slots: []string{"s1", "s2"}}}
	for _, id := range []string{"s1", "s2", "s3"} {
		show.Sources = append(show.Sources, worker.Source{ID: id, Name: id, Kind: worker.Push})
		show.Scenes = append(show.Scenes, scene.Scene{ID: "only-" + id, Layout: "solo", Slots: []string{id}})
	}
	show.Program = "only-s1"
	return show
}

// paint replaces a source's slate by one luma value, on the next tick and before
// it is composed.
func paint(s *studio, id string, luma uint8) {
	s.engine.Do(worker.Command{}, func(worker.Ack) {
		s.engine.desk.sources[id].slate.Rewrite()
		s.engine.desk.sources[id].slate.Fill(gpu.Color{Y: luma, Cb: 128, Cr: 128})
	})
}

// lumas gives the luma at points of every picture, by frame since first.
func lumas(s *studio, t *testing.T, from int64, points ...[2]int) map[int64][]int {
	found := map[int64][]int{}
	for _, p := range s.watch(t, 0) {
		for _, at := range points {
			found[p.frame-from] = append(found[p.frame-from], int(p.picture.Y[at[1]*p.picture.YStride+at[0]]))
		}
	}
	return found
}

// TestTransitions looks at known points of flat pictures through every
// transition: 64 becomes 192 over 8 frames.
func TestTransitions(t *testing.T) {
	left, right, top, bottom := [2]int{20, 90}, [2]int{300, 90}, [2]int{160, 10}, [2]int{160, 170}
	tests := []struct {
		kind   scene.TransitionType
		points [][2]int
		frame  int64 // since the first of the transition
		want   []int
	}{
		{scene.Mix, [][2]int{left, right}, 3, []int{128, 128}},
		{scene.Dip, [][2]int{left}, 3, []int{16}},
		{scene.Dip, [][2]int{left}, 5, []int{104}},
		{scene.WipeRight, [][2]int{left, right}, 3, []int{192, 64}},
		{scene.WipeLeft, [][2]int{left, right}, 3, []int{64, 192}},
		{scene.WipeUp, [][2]int{top, bottom}, 3, []int{64, 192}},
		{scene.WipeDown, [][2]int{top, bottom}, 3, []int{192, 64}},
		{scene.PushLeft, [][2]int{left, right}, 3, []int{64, 192}},
		{scene.PushDown, [][2]int{top, bottom}, 3, []int{192, 64}},
		{scene.Morph, [][2]int{left}, 3, []int{128}},
	}
	for _, test := range tests {
		t.Run(string(test.kind), func(t *testing.T) {
			t.Parallel()
			var at int64
			s := inStudio(t, stills(), func(t *testing.T, s *studio) {
				paint(s, "s1", 64)
				paint(s, "s2", 192)
				at = s.first + 6
				ack := s.do(worker.Command{At: at, Cut: ptr("only-s2"), With: &scene.Transition{Type: test.kind, DurationMs: 267}})
				require.Equal(t, "only-s2", ack.Program)
				require.Equal(t, at, ack.Frame)
				require.Equal(t, at+7, ack.Transition.End)
				s.until(at + 12)
				require.Nil(t, s.reports[len(s.reports)-1].Transition)
			})
			seen := lumas(s, t, at, test.points...)
			for i := range test.points {
				require.InDelta(t, 64, seen[-1][i], 4, "before")
				require.InDelta(t, test.want[i], seen[test.frame][i], 8, "in the middle")
				require.InDelta(t, 192, seen[7][i], 4, "on its last frame")
			}
			began := false
			for _, report := range s.reports {
				if report.Transition != nil {
					began = true
					require.Equal(t, worker.Progress{From: "only-s1", To: "only-s2", Type: test.kind, Position: 0.125, End: at + 7, Frames: 8}, *report.Transition)
				}
			}
			require.True(t, began, "a transition is reported when it begins")
		})
	}
}

// TestInterruptedTransition goes on from what is seen, and a cut ends it.
func TestInterruptedTransition(t *testing.T) {
	var at int64
	mix := &scene.Transition{Type: scene.Mix, DurationMs: 1000}
	s := inStudio(t, stills(), func(t *testing.T, s *studio) {
		paint(s, "s1", 64)
		paint(s, "s2", 192)
		paint(s, "s3", 128)
		at = s.first + 6
		s.do(worker.Command{At: at, Cut: ptr("only-s2"), With: mix})
		require.Equal(t, "only-s2", s.do(worker.Command{At: at + 5, Cut: ptr("only-s2"), With: mix}).Program) // no effect
		require.Equal(t, "only-s3", s.do(worker.Command{At: at + 15, Cut: ptr("only-s3"), With: mix}).Program)
		s.do(worker.Command{At: at + 30, Cut: ptr("only-s1"), With: mix})
		s.do(worker.Command{At: at + 40, Cut: ptr("only-s1")})
		s.until(at + 45)
	})
	seen := lumas(s, t, at, [2]int{160, 90})
	for n := int64(-2); n < 39; n++ {
		require.InDelta(t, seen[n][0], seen[n+1][0], 12, "frame %d does not jump", n)
	}
	require.InDelta(t, 128, seen[14][0], 5)
	require.InDelta(t, 64, seen[40][0], 4, "the cut is at once")
}

// TestTBar: a hand moves preview in, back out, and through; AUTO takes over.
func TestTBar(t *testing.T) {
	var at int64
	inStudio(t, stills(), func(t *testing.T, s *studio) {
		at = s.first + 6
		s.until(at)
		require.Equal(t, worker.AckUnknown, s.do(worker.Command{Bar: ptr(0.5)}).Code, "no preview")
		s.do(worker.Command{Preview: ptr("only-s2")})
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Bar: ptr(math.NaN())}).Code)
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Bar: ptr(1.5)}).Code)
		ack := s.do(worker.Command{Bar: ptr(0.4)})
		require.Equal(t, "only-s1", ack.Program, "not yet")
		require.Equal(t, 0.4, s.engine.desk.stage.progress(0))
		require.Equal(t, "only-s1", s.do(worker.Command{Bar: ptr(0.0)}).Program)
		require.Nil(t, s.engine.desk.stage.from)
		s.do(worker.Command{Bar: ptr(0.7)})
		ack = s.do(worker.Command{Bar: ptr(1.0)})
		require.Equal(t, "only-s2", ack.Program)
		require.Equal(t, "only-s1", ack.Preview)

		s.do(worker.Command{Bar: ptr(0.5)})
		ack = s.do(worker.Command{Cut: ptr("only-s1"), With: &scene.Transition{Type: scene.Mix, DurationMs: 1000}})
		require.Equal(t, "only-s1", ack.Program)
		require.InDelta(t, 0.5+0.5/15, s.engine.desk.stage.progress(ack.Frame), 1e-6, "from where the hand was, in the time that is left")
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Bar: ptr(0.2)}).Code, "the machine has it")
	})
}

// TestFadeToBlack: all of the picture and the sound, and back, whatever is cut
// meanwhile.
func TestFadeToBlack(t *testing.T) {
	var at int64
	s := inStudio(t, testShow("30"), func(t *testing.T, s *studio) {
		at = s.rate.Index(noon.Add(1200 * time.Millisecond))
		s.do(worker.Command{At: at, Black: &worker.Black{On: true, DurationMs: 200}})
		s.do(worker.Command{At: at + 12, Cut: ptr("only-a")})
		s.do(worker.Command{At: at + 18, Black: &worker.Black{DurationMs: 200}})
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Black: &worker.Black{DurationMs: -1}}).Code)
		s.until(at + 40)
	})
	for _, p := range s.watch(t, 0) {
		n := p.frame - at
		_, single := pattern.ReadCounter(p.picture)
		if n >= 5 && n < 18 {
			require.Zero(t, len(brighter(p.picture, 20)), "frame %d is black", n)
		}
		if n < 18 || n >= 23 {
			require.Equal(t, n >= 23, single, "frame %d", n)
		}
	}
	ring, _ := s.listen(t, 1)
	require.InDelta(t, testTone, level(ring, 440, s.rate.At(at-10), s.rate.At(at)), 0.003)
	require.Less(t, level(ring, 440, s.rate.At(at+9), s.rate.At(at+17)), 0.0003)
	require.InDelta(t, testTone, level(ring, 440, s.rate.At(at+27), s.rate.At(at+37)), 0.003)
}

// brighter are the luma samples above a value.
func brighter(p pattern.Picture, than uint8) (found []uint8) {
	for y := range p.Height {
		for _, v := range p.Y[y*p.YStride : y*p.YStride+p.Width] {
			if v > than {
				found = append(found, v)
			}
		}
	}
	return found
}

// TestSoundFollowsATransition: no click, constant power, and what both scenes
// have stays.
func TestSoundFollowsATransition(t *testing.T) {
	show := testShow("30")
	show.Program = "only-a"
	var at int64
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		at = s.rate.Index(noon.Add(1200 * time.Millisecond))
		s.do(worker.Command{At: at, Cut: ptr("only-b"), With: &scene.Transition{Type: scene.Mix, DurationMs: 500}})
		s.until(at + 30)
	})
	ring, _ := s.listen(t, 1)
	mid := s.rate.At(at + 7)
	a := level(ring, 440, mid.Add(-30*time.Millisecond), mid.Add(30*time.Millisecond))
	b := level(ring, 554, mid.Add(-30*time.Millisecond), mid.Add(30*time.Millisecond))
	require.InDelta(t, testTone*testTone, a*a+b*b, 0.15*testTone*testTone)
	require.InDelta(t, a, b, 0.3*testTone)
	require.InDelta(t, testTone, level(ring, 554, s.rate.At(at+17), s.rate.At(at+28)), 0.003)
	require.Less(t, level(ring, 440, s.rate.At(at+17), s.rate.At(at+28)), 0.001)
}

// TestMissingSource: what a cell shows without a picture is the scene's to say.
func TestMissingSource(t *testing.T) {
	show := stills()
	show.Scenes = append(show.Scenes, scene.Scene{ID: "policies", Layers: []scene.Placement{
		{Source: "s3", Rect: scene.Rect{W: 1, H: 1}, Opacity: 1},
		{Source: "s1", Rect: scene.Rect{W: 0.5, H: 0.5}, Opacity: 1, Missing: scene.MissingBlack},
		{Source: "s1", Rect: scene.Rect{X: 0.5, W: 0.5, H: 0.5}, Opacity: 1, Missing: scene.MissingHide},
		{Source: "s2", Rect: scene.Rect{Y: 0.5, W: 0.5, H: 0.5}, Opacity: 1, Missing: scene.MissingHold},
	}})
	show.Program = "policies"
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		paint(s, "s1", 64)
		paint(s, "s2", 192)
		paint(s, "s3", 128)
		s.until(s.first + 10)
	})
	seen := lumas(s, t, s.first, [2]int{80, 45}, [2]int{240, 45}, [2]int{80, 135}, [2]int{240, 135})
	require.InDeltaSlice(t, []float64{16, 128, 192, 128}, floats(seen[8]), 4)
}

func floats(values []int) (out []float64) {
	for _, v := range values {
		out = append(out, float64(v))
	}
	return out
}
