package engine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
)

// spokenUnits are the Opus packets of a sine, unit i at i*20 ms.
func spokenUnits(t *testing.T, length time.Duration, hz float64) []*media.Packet {
	encoder, err := audio.NewEncoder("guest", audio.Opus(96_000), 1, 0)
	require.NoError(t, err)
	defer encoder.Close()
	var units []*media.Packet
	for at := int64(0); at < int64(length)*audio.Hz/int64(time.Second); at += 1600 {
		block := audio.NewBlock(1600)
		for i := range block[0] {
			v := float32(0.25 * math.Sin(2*math.Pi*hz*float64(at+int64(i))/audio.Hz))
			block[0][i], block[1][i] = v, v
		}
		require.NoError(t, encoder.Write(block, func(i int64, data []byte) {
			units = append(units, &media.Packet{Track: encoder.Track(), PTS: media.TimeOfTicks(i*audio.OpusUnit, audio.Hz), Key: true, Data: data})
		}))
	}
	return units
}

// sending is an access unit on its way.
type sending struct {
	ingest.AccessUnit
	arrival media.Time
}

// onTheirWay are access units of one track, in order: ready is when after its
// time one can be sent, delay what the network adds.
func onTheirWay(begin media.Time, packets []*media.Packet, ready time.Duration, delay func() time.Duration) []sending {
	var all []sending
	var newest media.Time
	for _, p := range packets {
		captured := time.Duration(p.PTS)
		newest = max(newest, begin.Add(captured+ready+delay()))
		all = append(all, sending{ingest.AccessUnit{Track: p.Track, PTS: captured, DTS: captured, Key: p.Key, Data: p.Data}, newest})
	}
	return all
}

// broken lists the spans of 10 ms, by their begin, in which a tone is not heard
// as it was sent.
func broken(ring *audio.Ring, hz float64, from, to media.Time) (spans []time.Duration) {
	const span = 10 * time.Millisecond
	for at := from; at < to; at = at.Add(span) {
		if l := level(ring, hz, at, at.Add(span)); l < 0.2 || l > 0.3 {
			spans = append(spans, at.Sub(from))
		}
	}
	return spans
}

// TestAGuestIsHeardWithoutGaps: what a guest's network delays, his cushion holds
// back for as long as a mixer needs it that takes a tick's sound at once.
func TestAGuestIsHeardWithoutGaps(t *testing.T) {
	const ms, length, settle = time.Millisecond, 12 * time.Second, 4 * time.Second
	const hz = 700
	pictures := film(t, cameraSize, media.Rate{Num: 30, Den: 1}, length, 30, hz).video
	sound := spokenUnits(t, length, hz)
	for _, c := range []struct {
		name     string
		rate     string // of the channel
		pictures bool
		jitter   time.Duration
		most     time.Duration // of the cushion
	}{
		{"a cable", "30", true, 2 * ms, 70 * ms}, // a packet of sound is 20 ms old when it is whole, a picture 5
		{"a cable, sound alone", "24", false, 2 * ms, 50 * ms},
		{"a bad path", "30", true, 80 * ms, 145 * ms},
		{"a bad path, sound alone", "24000/1001", false, 80 * ms, 130 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := noon.Add(200 * ms)
			s := inStudio(t, withSource(testShow(c.rate), "cam"), func(t *testing.T, s *studio) {
				rnd := rand.New(rand.NewPCG(3, 4))
				delay := func() time.Duration { return 15*ms + time.Duration(rnd.Int64N(int64(c.jitter))) }
				units := onTheirWay(begin, sound, 20*ms, delay)
				if c.pictures {
					units = append(units, onTheirWay(begin, pictures, 5*ms, delay)...)
				}
				slices.SortStableFunc(units, func(a, b sending) int { return cmp.Compare(a.arrival, b.arrival) })
				source := ingest.NewSource(ingest.SourceConfig{ID: "cam", Latency: 200 * ms, Clock: s.clock})
				session, err := source.ConnectInteractive("whip", "guest")
				require.NoError(t, err)
				defer source.Subscribe(toEngine{s.engine})()
				for _, u := range units {
					require.NoError(t, s.clock.SleepUntil(t.Context(), u.arrival))
					session.Write(u.AccessUnit)
				}
				require.LessOrEqual(t, source.State().Timeline.Latency, c.most)
				s.until(s.rate.Index(begin.Add(length + 300*ms)))
			})
			ring, _ := s.listen(t, 1)
			require.Empty(t, broken(ring, hz, begin.Add(settle), begin.Add(length)))
		})
	}
}

// toEngine is what comes of the source "cam".
type toEngine struct{ engine *Engine }

func (e toEngine) Write(p *media.Packet) { e.engine.Packet("cam", p) }
