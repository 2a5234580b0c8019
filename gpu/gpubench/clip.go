package main

import (
	"fmt"
	"math/rand/v2"

	"millrace/gpu"
	"millrace/internal/media"
)

// clipFrames is how long a clip is until it begins again, two seconds.
const clipFrames = 60

// clip is a stream that inputs play over and over: one closed GOP a second.
type clip struct {
	track *media.Track
	units []gpu.AccessUnit
}

// packet is picture n of the endless stream.
func (c *clip) packet(n int64, rate media.Rate) *media.Packet {
	unit := c.units[n%int64(len(c.units))]
	return &media.Packet{Track: c.track, PTS: rate.At(n), DTS: rate.At(n), Duration: rate.Interval(), Key: unit.Key, Data: unit.Data}
}

// newClip encodes a moving texture with grain by x264, another one for every seed.
func newClip(size gpu.Size, rate media.Rate, frames int, seed uint64) (*clip, error) {
	cpu, err := gpu.Open("cpu")
	if err != nil {
		return nil, err
	}
	defer cpu.Close()
	encoder, err := cpu.NewEncoder(gpu.EncoderConfig{
		ID: fmt.Sprintf("clip%d", seed), Size: size, Rate: rate, Bitrate: 6_000_000 * size.Width * size.Height / (1920 * 1080), Preset: "ultrafast", Threads: 4,
	})
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	c := &clip{track: encoder.Track()}
	rnd := rand.New(rand.NewPCG(seed, 1))
	for n := range frames {
		picture, err := cpu.NewFrame(size)
		if err != nil {
			return nil, err
		}
		texture(picture, n, rnd)
		unit, err := encoder.Encode(picture, int64(n), n%30 == 0)
		picture.Release()
		if err != nil {
			return nil, err
		}
		c.units = append(c.units, unit)
	}
	return c, nil
}

// texture draws picture n: stripes that wander, with a little grain.
func texture(f *gpu.Frame, n int, rnd *rand.Rand) {
	for p := range 3 {
		pixels, stride := f.Plane(p)
		grain := rnd.Uint64()
		for i := range pixels {
			x, y := i%stride, i/stride
			if i%64 == 0 {
				grain = rnd.Uint64()
			}
			pixels[i] = byte(60 + (x+y/2+3*n)%120 + int(grain>>(i%61)&7))
		}
	}
}

// newClips makes a few, which the inputs share.
func newClips(size gpu.Size, rate media.Rate, frames int) ([]*clip, error) {
	var clips []*clip
	for seed := range uint64(4) {
		c, err := newClip(size, rate, frames, seed)
		if err != nil {
			return nil, fmt.Errorf("make a clip: %w", err)
		}
		clips = append(clips, c)
	}
	return clips, nil
}
