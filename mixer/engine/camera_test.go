package engine

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/engine/pattern"
)

// camera is a made-up contribution: its picture i carries the counter i+1, and
// its sound is a sine.
type camera struct {
	rate  media.Rate
	video []*media.Packet // picture i at i/rate
	sound []*media.Packet // access unit i at i*1024/48000
}

// film records a camera for a while. gop is in frames.
func film(t *testing.T, size gpu.Size, rate media.Rate, length time.Duration, gop int64, hz float64) camera {
	c := camera{rate: rate}
	device, err := gpu.Open("cpu")
	require.NoError(t, err)
	defer device.Close()
	encoder, err := device.NewEncoder(gpu.EncoderConfig{ID: "v", Size: size, Rate: rate, Bitrate: 500_000, Preset: "ultrafast"})
	require.NoError(t, err)
	defer encoder.Close()
	track := *encoder.Track()
	for i := int64(0); rate.At(i) < media.Time(length); i++ {
		frame, err := device.NewFrame(size)
		require.NoError(t, err)
		pattern.DrawSlate(planes(frame), fmt.Sprint(i+1), "")
		pattern.DrawCounter(planes(frame), i+1)
		unit, err := encoder.Encode(frame, i, i%gop == 0)
		frame.Release()
		require.NoError(t, err)
		c.video = append(c.video, &media.Packet{Track: &track, PTS: rate.At(i), DTS: rate.At(i), Key: unit.Key, Data: unit.Data})
	}
	speaker, err := audio.NewEncoder("a", audio.AAC(128_000), 1, 0)
	require.NoError(t, err)
	defer speaker.Close()
	for at := int64(0); at < int64(length)*audio.Hz/int64(time.Second); at += 1600 {
		block := audio.NewBlock(1600)
		for i := range block[0] {
			v := float32(0.25 * math.Sin(2*math.Pi*hz*float64(at+int64(i))/audio.Hz))
			block[0][i], block[1][i] = v, v
		}
		require.NoError(t, speaker.Write(block, func(i int64, data []byte) {
			pts := media.TimeOfTicks(i*audio.AACUnit, audio.Hz)
			c.sound = append(c.sound, &media.Packet{Track: speaker.Track(), PTS: pts, DTS: pts, Key: true, Data: data})
		}))
	}
	return c
}

// shifted are packets that begin at an instant of the channel, on a track.
func shifted(packets []*media.Packet, begin media.Time, track *media.Track) []*media.Packet {
	moved := make([]*media.Packet, len(packets))
	for i, p := range packets {
		c := *p
		c.PTS, c.DTS = begin.Add(time.Duration(p.PTS)), begin.Add(time.Duration(p.DTS))
		if track != nil {
			c.Track = track
		}
		moved[i] = &c
	}
	return moved
}

// feed writes packets to a source, each so long before its time, until the
// test's end.
func (s *studio) feed(source string, packets []*media.Packet, ahead time.Duration) {
	go func() {
		for _, p := range packets {
			if s.clock.SleepUntil(s.t.Context(), p.PTS.Add(-ahead)) != nil {
				return
			}
			p.Stamp = s.clock.Now()
			s.engine.Packet(source, p)
		}
	}()
}
