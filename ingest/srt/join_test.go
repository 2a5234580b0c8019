//go:build cgo

package srt

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/machinetest"
	"millrace/internal/media"
)

// sound keeps the audio that it is given.
type sound struct {
	mu      sync.Mutex
	packets []*media.Packet
}

func (s *sound) Write(p *media.Packet) {
	if p.Track.Kind != media.Audio {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packets = append(s.packets, p)
}

func (s *sound) list() []*media.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*media.Packet(nil), s.packets...)
}

// FFmpeg packs up to 0.35 s of quiet sound into one PES packet, less into the
// first: neither tears a hole, and nothing is heard to glide.
func TestFFmpegJoinsWithoutAHole(t *testing.T) {
	t.Parallel()
	machinetest.InTime(t, standstill, joinWithoutAHole)
}

func joinWithoutAHole(t *testing.T) func(t *testing.T) {
	r := start(t)
	address, _ := r.serve(t)
	heard := &sound{}
	defer r.sources["cam1"].Subscribe(heard)()
	publish(t, "srt://"+address+"?streamid="+key,
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "1")
	const frame, length = 1024 * time.Second / 48000, 6 * time.Second
	require.Eventually(t, func() bool {
		list := heard.list()
		return len(list) > 0 && list[len(list)-1].PTS.Sub(list[0].PTS) > length
	}, 30*time.Second, 50*time.Millisecond)
	return func(t *testing.T) {
		list := heard.list()
		for i, p := range list[1:] {
			step := p.PTS.Sub(list[i].PTS)
			require.InDelta(t, frame, step, float64(time.Millisecond), "frame %d: %v after the last", i+1, step)
		}
	}
}

// standstill is how long the machine may run nothing before a publisher on it comes late.
const standstill = 100 * time.Millisecond
