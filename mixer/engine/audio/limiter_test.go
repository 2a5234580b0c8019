package audio

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// limited runs a block through a limiter, in ticks.
func limited(l *Limiter, b Block) Block {
	inPieces(b, l.Process)
	return b
}

// truePeak measures with eight times the interpolator's rate, by a long sinc: not
// the limiter's own ruler.
func truePeak(b Block) float64 {
	const reach, steps = 32, 8
	peak := 0.0
	for _, channel := range b {
		for i := reach; i+reach < len(channel); i++ {
			if math.Abs(float64(channel[i]))+math.Abs(float64(channel[i+1])) < 0.8 {
				continue
			}
			for k := range steps {
				at, sum := float64(k)/steps, 0.0
				for j := -reach + 1; j <= reach; j++ {
					x := math.Pi * (float64(j) - at)
					weight := 0.5 + 0.5*math.Cos(x/reach)
					if math.Abs(x) < 1e-9 {
						sum += float64(channel[i+j])
						continue
					}
					sum += float64(channel[i+j]) * weight * math.Sin(x) / x
				}
				peak = max(peak, math.Abs(sum))
			}
		}
	}
	return Decibels(peak)
}

// TestLimiterHoldsTheTruePeak: whatever comes, no peak between the samples is
// above -1 dBTP, and what is loud is not taken down more than it must be.
func TestLimiterHoldsTheTruePeak(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	noise, bursts := NewBlock(Hz), NewBlock(Hz)
	for c := range noise {
		low := 0.0
		for i := range noise[c] {
			low += 0.3 * (rnd.NormFloat64() - low)
			noise[c][i] = float32(2 * low)
			if i%4800 < 300 {
				bursts[c][i] = float32(3 * math.Sin(2*math.Pi*5000*float64(i)/Hz))
			}
		}
	}
	for name, b := range map[string]Block{
		"noise": noise, "bursts": bursts, "a tone between the samples": sine(1, Hz/4, 6, math.Pi/4),
		"997 Hz": sine(1, 997, 10, 0), "a tone just above": sine(1, 1000, -0.5, 0), "60 Hz": sine(1, 60, 3, 0),
	} {
		out := limited(NewLimiter(-1), b)
		peak := truePeak(out)
		require.LessOrEqual(t, peak, -1.0, name)
		require.Greater(t, peak, -2.0, "%s is not lower than it must be", name)
	}
}

// TestLimiterDoesNotTouchWhatIsBelow, but for its delay.
func TestLimiterDoesNotTouchWhatIsBelow(t *testing.T) {
	quiet := sine(0.5, 440, -2, 0)
	want := NewBlock(quiet.Len())
	for c := range want {
		copy(want[c][Lookahead:], quiet[c])
	}
	require.Equal(t, want, limited(NewLimiter(-1), quiet))
}

// TestLimiterRecovers: after a burst the gain comes back smoothly, and then
// nothing is changed any more.
func TestLimiterRecovers(t *testing.T) {
	b := sine(4, 440, -12, 0)
	plain := sine(4, 440, -12, 0)
	for i := Hz; i < Hz+2000; i++ {
		b[0][i], b[1][i] = 4*b[0][i]*1.5, 4*b[1][i]*1.5
	}
	l := NewLimiter(-1)
	out := limited(l, b)
	require.Less(t, steepest(out.Slice(Hz+3000, 4*Hz)), steepest(plain)*1.1, "no steps")
	require.Equal(t, float32(1), l.gain)
	for i := 3 * Hz; i < 4*Hz; i++ {
		require.InDelta(t, plain[0][i-Lookahead], out[0][i], 1e-5)
	}
	odd := NewBlock(Hz / 10)
	odd[0][7] = float32(math.Inf(1))
	limited(l, odd)
	require.LessOrEqual(t, limited(l, sine(1, 440, 6, 0)).Slice(Hz/2, Hz).Peak(), float32(1), "it survives what is no number")
}

// TestLeveler brings what is too quiet and too loud to within half a loudness
// unit, does nothing in silence, and lets go without a step.
func TestLeveler(t *testing.T) {
	for _, level := range []float64{-38, -23, -10} {
		l := NewLeveler()
		l.Aim(-23)
		inPieces(sine(25, 1000, level, 0), l.Process)
		var out Loudness
		inPieces(sine(10, 1000, level, 0), func(b Block) {
			l.Process(b)
			out.Write(b)
		})
		require.InDelta(t, -23, out.Integrated(), 0.5, "from %v", level)
		gain := l.Gain()
		inPieces(NewBlock(20*Hz), l.Process)
		require.InDelta(t, gain, l.Gain(), 3.5, "silence is not raised")
		l.Aim(0)
		inPieces(sine(20, 1000, -20, 0), l.Process)
		require.Zero(t, l.Gain())
	}
}
