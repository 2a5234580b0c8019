package onair

import (
	"context"
	"fmt"
	"time"

	"millrace/benchmarks/testmedia"
	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
)

// film is what a camera sends, over and over: encoded pictures, the first an IDR.
type film struct {
	track *media.Track
	units []gpu.AccessUnit
}

// shoot encodes two seconds of a clip.
func shoot(ctx context.Context, seed int) (f film, err error) {
	clip := testmedia.Clip{
		Scene: []testmedia.Scene{testmedia.Texture, testmedia.Talk}[seed%2], Seed: uint64(seed),
		Width: 640, Height: 360, Rate: rate(), Frames: 2 * fps,
	}
	painter, err := testmedia.NewPainter(clip)
	if err != nil {
		return f, err
	}
	device, err := gpu.Open("cpu")
	if err != nil {
		return f, err
	}
	defer device.Close()
	size := gpu.Size{Width: clip.Width, Height: clip.Height}
	encoder, err := device.NewEncoder(gpu.EncoderConfig{ID: "video", Size: size, Rate: rate(), Bitrate: 1_200_000})
	if err != nil {
		return f, fmt.Errorf("make camera: %w", err)
	}
	defer encoder.Close()
	f.track = encoder.Track()
	for n := range clip.Frames {
		if err := ctx.Err(); err != nil {
			return f, err
		}
		frame, err := device.NewFrame(size)
		if err != nil {
			return f, fmt.Errorf("make camera: %w", err)
		}
		painter.Draw(planes(frame), n)
		unit, err := encoder.Encode(frame, int64(n), n%fps == 0)
		frame.Release()
		if err != nil {
			return f, fmt.Errorf("make camera: %w", err)
		}
		f.units = append(f.units, unit)
	}
	return f, nil
}

func planes(f *gpu.Frame) pattern.Picture {
	p := pattern.Picture{Width: f.Size.Width, Height: f.Size.Height}
	p.Y, p.YStride = f.Plane(0)
	p.U, p.CStride = f.Plane(1)
	p.V, _ = f.Plane(2)
	return p
}

// ahead is how long before it is shown a picture is there.
const ahead = 60 * time.Millisecond

// send gives a source the film's pictures, due from frame n on.
func (f film) send(s *stage, source string, since, n int64) {
	at := rate().At(n)
	unit := f.units[(n-since)%int64(len(f.units))]
	s.engine.Packet(source, &media.Packet{
		Track: f.track, PTS: at, DTS: at, Duration: rate().Interval(), Key: unit.Key, Data: unit.Data,
	})
}

// each calls do a little before every frame is due, until the context ends.
func (s *stage) each(ctx context.Context, do func(n int64)) {
	for n := s.first; s.clock.SleepUntil(ctx, rate().At(n).Add(-ahead)) == nil; n++ {
		do(n)
	}
}
