package rtmp

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
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

// From its first sample on the sound of a publisher keeps its pitch.
func TestFFmpegJoinsInPitch(t *testing.T) {
	t.Parallel()
	machinetest.InTime(t, standstill, joinInPitch)
}

func joinInPitch(t *testing.T) func(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	source := ingest.NewSource(ingest.SourceConfig{ID: "cam1", Latency: 200 * time.Millisecond, Clock: media.StartClock()})
	run(t, New(Config{Listener: listener, Accept: func(Request) (ingest.Session, error) { return source.Connect("rtmp", "") }}))
	heard := &sound{}
	defer source.Subscribe(heard)()
	publish(t, testPicture+testSound+asH264+"-c:a aac -t 9", "rtmp://"+listener.Addr().String()+"/live/"+goodKey)
	require.Eventually(t, func() bool {
		list := heard.list()
		return len(list) > 0 && list[len(list)-1].PTS.Sub(list[0].PTS) > 8*time.Second
	}, 30*time.Second, 50*time.Millisecond)
	return func(t *testing.T) {
		const frame, span = 1024 * time.Second / 48000, 47 // about a second
		list := heard.list()
		for i := 0; i+span < len(list) && i < 370; i += span {
			took := list[i+span].PTS.Sub(list[i].PTS)
			// 1 ms a second, and what FLV rounds to milliseconds.
			require.InDelta(t, span*frame, took, float64(2*time.Millisecond+time.Millisecond/10), "from frame %d", i)
		}
	}
}

// standstill is how long the machine may run nothing before a publisher on it comes late.
const standstill = 100 * time.Millisecond
