package engine

import (
	"fmt"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/engine/pattern"
	"millrace/mixer/worker"
)

// testSource draws a moving picture with the channel's frame number and sounds
// a tone, both functions of the frame number alone. Owned by the tick.
type testSource struct {
	moving *pattern.Moving
	tone   *audio.Tone
	// Two frames take turns from composition to composition, so that a picture
	// stays as it was composed while the next is drawn, and the compositor, which
	// takes an equal frame for an equal picture, never meets one twice in a row.
	// They are lent to it, never handed on.
	frames [2]*gpu.Frame
	turn   int
	drawn  int64 // frame number of the newest picture
}

func newTestSource(device gpu.Device, config worker.Source, rate media.Rate) (*testSource, error) {
	settings := worker.TestPattern{}
	if config.Test != nil {
		settings = *config.Test
	}
	if settings.Pattern < 0 || settings.ToneHz < 0 || settings.ToneHz > 20000 {
		return nil, fmt.Errorf("make test source %q: pattern %d with %d Hz", config.ID, settings.Pattern, settings.ToneHz)
	}
	s := &testSource{
		moving: pattern.NewMoving(settings.Pattern, title(config), rate),
		tone:   audio.NewTone(settings.ToneHz, pattern.Beep),
		drawn:  -1,
	}
	for i := range s.frames {
		frame, err := device.NewFrame(gpu.Size{Width: pattern.Width, Height: pattern.Height})
		if err != nil {
			s.close()
			return nil, fmt.Errorf("make test source %q: %w", config.ID, err)
		}
		s.moving.Begin(planes(frame))
		s.frames[i] = frame
	}
	return s, nil
}

// show gives the picture of tick n, which must be composed and stays valid for
// this tick.
func (s *testSource) show(n int64) *gpu.Frame {
	if n != s.drawn {
		s.turn = 1 - s.turn
		s.frames[s.turn].Rewrite()
		s.moving.Draw(planes(s.frames[s.turn]), n)
		s.drawn = n
	}
	return s.frames[s.turn]
}

func (s *testSource) close() {
	for i, frame := range s.frames {
		if frame != nil {
			frame.Release()
			s.frames[i] = nil
		}
	}
}

// planes is a frame of host memory as a picture to draw on.
func planes(f *gpu.Frame) pattern.Picture {
	p := pattern.Picture{Width: f.Size.Width, Height: f.Size.Height}
	p.Y, p.YStride = f.Plane(0)
	p.U, p.CStride = f.Plane(1)
	p.V, _ = f.Plane(2)
	return p
}

// title is what a source's slate and test picture say.
func title(config worker.Source) string {
	if config.Name != "" {
		return config.Name
	}
	return config.ID
}
