package audio

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDucker: 20 dB above the threshold at 4 to 1 take a source back by 15 dB, as
// fast as it says, and let it return as slowly as it says.
func TestDucker(t *testing.T) {
	const tick = 10 * time.Millisecond
	by := Ducking{ThresholdDB: -30, Ratio: 4, Attack: 20 * time.Millisecond, Release: 400 * time.Millisecond}
	d := &Ducker{}
	level := func(gain float32) float64 { return 20 * math.Log10(float64(gain)) }
	run := func(peak float32, length time.Duration) (gain float32) {
		for at := time.Duration(0); at < length; at += tick {
			gain = d.Gain(by, peak, tick)
		}
		return gain
	}
	require.Equal(t, float32(1), run(Gain(-40), time.Second), "below the threshold")
	require.Equal(t, float32(1), run(0, tick), "silence")
	require.InDelta(t, -15*(1-1/math.E), level(run(Gain(-10), by.Attack)), 0.1)
	require.InDelta(t, -15, level(run(Gain(-10), time.Second)), 0.1)
	require.InDelta(t, -15/math.E, level(run(0, by.Release)), 0.1)
	require.Equal(t, float32(1), run(0, 10*time.Second))
	require.InDelta(t, -30, level(func() float32 {
		by.Ratio = math.Inf(1)
		return run(1, time.Second)
	}()), 0.1)
}
