package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// stage is a Continuity under test with its witness, in a bubble of fake time.
type stage struct {
	t          *testing.T
	clock      *media.Clock
	rate       media.Rate
	gop        int64
	first      int64
	continuity *Continuity
	witness    *witness
	encoders   *fakeEncoders
	frame      int64 // next of the worker
}

const testGOP = 48

// onStage runs play on a channel whose timeline begins at the first GOP
// boundary at least one second ahead.
func onStage(t *testing.T, rate media.Rate, play func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, clock: media.StartClock(), rate: rate, gop: testGOP}
		s.first = (s.frameNow()/s.gop + 2) * s.gop
		s.witness = newWitness(s.clock, rate, s.gop, s.first)
		var err error
		s.continuity, err = NewContinuity(ContinuityConfig{
			Clock: s.clock, Rate: rate, GOPFrames: s.gop, Renditions: fakeRenditions(rate, s.gop), FirstFrame: s.first, Sink: s.witness,
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.continuity.Run(ctx) }()
		defer cancel()
		play(s)
		s.check()
		cancel()
		require.NoError(t, <-done)
	})
}

func (s *stage) frameNow() int64 { return s.rate.Index(s.clock.Now()) }

// attach brings a worker with these returns.
func (s *stage) attach(returns ...string) {
	s.t.Helper()
	renditions := fakeRenditions(s.rate, s.gop)
	for _, source := range returns {
		renditions = append(renditions, fakeReturn(source))
	}
	require.NoError(s.t, s.continuity.Compatible(renditions))
	s.frame = s.continuity.Attach(renditions, nil)
	s.encoders = newFakeEncoders(s.rate, s.gop, s.frame)
	for i := range returns {
		s.encoders.begin(uint32(4+i), OpusGrid, s.frame)
	}
}

// work lets the worker do that many ticks on time.
func (s *stage) work(ticks int) {
	for range ticks {
		require.NoError(s.t, s.clock.SleepUntil(s.t.Context(), s.rate.At(s.frame)))
		require.NoError(s.t, s.encoders.tick(s.frame, s.write))
		s.frame++
	}
}

// workUntil works up to and with frame n.
func (s *stage) workUntil(n int64) { s.work(int(n - s.frame + 1)) }

func (s *stage) write(p *StreamPacket) error { return s.continuity.Write(p.Stream, p.Packet) }

// wait passes time until frame n is due and Run has done what it does.
func (s *stage) wait(n int64) {
	require.NoError(s.t, s.clock.SleepUntil(s.t.Context(), s.rate.At(n)))
	synctest.Wait()
}

func (s *stage) check() {
	s.t.Helper()
	_, _, faults := s.witness.state()
	require.Empty(s.t, faults)
}

func (s *stage) requireFiller(id string, from, to int64) {
	s.t.Helper()
	_, filler, _ := s.witness.state()
	var want []int64
	for n := from; n <= to; n++ {
		want = append(want, n)
	}
	require.Equal(s.t, want, filler[id], id)
}

var testRates = []media.Rate{{Num: 30, Den: 1}, {Num: 24000, Den: 1001}, {Num: 60, Den: 1}}

func atEveryRate(t *testing.T, play func(s *stage)) {
	for _, rate := range testRates {
		t.Run(rate.String(), func(t *testing.T) { onStage(t, rate, play) })
	}
}

func TestFirstWorkerBeginsTheTimelineWithoutFiller(t *testing.T) {
	atEveryRate(t, func(s *stage) {
		s.attach()
		require.Equal(t, s.first, s.frame)
		s.work(200)
		next, filler, _ := s.witness.state()
		require.Empty(t, filler)
		require.Equal(t, s.first+200, next["v1"])
		require.InDelta(t, s.rate.Samples(s.first+200, AudioHz)/int64(AACGrid), next["audio"], 1)
		require.InDelta(t, s.rate.Samples(s.first+200, AudioHz)/int64(OpusGrid), next["opus"], 1)
	})
}

