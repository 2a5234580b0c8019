package audio

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMatrix: every sum is that of the parts it has, and nothing else.
func TestMatrix(t *testing.T) {
	const length = 1602
	var m Matrix
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, returns := range []int{0, 1, 2, 3, 7, 2, 0, 16} {
		m.Reset(length, returns)
		parts := make([]Block, returns+1) // the last is the bus
		for i := range parts {
			parts[i] = NewBlock(length)
			into := m.Bus()
			if i < returns {
				into = m.Part(i)
			}
			for c := range into {
				for s := range into[c] {
					require.Zero(t, into[c][s], "silent after Reset")
					parts[i][c][s] = float32(rnd.NormFloat64())
				}
				copy(into[c], parts[i][c])
			}
		}
		m.Sum()
		without := func(skip int, c, s int) (sum float64) {
			for i := range parts {
				if i != skip {
					sum += float64(parts[i][c][s])
				}
			}
			return sum
		}
		for c := range 2 {
			for s := range length {
				require.InDelta(t, without(-1, c, s), m.Bus()[c][s], 1e-4)
				for i := range returns {
					require.InDelta(t, without(i, c, s), m.Minus(i)[c][s], 1e-4, "return %d of %d", i, returns)
				}
			}
		}
	}
}

// TestMatrixLeavesNothingBehind: beside a source as loud as can be, the return
// of that source is bit for bit what it is without it. A program that is
// summed up and then subtracted from keeps a residue; it is not -100 dB, it
// is nothing.
func TestMatrixLeavesNothingBehind(t *testing.T) {
	const length, returns = 1600, 5
	rnd := rand.New(rand.NewPCG(3, 4))
	quiet := make([]Block, returns+1)
	for i := range quiet {
		quiet[i] = NewBlock(length)
		for s := range length {
			quiet[i][0][s], quiet[i][1][s] = float32(rnd.NormFloat64()*1e-4), float32(rnd.NormFloat64()*1e-4)
		}
	}
	for own := range returns {
		sum := func(loud float32) Block {
			var m Matrix
			m.Reset(length, returns)
			m.Bus().copy(quiet[returns])
			for i := range returns {
				m.Part(i).copy(quiet[i])
			}
			for s := range length {
				m.Part(own)[0][s] = loud * float32(math.Sin(float64(s)))
				m.Part(own)[1][s] = loud
			}
			m.Sum()
			return m.Minus(own)
		}
		require.Equal(t, sum(0), sum(1000))
	}
}

func BenchmarkMatrix(b *testing.B) {
	for _, returns := range []int{0, 1, 4, 16} {
		b.Run(fmt.Sprint(returns), func(b *testing.B) {
			var m Matrix
			for b.Loop() {
				m.Reset(1600, returns)
				m.Sum()
			}
		})
	}
}
