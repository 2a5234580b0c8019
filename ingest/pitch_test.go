package ingest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// glide is the most that the pitch of sound captured in [from, to) is off over
// half a second, beyond the source's own clock.
func glide(samples []sample, from, to time.Duration) (most float64) {
	var first sample
	for _, s := range samples {
		if s.video || s.captured < from || s.captured >= to {
			continue
		}
		if first.outDTS == 0 {
			first = s
		}
		if span := s.dts - first.dts; span >= time.Second/2 {
			most = max(most, (s.outDTS.Sub(first.outDTS)-span).Abs().Seconds()/span.Seconds())
			first = s
		}
	}
	return most
}

// What one path's packets differ by is not heard, and what a path changes by
// is not heard either while it is made up for.
func TestTimelineKeepsThePitch(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		delay func(rnd *rand.Rand, c time.Duration) time.Duration
		most  float64
		off   time.Duration // largest error from 45 s on
	}{
		{"jitter of a network", nil, 0, 3 * ms},
		{"jitter of a receiver's buffer", func(rnd *rand.Rand, c time.Duration) time.Duration {
			return 20*ms + time.Duration(rnd.Int64N(int64(4*ms)))
		}, 0, 3 * ms},
		{"jitter that comes and goes", func(rnd *rand.Rand, c time.Duration) time.Duration {
			return 20*ms + time.Duration(float64(1500*time.Microsecond)*(1+math.Sin(c.Seconds()/7))) + time.Duration(rnd.Int64N(int64(4*ms)))
		}, 0.0004, 5 * ms},
		{"a path that shortens", func(rnd *rand.Rand, c time.Duration) time.Duration {
			return after(jitter(rnd, c), 0, 20*ms) - after(0, 0, min(20*ms, 20*ms*(c/(15*time.Second))))
		}, 0.00101, 5 * ms},
		{"a path that lengthens", func(rnd *rand.Rand, c time.Duration) time.Duration {
			return jitter(rnd, c) + min(20*ms, 20*ms*(c/(15*time.Second)))
		}, 0.00101, 25 * ms},
		{"a first second that hastens", func(rnd *rand.Rand, c time.Duration) time.Duration {
			return jitter(rnd, c) + max(0, 900*ms-c)/5
		}, 0.0001, 3 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			samples, _ := feed{length: time.Minute, delay: c.delay}.run(t, 200*ms)
			requireAscending(t, samples)
			require.LessOrEqual(t, glide(samples, 1500*ms, time.Minute), c.most)
			require.LessOrEqual(t, worst(samples, 200*ms, 45*time.Second, time.Minute), c.off)
		})
	}
}

// A clock that is off keeps the pitch that it has, and little more, while the
// offset follows it.
func TestTimelineFollowsADriftEvenly(t *testing.T) {
	for ppm, most := range map[int64]float64{200: 0.0006, 1000: 0.00101, 10_000: 0.014, -10_000: 0.015} {
		drift := feed{length: 2 * time.Minute, source: func(_ bool, c time.Duration) time.Duration {
			return c + c*time.Duration(ppm)/1_000_000
		}}
		samples, stats := drift.run(t, 200*time.Millisecond)
		require.LessOrEqual(t, glide(samples, 10*time.Second, 2*time.Minute), most, "%d ppm", ppm)
		require.Zero(t, stats.Steps)
	}
}
