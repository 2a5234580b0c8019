package audio

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDriftStaysWithinTheTolerance runs a source whose clock is off against
// the steering: positions that the output meets, without a jump.
func TestDriftStaysWithinTheTolerance(t *testing.T) {
	tests := []struct {
		name   string
		ppm    float64 // the source's clock is faster
		jitter int64   // samples, rounding of timestamps
		most   float64 // error in samples once settled
	}{
		{"exact", 0, 0, 0},
		{"rounded to milliseconds", 0, 48, 30},
		{"200 ppm", 200, 48, 60},
		{"-200 ppm", -200, 48, 60},
		{"1 % fast", 10000, 48, 1100},
		{"1 % slow", -10000, 48, 1100},
	}
	for _, test := range tests {
		rnd := rand.New(rand.NewPCG(1, 2))
		var a aligner
		place := 0.0 // where the frame should begin on the grid
		end := 0.0   // where the output ends
		for i := range 48 * 600 {
			should := int64(place)
			if test.jitter > 0 {
				should += rnd.Int64N(test.jitter) - test.jitter/2
			}
			stretch, jump := a.steer(should, int64(end), AACUnit)
			require.Equal(t, i == 0, jump, "%s: frame %d", test.name, i)
			if jump {
				end = float64(should)
			}
			end += AACUnit * (1 + float64(stretch)/Hz)
			place += AACUnit / (1 + test.ppm/1e6)
			if i > 48*20 {
				require.LessOrEqual(t, max(place-end, end-place), test.most, "%s: frame %d", test.name, i)
			}
		}
	}
}

func TestLargeErrorsJump(t *testing.T) {
	var a aligner
	_, jump := a.steer(0, 0, AACUnit)
	require.True(t, jump, "the first run has no place yet")
	_, jump = a.steer(Tolerance, 0, AACUnit)
	require.False(t, jump)
	_, jump = a.steer(2*Tolerance, 0, AACUnit)
	require.True(t, jump)
	_, jump = a.steer(0, Tolerance+1, AACUnit)
	require.True(t, jump)
}
