package worker

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// begin lets the attached worker begin a return with its next frame.
func (s *stage) begin(stream uint32, source string) {
	s.t.Helper()
	first := OpusGrid.First(s.rate, s.frame)
	s.witness.expect(ReturnID(source), first)
	require.NoError(s.t, s.continuity.Begin(&Begin{Stream: stream, First: first, Rendition: fakeReturn(source)}))
	s.encoders.begin(stream, OpusGrid, s.frame)
}

func (s *stage) end(stream uint32, source string) {
	s.t.Helper()
	s.encoders.end(stream)
	require.NoError(s.t, s.continuity.End(stream))
	s.witness.over(ReturnID(source))
}

// A return comes and goes on air; nothing else is touched, and no unit of it
// is missing or made up.
func TestReturnsComeAndGo(t *testing.T) {
	atEveryRate(t, func(s *stage) {
		s.attach()
		s.work(20)
		s.begin(4, "cam1")
		s.work(33)
		s.begin(5, "cam2")
		s.work(50)
		s.end(4, "cam1")
		s.work(10)
		s.begin(6, "cam1") // again, as a stream of its own
		s.work(50)
		next, filler, _ := s.witness.state()
		require.Empty(t, filler)
		for _, id := range []string{"return-cam1", "return-cam2"} {
			require.Equal(t, next["opus"], next[id])
		}
	})
}

// A worker dies with returns on air. Silence stands in; the next worker's own
// list says which go on, which are over and which begin.
func TestReturnsOutliveTheirWorker(t *testing.T) {
	atEveryRate(t, func(s *stage) {
		s.attach()
		s.work(10)
		s.begin(4, "stays")
		s.begin(5, "leaves")
		s.work(10)
		s.begin(6, "unheard") // no packet of it yet
		died := s.frame
		s.continuity.Detach()
		s.wait(died + 30)
		next, filler, _ := s.witness.state()
		require.Len(t, filler["return-stays"], len(filler["opus"]))
		require.Equal(t, next["opus"], next["return-stays"])
		require.Equal(t, next["opus"], next["return-leaves"])
		require.Equal(t, next["opus"], next["return-unheard"])

		s.witness.over("return-leaves")
		s.witness.over("return-unheard")
		s.witness.expect("return-new", OpusGrid.First(s.rate, s.rate.Index(s.clock.Now())+startLead))
		s.attach("new", "stays")
		s.witness.expect("return-new", OpusGrid.First(s.rate, s.frame)) // nothing was due before
		s.work(60)
		next, filler, _ = s.witness.state()
		require.Empty(t, filler["return-new"])
		require.Equal(t, next["opus"], next["return-stays"])
		require.Equal(t, next["opus"], next["return-new"])
		require.Contains(t, s.continuity.Filled(), "return-stays")
		require.NotContains(t, s.continuity.Filled(), "return-leaves")
	})
}

// The first worker may have returns already.
func TestFirstWorkerWithReturns(t *testing.T) {
	onStage(t, rate30, func(s *stage) {
		s.witness.expect("return-cam1", OpusGrid.First(s.rate, s.first))
		s.attach("cam1")
		s.work(40)
		s.end(4, "cam1")
		s.work(40)
		_, filler, _ := s.witness.state()
		require.Empty(t, filler)
	})
}

// A return that was announced and gives nothing is as overdue as any other.
func TestOverdueSeesAReturn(t *testing.T) {
	onStage(t, rate30, func(s *stage) {
		s.attach()
		s.work(50)
		s.begin(4, "cam1")
		s.encoders.end(4)
		s.work(28)
		require.NoError(t, s.continuity.Overdue(time.Second))
		s.work(4)
		require.ErrorContains(t, s.continuity.Overdue(time.Second), `"return-cam1"`)
	})
}

