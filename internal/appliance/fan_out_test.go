package appliance

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// heard keeps what a sink got, by track.
type heard map[string]int

func (h heard) Write(p *media.Packet) { h[p.Track.ID]++ }

func TestFanOut(t *testing.T) {
	video := &media.Packet{Track: &media.Track{ID: "v720", Codec: media.H264}}
	audio := &media.Packet{Track: &media.Track{ID: "audio", Codec: media.AAC}}
	opus := &media.Packet{Track: &media.Track{ID: "opus", Codec: media.Opus}}
	var program fanOut
	program.Write(video) // to nobody
	stored, all, late := heard{}, heard{}, heard{}
	program.add(stored, packaged)
	remove := program.add(all, nil)
	for _, p := range []*media.Packet{video, audio, opus, opus} {
		program.Write(p)
	}
	remove()
	remove() // a second time does nothing
	program.add(late, func(track *media.Track) bool { return track.ID == "opus" })
	for _, p := range []*media.Packet{video, audio, opus} {
		program.Write(p)
	}
	require.Equal(t, heard{"v720": 2, "audio": 2}, stored)
	require.Equal(t, heard{"v720": 1, "audio": 1, "opus": 2}, all)
	require.Equal(t, heard{"opus": 1}, late)
}

// TestFanOutUnderChange: sinks that come and go while packets pass cost the
// others nothing, and get nothing once they are removed.
func TestFanOutUnderChange(t *testing.T) {
	packet := &media.Packet{Track: &media.Track{ID: "v", Codec: media.H264}}
	var program fanOut
	stays := heard{}
	program.add(stays, nil)
	const rounds = 1000
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range rounds {
				got := heard{} // unguarded: a write after remove is a race
				program.add(got, nil)()
				got["removed"]++
			}
		})
	}
	for range rounds {
		program.Write(packet)
	}
	all.Wait()
	require.Equal(t, rounds, stays["v"])
}