// The worker dies at every place of a GOP, and a new one comes after that many
// ticks.
func TestFillerBridgesWorkers(t *testing.T) {
	for _, died := range []int64{0, 1, 2, 20, testGOP - 2, testGOP - 1, testGOP, testGOP + 1} {
		for _, away := range []int64{0, 1, 2, 10, testGOP - 3, testGOP - 2, testGOP - 1, testGOP, testGOP + 1, 5 * testGOP} {
			t.Run(fmt.Sprintf("after %d for %d", died, away), func(t *testing.T) {
				onStage(t, rate30, func(s *stage) {
					s.attach()
					last := s.first + died
					s.workUntil(last)
					s.continuity.Detach()
					s.wait(last + away)
					s.requireFiller("v1", last+1, last+away)
					s.attach()
					require.GreaterOrEqual(t, s.frame, last+away+startLead)
					start := s.frame
					s.work(2 * testGOP)
					s.requireFiller("v1", last+1, start-1)
					s.requireFiller("v2", last+1, start-1)
				})
			})
		}
	}
}

// A worker that was ahead of the clock dies right after an IDR; the next one
// is ready at once. Their IDRs must not meet.
func TestWorkersDoNotMeetAtIDRs(t *testing.T) {
	for ahead := range int64(20) {
		for gops := range int64(2) { // the last idr_pic_id is 0 or 1
			onStage(t, rate30, func(s *stage) {
				s.attach()
				s.work(1)
				s.wait(s.first + gops*testGOP + testGOP - ahead)
				for s.frame <= s.first+gops*testGOP+testGOP {
					require.NoError(s.t, s.encoders.tick(s.frame, s.write))
					s.frame++
				}
				s.continuity.Detach()
				s.attach()
				s.work(100)
			})
		}
	}
}

func TestFillerIsWrittenWhenDue(t *testing.T) {
	atEveryRate(t, func(s *stage) {
		s.attach()
		s.work(10)
		s.continuity.Detach()
		for n := s.frame; n < s.frame+3*testGOP; n++ {
			s.wait(n)
			next, _, _ := s.witness.state()
			require.Equal(t, n+1, next["v1"])
			// Audio is never a whole access unit behind, nor ahead.
			require.InDelta(t, float64(s.rate.At(n)), float64(AACGrid.At(next["audio"]-1)), float64(22*time.Millisecond))
			require.InDelta(t, float64(s.rate.At(n)), float64(OpusGrid.At(next["opus"]-1)), float64(20*time.Millisecond))
		}
	})
}

// The worker dies when one rung has a frame that the other has not.
func TestEachRenditionGoesOnFromItsOwnNext(t *testing.T) {
	onStage(t, rate30, func(s *stage) {
		s.attach()
		s.work(10)
		frames := 0
		err := s.encoders.tick(s.frame, func(p *StreamPacket) error {
			if frames++; frames > 1 {
				return context.Canceled
			}
			return s.write(p)
		})
		require.ErrorIs(t, err, context.Canceled)
		s.continuity.Detach()
		s.wait(s.frame + 5)
		s.requireFiller("v2", s.frame+1, s.frame+5)
		s.requireFiller("v1", s.frame, s.frame+5)
		s.attach()
		s.work(100)
	})
}

// A worker that lives may be late: nothing is put in its place.
func TestNoFillerWhileAWorkerLives(t *testing.T) {
	onStage(t, rate30, func(s *stage) {
		s.attach()
		s.work(10)
		require.NoError(t, s.continuity.Overdue(time.Second))
		s.wait(s.frame + 20)
		require.NoError(t, s.continuity.Overdue(time.Second))
		s.wait(s.frame + 40)
		require.ErrorIs(t, s.continuity.Overdue(time.Second), ErrContinuity)
		_, filler, _ := s.witness.state()
		require.Empty(t, filler)
		s.work(100) // catches up
		require.NoError(t, s.continuity.Overdue(time.Second))

		// Now it hangs and is killed: all that is due comes at once.
		hung := s.frame
		s.wait(hung + 40)
		s.continuity.Detach()
		synctest.Wait()
		s.requireFiller("v1", hung, hung+40)
	})
}