func TestReturnsThatBreakTheTimeline(t *testing.T) {
	begin := func(change func(*Begin)) func(s *stage) error {
		return func(s *stage) error {
			b := &Begin{Stream: 5, First: OpusGrid.First(s.rate, s.frame), Rendition: fakeReturn("new")}
			change(b)
			return s.continuity.Begin(b)
		}
	}
	tests := []struct {
		name  string
		fault func(s *stage) error
	}{
		{"a stream that is taken", begin(func(b *Begin) { b.Stream = 4 })},
		{"a stream of the program", begin(func(b *Begin) { b.Stream = 0 })},
		{"an id that is taken", begin(func(b *Begin) { b.Rendition = fakeReturn("cam1") })},
		{"an id of the program", begin(func(b *Begin) { b.Rendition.ID = "v1" })},
		{"not a return", begin(func(b *Begin) { b.Rendition.Return = "" })},
		{"the name of another", begin(func(b *Begin) { b.Rendition.ID = ReturnID("other") })},
		{"the track of another", begin(func(b *Begin) { b.Rendition.Track.ID = "v1" })},
		{"another codec", begin(func(b *Begin) { b.Rendition.Track.Codec = "vorbis" })},
		{"far ahead", begin(func(b *Begin) { b.First += 100 })},
		{"long ago", begin(func(b *Begin) { b.First -= 50 * 60 })},
		{"before the epoch", begin(func(b *Begin) { b.First = -1 })},
		{"beyond time", begin(func(b *Begin) { b.First = 1 << 62 })},
		{"end of a rendition of the program", func(s *stage) error { return s.continuity.End(3) }},
		{"end of nothing", func(s *stage) error { return s.continuity.End(9) }},
		{"a packet after the end", func(s *stage) error {
			s.witness.over("return-cam1")
			if err := s.continuity.End(4); err != nil {
				return nil
			}
			return s.encoders.tick(s.frame, s.write)
		}},
		{"again before its end", func(s *stage) error {
			s.end(4, "cam1")
			return begin(func(b *Begin) { b.First -= 25 })(s)
		}},
		{"one that skips", func(s *stage) error {
			s.encoders.sounds[2].next++
			return s.encoders.tick(s.frame+1, s.write)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, rate30, func(s *stage) {
				s.attach()
				s.work(30)
				s.begin(4, "cam1")
				s.work(30)
				require.ErrorIs(t, test.fault(s), ErrContinuity)
			})
		})
	}
	onStage(t, rate30, func(s *stage) {
		require.ErrorIs(t, s.continuity.Begin(&Begin{}), ErrContinuity, "without a worker")
		require.ErrorIs(t, s.continuity.End(0), ErrContinuity)
		renditions := append(fakeRenditions(rate30, testGOP), fakeReturn("a"))
		renditions[len(renditions)-1].Return = ""
		require.ErrorIs(t, s.continuity.Compatible(renditions), ErrContinuity)
		require.ErrorIs(t, s.continuity.Compatible(renditions[:3]), ErrContinuity)
	})
}

// Workers and returns come and go at random.
func TestFlappingReturns(t *testing.T) {
	sources := []string{"a", "b", "c"}
	for seed := range uint64(20) {
		onStage(t, testRates[seed%3], func(s *stage) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			for range 15 {
				on := map[string]uint32{}
				s.attach()
				for _, source := range sources {
					s.witness.over(ReturnID(source))
				}
				stream := uint32(4)
				for range rnd.IntN(12) {
					s.work(rnd.IntN(30))
					source := sources[rnd.IntN(len(sources))]
					if number, here := on[source]; here {
						s.end(number, source)
						delete(on, source)
					} else {
						s.begin(stream, source)
						on[source] = stream
						stream++
					}
				}
				s.continuity.Detach()
				if pause := rnd.Int64N(3) * rnd.Int64N(60); pause > 0 {
					s.wait(s.rate.Index(s.clock.Now()) + pause)
				}
			}
		})
	}
}
