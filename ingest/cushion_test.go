package ingest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wireless is a path whose jitter changes with time.
func wireless(jitter func(c time.Duration) time.Duration) func(*rand.Rand, time.Duration) time.Duration {
	return func(rnd *rand.Rand, c time.Duration) time.Duration {
		return 20*time.Millisecond + time.Duration(rnd.Int64N(int64(jitter(c))))
	}
}

func (f feed) interactive(t *testing.T, most time.Duration) ([]sample, *Timeline) {
	t.Helper()
	samples, _ := f.run(t, most)
	timeline := NewTimeline(most)
	timeline.Adapt(true)
	timeline.Sound("a")
	for i := range samples {
		s := &samples[i]
		s.outPTS, s.outDTS = timeline.Map(map[bool]string{true: "v", false: "a"}[s.video], s.pts, s.dts, s.arrival)
	}
	requireAscending(t, samples)
	return samples, timeline
}

// tooLate counts what was captured in [from, to) and came too late: pictures
// after their time, sound after a mixer has taken it.
func tooLate(samples []sample, from, to time.Duration) (pictures, sound int) {
	for _, s := range samples {
		switch early := s.outPTS.Sub(s.arrival); {
		case s.captured < from || s.captured >= to:
		case s.video && early < 0:
			pictures++
		case !s.video && early < time.Second/24:
			sound++
		}
	}
	return pictures, sound
}

func TestTheCushionFollowsTheNetwork(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name        string
		jitter      func(c time.Duration) time.Duration
		most        time.Duration
		least, upto time.Duration // of the latency at the end
		late        int           // units of sound
	}{
		{"a cable", func(time.Duration) time.Duration { return 2 * ms }, 200 * ms, 45 * ms, 50 * ms, 0},
		{"Wi-Fi", func(time.Duration) time.Duration { return 60 * ms }, 200 * ms, 100 * ms, 115 * ms, 0},
		{"worse than is waited for", func(time.Duration) time.Duration { return 400 * ms }, 200 * ms, 200 * ms, 200 * ms, 3000},
		{"a short limit", func(time.Duration) time.Duration { return 100 * ms }, 50 * ms, 50 * ms, 50 * ms, 3000},
		{"bad reception for a second", func(c time.Duration) time.Duration {
			if c > 20*time.Second && c < 21*time.Second {
				return 150 * ms
			}
			return 4 * ms
		}, 200 * ms, 45 * ms, 100 * ms, 50},
		{"bad reception from the middle on", func(c time.Duration) time.Duration {
			if c > 30*time.Second {
				return 100 * ms
			}
			return 4 * ms
		}, 200 * ms, 115 * ms, 155 * ms, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			samples, timeline := feed{length: time.Minute, delay: wireless(c.jitter)}.interactive(t, c.most)
			latency := timeline.Stats().Latency
			require.GreaterOrEqual(t, latency, c.least)
			require.LessOrEqual(t, latency, c.upto)
			_, late := tooLate(samples, 2*time.Second, time.Minute)
			require.LessOrEqual(t, late, c.late)
			if c.name == "a cable" {
				require.LessOrEqual(t, worst(samples, 50*ms, 2*time.Second, time.Minute), 5*ms, "it falls at once when the path is known")
			}
			require.LessOrEqual(t, skew(samples, 0, time.Minute), 60*ms, "lip sync, and within one unit at a rise")
		})
	}
}

// It falls by 3 ms a second, and so slowly does the picture: nothing jumps.
func TestTheCushionFallsUnseen(t *testing.T) {
	bad := feed{length: 3 * time.Minute, delay: wireless(func(c time.Duration) time.Duration {
		if c > 5*time.Second && c < 15*time.Second {
			return 150 * time.Millisecond
		}
		return 2 * time.Millisecond
	})}
	samples, timeline := bad.interactive(t, 200*time.Millisecond)
	require.LessOrEqual(t, timeline.Stats().Latency, 50*time.Millisecond)
	require.LessOrEqual(t, glide(samples, 17*time.Second, 3*time.Minute), 0.0031)
	require.LessOrEqual(t, worst(samples, 47*time.Millisecond, 2*time.Minute+50*time.Second, 3*time.Minute), 10*time.Millisecond)
}

// clocked gives units every 20 ms to a timeline.
type clocked struct {
	*Timeline
	track string
	n     int
}

// send sends for a while with a lateness, and gives the wait of the last unit.
func (c *clocked) send(length, late time.Duration) (wait time.Duration) {
	for end := c.n + int(length/(20*time.Millisecond)); c.n < end; c.n++ {
		s := time.Duration(c.n) * 20 * time.Millisecond
		arrival := testEpoch.Add(s + late)
		pts, _ := c.Map(c.track, s, s, arrival)
		wait = pts.Sub(arrival)
	}
	return wait
}

