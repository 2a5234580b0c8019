package engine

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// inBand is the level of a frequency in what a ring holds between two
// instants, in dBFS, by Goertzel's algorithm under a Hann window.
func inBand(ring *audio.Ring, hz float64, from, to media.Time) float64 {
	first := from.Ticks(audio.Hz)
	block := audio.NewBlock(int(to.Ticks(audio.Hz) - first))
	ring.Read(first, block)
	n := float64(block.Len())
	w := 2 * math.Pi * hz / audio.Hz
	var a, b float64
	for i, v := range block[0] {
		if v != v {
			v = 0
		}
		hann := 1 - math.Cos(2*math.Pi*float64(i)/n)
		a, b = float64(v)*hann+2*math.Cos(w)*a-b, a
	}
	return 20 * math.Log10(2*math.Sqrt(a*a+b*b-2*math.Cos(w)*a*b)/n)
}

// guestShow has three guests that only sound and a test source, all heard.
func guestShow(returns ...string) worker.Show {
	show := testShow("30")
	show.Sources = show.Sources[:1]
	show.Sources[0].Test.ToneHz = 0
	for _, id := range []string{"g1", "g2", "g3"} {
		source := worker.Source{ID: id, Kind: worker.Push, Audio: worker.AudioSettings{Mode: worker.AudioOn}}
		for _, asks := range returns {
			source.Return = source.Return || asks == id
		}
		show.Sources = append(show.Sources, source)
	}
	show.Scenes = []scene.Scene{{ID: "one", Layout: "solo", Slots: []string{"a"}}}
	show.Program = "one"
	return show
}

// guests are the tones of g1 to g3, each -12 dBFS.
func guests() map[string]float64 { return map[string]float64{"g1": 440, "g2": 700, "g3": 1250} }

func (s *studio) guestsSpeak(t *testing.T, length time.Duration) {
	for id, hz := range guests() {
		shot := film(t, cameraSize, media.Rate{Num: 1, Den: 1}, length, 1, hz)
		s.feed(id, shifted(shot.sound, noon, nil), 150*time.Millisecond)
	}
}

// TestNobodyHearsHimself: with the others as loud as he, a guest is at least
// 60 dB weaker in his return than in the program, and the others are as loud.
func TestNobodyHearsHimself(t *testing.T) {
	for _, asks := range [][]string{{"g1"}, {"g1", "g2"}, {"g1", "g2", "g3"}} {
		s := inStudio(t, guestShow(asks...), func(t *testing.T, s *studio) {
			s.guestsSpeak(t, 4*time.Second)
			s.until(s.first + 115)
		})
		from, to := noon.Add(800*time.Millisecond), noon.Add(3600*time.Millisecond)
		program, _ := s.listen(t, 2)
		for i, own := range asks {
			require.Equal(t, "return-"+own, s.packets[3+i][0].Track.ID)
			heard, _ := s.listen(t, 3+i)
			for id, hz := range guests() {
				inProgram, inReturn := inBand(program, hz, from, to), inBand(heard, hz, from, to)
				require.InDelta(t, -12, inProgram, 0.5)
				if id != own {
					require.InDelta(t, inProgram, inReturn, 0.5, "%s of %v hears %s", own, asks, id)
					continue
				}
				t.Logf("%s of %v: %.1f dB in the program, %.1f dB in his return", own, asks, inProgram, inReturn)
				require.Less(t, inReturn-inProgram, -60.0, "%s of %v hears himself", own, asks)
			}
		}
	}
}

// TestReturnsComeAndGoOnAir: each begins on the tick of the command that asks
// for it, is whole from there to its end, and no other rendition has a seam.
func TestReturnsComeAndGoOnAir(t *testing.T) {
	type span struct {
		stream      int
		source      string
		first, last int64 // frames, since the channel's first
	}
	spans := []span{{3, "g2", 0, 40}, {4, "g1", 20, 70}, {5, "g3", 40, 1000}, {6, "g2", 90, 1000}}
	asks := func(frame int64) (sources []string) {
		for _, span := range spans {
			if span.first <= frame && frame < span.last {
				sources = append(sources, span.source)
			}
		}
		return sources
	}
	s := inStudio(t, guestShow(asks(0)...), func(t *testing.T, s *studio) {
		s.guestsSpeak(t, 5*time.Second)
		for _, at := range []int64{20, 40, 70, 90} {
			show := guestShow(asks(at)...)
			ack := s.do(worker.Command{At: s.first + at, Show: &show})
			require.Empty(t, ack.Error)
			require.Equal(t, s.first+at, ack.Frame)
		}
		s.until(s.first + 130)
	})
	begins, ends := map[uint32]*worker.Begin{}, []uint32{}
	for _, m := range s.announced {
		switch m := m.(type) {
		case *worker.Begin:
			require.NotContains(t, begins, m.Stream)
			begins[m.Stream] = m
		case *worker.End:
			ends = append(ends, m.Stream)
		}
	}
	require.Len(t, begins, 3, "g2's first return stood in Ready")
	require.Equal(t, []uint32{3, 4}, ends)
	for _, span := range spans {
		packets := s.packets[span.stream]
		first := worker.OpusGrid.First(s.rate, s.first+span.first)
		if begin := begins[uint32(span.stream)]; begin != nil {
			require.Equal(t, first, begin.First)
			require.Equal(t, span.source, begin.Rendition.Return)
			require.Equal(t, begin.Rendition.Track, packets[0].Track)
		}
		require.Equal(t, worker.ReturnID(span.source), packets[0].Track.ID)
		listen(t, packets, func(worker.AudioGrid) int64 { return first })
		last := packets[len(packets)-1].PTS.Add(20 * time.Millisecond)
		require.InDelta(t, float64(s.rate.At(s.first+min(span.last, 130))), float64(last), float64(60*time.Millisecond))
	}
	require.Len(t, s.packets, 3+len(spans))
	s.watch(t, 0)
	for rendition := 1; rendition <= 2; rendition++ { // the program never changed
		ring, _ := s.listen(t, rendition)
		for at := 600 * time.Millisecond; at < 4*time.Second; at += 200 * time.Millisecond {
			for _, hz := range guests() {
				require.InDelta(t, -12, inBand(ring, hz, noon.Add(at), noon.Add(at+200*time.Millisecond)), 0.5, "at %v", at)
			}
		}
	}
}

// TestAReturnIsLimitedByItself: a guest who shouts brings the program's gain
// down, and not what he hears of the others.
func TestAReturnIsLimitedByItself(t *testing.T) {
	show := guestShow("g1")
	show.Sources[1].Audio.GainDB = 30
	show.Sources[3].Audio.Mute = true
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		s.guestsSpeak(t, 3*time.Second)
		s.until(s.first + 80)
	})
	from, to := noon.Add(800*time.Millisecond), noon.Add(2500*time.Millisecond)
	program, _ := s.listen(t, 2)
	heard, _ := s.listen(t, 3)
	require.Less(t, inBand(program, 700, from, to), -25.0)
	require.InDelta(t, -12, inBand(heard, 700, from, to), 0.5)
	require.Less(t, inBand(heard, 1250, from, to), -70.0, "a muted guest is in no return either")
}

func TestAShowWithASourceTwiceIsRefused(t *testing.T) {
	inStudio(t, guestShow(), func(t *testing.T, s *studio) {
		show := guestShow()
		show.Sources = append(show.Sources, show.Sources[1])
		require.Equal(t, worker.AckInvalid, s.do(worker.Command{Show: &show}).Code)
	})
}