// A worker dies between ready and its first frame; the next hangs there.
func TestDeathDuringStart(t *testing.T) {
	onStage(t, rate30, func(s *stage) {
		s.attach()
		s.wait(s.first - 1)
		s.continuity.Detach() // before the timeline began
		s.wait(s.first + 3)
		s.requireFiller("v1", s.first, s.first+3)

		s.attach()
		hung := s.frame
		s.wait(hung + 20)
		s.requireFiller("v1", s.first, hung-1)
		require.NoError(t, s.continuity.Overdue(time.Second))
		s.wait(hung + 31)
		require.ErrorIs(t, s.continuity.Overdue(time.Second), ErrContinuity)
		s.continuity.Detach()
		s.attach()
		start := s.frame
		s.work(100)
		s.requireFiller("v1", s.first, start-1)
	})
}

func TestOverdueKnowsThatNothingIsDueBeforeTheStart(t *testing.T) {
	onStage(t, rate30, func(s *stage) {
		s.attach()
		s.wait(s.first + 29)
		require.NoError(t, s.continuity.Overdue(time.Second))
		s.wait(s.first + 31)
		require.Error(t, s.continuity.Overdue(time.Second))
	})
}

// One rendition that stops is enough to be overdue.
func TestOverdueSeesASingleRendition(t *testing.T) {
	onStage(t, rate30, func(s *stage) {
		s.attach()
		s.work(10)
		for range 40 {
			require.NoError(t, s.clock.SleepUntil(s.t.Context(), s.rate.At(s.frame)))
			require.NoError(t, s.encoders.tick(s.frame, func(p *StreamPacket) error {
				if p.Stream == 2 {
					return nil
				}
				return s.write(p)
			}))
			s.frame++
		}
		require.ErrorContains(t, s.continuity.Overdue(time.Second), `"audio"`)
	})
}

// Workers come and go at random, also before they did anything.
func TestFlappingWorkers(t *testing.T) {
	for seed := range uint64(30) {
		onStage(t, testRates[seed%3], func(s *stage) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			for range 40 {
				s.attach()
				s.work(rnd.IntN(4) * rnd.IntN(40))
				// The last tick may be cut anywhere.
				left := rnd.IntN(5)
				_ = s.encoders.tick(s.frame, func(p *StreamPacket) error {
					if left--; left < 0 || s.frameNow() < s.frame {
						return context.Canceled
					}
					return s.write(p)
				})
				s.continuity.Detach()
				if pause := rnd.Int64N(3) * rnd.Int64N(60); pause > 0 {
					s.wait(s.frameNow() + pause)
				}
			}
			next, _, _ := s.witness.state()
			require.Greater(t, next["v1"], s.first+40)
		})
	}
}

// An audio encoder may give access units from before its start; they are not
// on the timeline. One that begins a little late is met with silence.
func TestAudioPriming(t *testing.T) {
	for _, shift := range []int64{-3, -1, 1, 5} {
		onStage(t, rate30, func(s *stage) {
			s.attach()
			s.encoders.sounds[0].next += shift
			s.encoders.sounds[1].next += 2 * shift
			s.work(60)
			_, filler, _ := s.witness.state()
			require.Len(t, filler["audio"], int(max(shift, 0)))
			require.Len(t, filler["opus"], int(max(2*shift, 0)))
		})
	}
	onStage(t, rate30, func(s *stage) {
		s.attach()
		s.wait(s.frame)
		at := AACGrid.At(AACGrid.First(rate30, s.frame+40))
		require.ErrorIs(t, s.continuity.Write(2, &media.Packet{PTS: at, DTS: at, Data: []byte{1}}), ErrContinuity)
	})
}
