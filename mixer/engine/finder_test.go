package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// scenes are what an examiner is shown: so many frames of a picture, five looks a
// second at 25 frames a second, with a sound.
type shown struct {
	frames int64
	luma   byte // of all pixels
	light  int  // pixels of 320x180 that are white
	step   int  // added to luma with every look
	peak   float32
}

func TestFindings(t *testing.T) {
	const second = 25
	for _, test := range []struct {
		name  string
		shown []shown
		want  []string
	}{
		{"a moving picture with sound", []shown{{frames: 20 * second, luma: 60, step: 1, peak: 0.1}}, nil},
		{"black for less than two seconds", []shown{
			{frames: 50, luma: 60, step: 1, peak: 0.1}, {frames: 45, luma: 16, peak: 0.1}, {frames: 100, luma: 60, step: 1, peak: 0.1},
		}, nil},
		{"black", []shown{
			{frames: 50, luma: 60, step: 1, peak: 0.1}, {frames: 75, luma: 16, peak: 0.1}, {frames: 100, luma: 60, step: 1, peak: 0.1},
		}, []string{"black 50", "black 50-125"}},
		{"black but for a small bug of the channel", []shown{{frames: 75, luma: 16, light: 500, peak: 0.1}, {frames: 50, luma: 60, step: 1, peak: 0.1}},
			[]string{"black 0", "black 0-75"}},
		{"dark, with something to see", []shown{{frames: 75, luma: 16, light: 4000, peak: 0.1}, {frames: 50, luma: 60, step: 1, peak: 0.1}}, nil},
		{"black, then on the verge of it, is one finding", []shown{
			{frames: 75, luma: 16, peak: 0.1}, {frames: 25, luma: 17, light: 2000, peak: 0.1}, {frames: 25, luma: 16, peak: 0.1}, {frames: 50, luma: 60, step: 1, peak: 0.1},
		}, []string{"black 0", "black 0-125"}},
		{"frozen", []shown{
			{frames: 50, luma: 60, step: 1, peak: 0.1}, {frames: 200, luma: 90, peak: 0.1}, {frames: 50, luma: 60, step: 1, peak: 0.1},
		}, []string{"frozen 50", "frozen 50-250"}},
		{"a clock that ticks in a corner is frozen", []shown{{frames: 200, luma: 90, light: 20, peak: 0.1}, {frames: 50, luma: 60, step: 1, peak: 0.1}},
			[]string{"frozen 0", "frozen 0-200"}},
		{"silent", []shown{
			{frames: 50, luma: 60, step: 1, peak: 0.1}, {frames: 150, luma: 60, step: 1, peak: 0.0005}, {frames: 50, luma: 60, step: 1, peak: 0.1},
		}, []string{"silent 50", "silent 50-200"}},
		{"silent, then barely louder, is one finding", []shown{
			{frames: 150, luma: 60, step: 1}, {frames: 50, luma: 60, step: 1, peak: 0.0012}, {frames: 50, luma: 60, step: 1, peak: 0.01},
		}, []string{"silent 0", "silent 0-200"}},
		{"barely louder is not silent", []shown{{frames: 200, luma: 60, step: 1, peak: 0.0012}}, nil},
		{"no sound at all is not silence", []shown{{frames: 200, luma: 60, step: 1, peak: -1}}, nil},
		{"what lasts ends with what is looked at", []shown{{frames: 150, luma: 16}},
			[]string{"black 0", "frozen 0", "silent 0", "black 0-150", "frozen 0-150", "silent 0-150"}},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, examineAll(t, test.shown)) })
	}
}

func examineAll(t *testing.T, all []shown) (said []string) {
	device := openDevice(t)
	defer device.Close()
	rate := media.Rate{Num: 25, Den: 1}
	x, n := newExaminer(""), int64(0)
	say := func(f worker.Finding) {
		text := fmt.Sprintf("%s %d", f.Kind, f.Begin)
		if f.End > 0 {
			text += fmt.Sprintf("-%d", f.End)
		}
		said = append(said, text)
	}
	for _, s := range all {
		for look := int64(0); look < s.frames; look += 5 {
			frame := pictureOf(t, device, s.luma+byte(s.step*int(look)/5), s.light)
			x.now.look(frame)
			frame.Release()
			x.examine(n, rate, s.peak, say)
			n += 5
		}
	}
	x.end(n, say)
	require.Zero(t, device.Outstanding())
	return said
}

func pictureOf(t testing.TB, device gpu.Device, luma byte, light int) *gpu.Frame {
	frame, err := device.NewFrame(gpu.Size{Width: 320, Height: 180})
	require.NoError(t, err)
	pixels, stride := frame.Plane(0)
	for y := range 180 {
		for x := range 320 {
			pixels[y*stride+x] = luma
			if y*320+x < light {
				pixels[y*stride+x] = 235
			}
		}
	}
	return frame
}

// A frozen picture is found by what it was when it froze: one that moves too
// slowly to see from look to look is not frozen.
func TestSlowMovementIsNotFrozen(t *testing.T) {
	device := openDevice(t)
	defer device.Close()
	x, found := newExaminer(""), 0
	for n := int64(0); n < 25*25; n += 5 {
		frame := pictureOf(t, device, 60, int(n)*3) // 15 pixels more a look: 0.05 levels
		x.now.look(frame)
		frame.Release()
		x.examine(n, media.Rate{Num: 25, Den: 1}, 0.1, func(worker.Finding) { found++ })
	}
	require.Zero(t, found)
}

// Fading the program to black makes it black, frozen and silent, and back again
// not.
func TestProgramIsInspected(t *testing.T) {
	s := inStudio(t, testShow("25"), func(t *testing.T, s *studio) {
		s.until(s.first + 25)
		s.engine.Do(worker.Command{ID: 1, Black: &worker.Black{On: true}}, func(worker.Ack) {})
		s.until(s.first + 25 + 8*25)
		s.engine.Do(worker.Command{ID: 2, Black: &worker.Black{}}, func(worker.Ack) {})
		s.until(s.first + 25 + 10*25)
	})
	byKind := map[worker.FindingKind][]worker.Finding{}
	for _, f := range s.findings {
		require.Empty(t, f.Source)
		byKind[f.Kind] = append(byKind[f.Kind], f)
	}
	require.Len(t, byKind, 3)
	for kind, list := range byKind {
		require.Len(t, list, 2, kind)
		require.Zero(t, list[0].End, kind)
		require.Equal(t, list[0].Begin, list[1].Begin, kind)
		require.InDelta(t, s.first+25, list[0].Begin, 12, kind)
		require.InDelta(t, s.first+25+8*25, list[1].End, 12, kind)
	}
}

// What looking costs: a look at the program five times a second.
func BenchmarkExamine(b *testing.B) {
	device, err := gpu.Open("cpu")
	require.NoError(b, err)
	defer device.Close()
	for _, size := range []gpu.Size{{Width: 426, Height: 240}, {Width: 1920, Height: 1080}} {
		b.Run(size.String(), func(b *testing.B) {
			frame, err := device.NewFrame(size)
			require.NoError(b, err)
			defer frame.Release()
			x := newExaminer("")
			for n := int64(0); b.Loop(); n += 5 {
				x.now.look(frame)
				x.examine(n, media.Rate{Num: 25, Den: 1}, 0.1, func(worker.Finding) {})
			}
		})
	}
}
