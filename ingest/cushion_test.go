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
	for i := range samples {
		s := &samples[i]
		s.outPTS, s.outDTS = timeline.Map(map[bool]string{true: "v", false: "a"}[s.video], s.pts, s.dts, s.arrival)
	}
	requireAscending(t, samples)
	return samples, timeline
}

func TestTheCushionFollowsTheNetwork(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name        string
		jitter      func(c time.Duration) time.Duration
		most        time.Duration
		least, upto time.Duration // of the latency at the end
		late        int
	}{
		{"a cable", func(time.Duration) time.Duration { return 2 * ms }, 200 * ms, 20 * ms, 20 * ms, 0},
		{"Wi-Fi", func(time.Duration) time.Duration { return 60 * ms }, 200 * ms, 65 * ms, 75 * ms, 0},
		{"worse than is waited for", func(time.Duration) time.Duration { return 400 * ms }, 200 * ms, 200 * ms, 200 * ms, 4000},
		{"a short limit", func(time.Duration) time.Duration { return 100 * ms }, 50 * ms, 50 * ms, 50 * ms, 5000},
		{"a second of bad reception", func(c time.Duration) time.Duration {
			if c > 20*time.Second && c < 21*time.Second {
				return 150 * ms
			}
			return 4 * ms
		}, 200 * ms, 100 * ms, 155 * ms, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			samples, timeline := feed{length: time.Minute, delay: wireless(c.jitter)}.interactive(t, c.most)
			latency := timeline.Stats().Latency
			require.GreaterOrEqual(t, latency, c.least)
			require.LessOrEqual(t, latency, c.upto)
			late := 0
			for _, s := range samples {
				if s.captured > 2*time.Second && s.outPTS < s.arrival {
					late++
				}
			}
			require.LessOrEqual(t, late, c.late)
			if c.name == "a cable" {
				require.LessOrEqual(t, worst(samples, 20*ms, 2*time.Second, time.Minute), 5*ms, "it falls at once when the path is known")
			}
			require.LessOrEqual(t, skew(samples, 0, time.Minute), 35*ms, "lip sync")
		})
	}
}

// It falls by 1 ms a second, and so slowly does the picture: nothing jumps.
func TestTheCushionFallsUnseen(t *testing.T) {
	bad := feed{length: 3 * time.Minute, delay: wireless(func(c time.Duration) time.Duration {
		if c > 5*time.Second && c < 6*time.Second {
			return 150 * time.Millisecond
		}
		return 2 * time.Millisecond
	})}
	samples, timeline := bad.interactive(t, 200*time.Millisecond)
	require.LessOrEqual(t, timeline.Stats().Latency, 25*time.Millisecond)
	require.LessOrEqual(t, glide(samples, 7*time.Second, 3*time.Minute), 0.0011)
	require.LessOrEqual(t, worst(samples, 20*time.Millisecond, 2*time.Minute+50*time.Second, 3*time.Minute), 10*time.Millisecond)
}

func TestALatePacketIsTheLastThatIsLate(t *testing.T) {
	timeline := NewTimeline(200 * time.Millisecond)
	timeline.Adapt(true)
	at := func(n int, late time.Duration) (early time.Duration) {
		s := time.Duration(n) * 20 * time.Millisecond
		arrival := testEpoch.Add(s + late)
		pts, _ := timeline.Map("v", s, s, arrival)
		return pts.Sub(arrival)
	}
	for n := range 500 {
		at(n, 0)
	}
	require.InDelta(t, 20, at(500, 0).Milliseconds(), 1)
	at(501, 80*time.Millisecond)
	require.Positive(t, at(502, 80*time.Millisecond))
	timeline.SetLatency(50 * time.Millisecond)
	for n := 503; n < 510; n++ { // time ascends, so the first few stand closer
		at(n, 0)
	}
	require.InDelta(t, 50, at(510, 0).Milliseconds(), 1, "a new limit counts at once")
	timeline.Restart()
	timeline.Adapt(false)
	require.Equal(t, 50*time.Millisecond, timeline.Stats().Latency, "the next publisher is none of a conversation")
}
