package ingest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

const (
	unitSpan = 1024 * time.Second / 48000
	picSpan  = 40 * time.Millisecond
)

// publishPacked sends pictures in real time, and sound in packs of as many
// units as the sizes say, the last size going on.
func publishPacked(session Session, length time.Duration, sizes ...int) {
	sent, due := 0, time.Duration(0)
	for at := time.Duration(0); at < length; at += 5 * time.Millisecond {
		if at%picSpan == 0 {
			session.Write(AccessUnit{Track: testVideo, PTS: at, DTS: at, Key: at%time.Second == 0, Data: []byte{1}})
		}
		if due = time.Duration(sent+sizes[0]) * unitSpan; at >= due {
			for i := range sizes[0] {
				dts := time.Duration(sent+i) * unitSpan
				session.Write(AccessUnit{Track: testAudio, PTS: dts, DTS: dts, Key: true, Data: []byte{2},
					Wait: time.Duration(sizes[0]-1-i) * unitSpan})
			}
			sent += sizes[0]
			sizes = sizes[min(1, len(sizes)-1):]
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A first pack that is shorter than those after it tears no hole, and packs
// that grow a little later are not heard to glide.
func TestSoundJoinsInOnePiece(t *testing.T) {
	for name, sizes := range map[string][]int{
		"one by one":        {1},
		"short first pack":  {3, 16},
		"packs that differ": {5, 15, 14, 16, 15, 17, 16},
	} {
		t.Run(name, func(t *testing.T) {
			withSource(t, func(t *testing.T, source *Source, _ *states) {
				session, err := source.Connect("srt", "a")
				require.NoError(t, err)
				sink := &collector{}
				defer source.Subscribe(sink)()
				publishPacked(session, 8*time.Second, sizes...)
				var last *media.Packet
				count := 0
				for _, p := range sink.list() {
					if p.Track.Kind != media.Audio {
						continue
					}
					if count++; last != nil {
						step := p.PTS.Sub(last.PTS)
						require.InDelta(t, unitSpan, step, float64(unitSpan)*gentleSlew*1.01, "unit %d: %v", count, step)
					}
					last = p
				}
				require.Greater(t, count, 350)
				require.Zero(t, source.State().LateAudio)
			})
		})
	}
}

// What is kept back at a join is not lost when the publisher goes.
func TestSoundOfAShortVisitIsLetOut(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, _ *states) {
		session, err := source.Connect("srt", "a")
		require.NoError(t, err)
		sink := &collector{}
		defer source.Subscribe(sink)()
		send(session, 0, 200*time.Millisecond, false, true)
		require.Empty(t, sink.list())
		session.Close(nil)
		require.Len(t, sink.list(), 10)
	})
}

func TestLateMediaIsCounted(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, _ *states) {
		session, err := source.Connect("srt", "a")
		require.NoError(t, err)
		send(session, 0, 5*time.Second, true, true)
		require.Zero(t, source.State().LateAudio)
		require.Zero(t, source.State().LateVideo)
		time.Sleep(time.Second) // the network stalls, and goes on where it was
		send(session, 5*time.Second, 200*time.Millisecond, true, true)
		require.Equal(t, uint64(10), source.State().LateAudio)
		require.Equal(t, uint64(5), source.State().LateVideo)
	})
}