func conversation(track string) *clocked {
	timeline := NewTimeline(200 * time.Millisecond)
	timeline.Adapt(true)
	timeline.Sound("a")
	return &clocked{Timeline: timeline, track: track}
}

// One packet that is late is no reason to wait, nor is a stall now and then; more
// are, at once.
func TestTheCushionWaitsForNoLonePacket(t *testing.T) {
	const ms = time.Millisecond
	for track, least := range map[string]time.Duration{"v": leastCushion, "a": soundMargin + latenessBin} {
		c := conversation(track)
		require.InDelta(t, least, c.send(10*time.Second, 0), float64(ms), track)
		for range 5 {
			c.send(20*ms, 180*ms) // a packet
			require.InDelta(t, least, c.send(20*time.Second, 0), float64(ms), track)
		}
		c.send(time.Second, 80*ms)
		require.Greater(t, c.send(time.Second, 80*ms), time.Duration(0), track)
		require.LessOrEqual(t, c.send(20*ms, 0), 140*ms, track)
	}
}

// What the path becomes longer by is waited for once: the cushion grows by it,
// and gives it back as the offset follows.
func TestTheCushionIsNotAddedToALongerPath(t *testing.T) {
	const ms = time.Millisecond
	c := conversation("a")
	before := c.send(10*time.Second, 0)
	c.send(3*time.Second, 60*ms)
	require.InDelta(t, before+60*ms, c.Stats().Latency, float64(2*ms))
	require.InDelta(t, before, c.send(ms*20, 60*ms), float64(2*ms), "in the cushion")
	for range 10 {
		require.InDelta(t, before, c.send(2*time.Second, 60*ms), float64(4*ms))
	}
	require.InDelta(t, before, c.Stats().Latency, float64(2*ms), "in the offset")
}

// A sender whose clock loses a tick each time that it stalls (it counts frames)
// is followed without a cushion that stands in for its clock.
func TestTheCushionOfASenderThatCountsFrames(t *testing.T) {
	const ms = time.Millisecond
	c := conversation("v")
	behind := time.Duration(0)
	for range 60 {
		c.send(2*time.Second, behind)
		behind += 20 * ms
	}
	require.LessOrEqual(t, c.Stats().Latency, 90*ms)
	require.InDelta(t, 40*ms, c.send(30*time.Second, behind), float64(25*ms))
}

// What a guest sends too fast does not pile up: it would play on when he is gone.
func TestAFloodOfAGuestIsSoonOver(t *testing.T) {
	c := conversation("v")
	c.send(10*time.Second, 0)
	for early := time.Duration(0); early < 20*time.Second; early += 20 * time.Millisecond { // within a second
		wait := c.send(20*time.Millisecond, -early)
		require.Less(t, wait, aheadTalk+leastCushion+50*time.Millisecond)
	}
	require.Less(t, c.send(time.Second, -20*time.Second), 350*time.Millisecond)
	require.Less(t, c.send(4*time.Second, -20*time.Second), leastCushion+10*time.Millisecond)
}

func TestANewLimitCountsAtOnce(t *testing.T) {
	const ms = time.Millisecond
	c := conversation("a")
	c.send(10*time.Second, 0)
	c.send(2*time.Second, 100*ms)
	c.SetLatency(60 * ms)
	c.send(time.Second, 0) // time ascends, so the first few stand closer
	require.InDelta(t, 60*ms, c.send(20*ms, 0), float64(2*ms))
	c.Restart()
	c.Adapt(false)
	require.Equal(t, 60*ms, c.Stats().Latency, "the next publisher is none of a conversation")
}

func TestLateness(t *testing.T) {
	const ms = time.Millisecond
	var l lateness
	require.False(t, l.known())
	for late := range 100 {
		l.add(time.Duration(late) * ms)
	}
	require.Equal(t, 96*ms, l.quantile(0.95))
	require.Equal(t, 50*ms, l.quantile(0.5))
	l.shift(10)
	require.Equal(t, 76*ms, l.quantile(0.95))
	require.Equal(t, 2*ms, l.quantile(0.1), "what has become early is not late")
	for range 100 {
		l.forget()
	}
	l.add(200 * ms)
	l.add(time.Hour)
	require.Equal(t, 202*ms, l.quantile(0.95), "all but one")
	l.add(time.Hour)
	require.Equal(t, 256*ms, l.quantile(0.95))
	for range 200 {
		l.forget()
	}
	require.False(t, l.known())
	l.shift(1000)
	require.Zero(t, l.quantile(0.95))
}
