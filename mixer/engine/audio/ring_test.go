package audio

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func numbered(at int64, n int) Block {
	b := NewBlock(n)
	for i := range n {
		b[0][i], b[1][i] = float32(at+int64(i)), -float32(at+int64(i))
	}
	return b
}

// TestRingEqualsAMap writes and reads at random and compares with a map.
func TestRingEqualsAMap(t *testing.T) {
	const size = 64
	rnd := rand.New(rand.NewPCG(1, 2))
	ring := NewRing(size)
	model := map[int64]float32{}
	end := int64(0)
	for range 20_000 {
		at, n := end+rnd.Int64N(40)-12, rnd.IntN(30)
		if rnd.IntN(50) == 0 {
			at, n = end+rnd.Int64N(400)-200, rnd.IntN(150)
		}
		at = max(at, 0)
		ring.Write(at, numbered(at, n))
		for s := range model {
			if s >= at {
				delete(model, s)
			}
		}
		for s := at; s < at+int64(n); s++ {
			model[s] = float32(s)
		}
		end = at + int64(n)
		for s := range model {
			if s < end-size {
				delete(model, s)
			}
		}
		require.Equal(t, end, ring.End())

		from := end + rnd.Int64N(160) - 120
		got := NewBlock(rnd.IntN(80))
		any := ring.Read(from, got)
		found := false
		for i, v := range got[0] {
			want, ok := model[from+int64(i)]
			found = found || ok
			if ok && present(v) {
				require.Equal(t, want, v)
				require.Equal(t, -want, got[1][i])
			} else if present(v) != ok {
				// Only positions that a write at an older place put out of reach may be lost.
				require.True(t, ok && !present(v) && from+int64(i) < at, "position %d", from+int64(i))
			}
		}
		require.True(t, any || !found || from < at)
	}
}

func TestRingFarFuture(t *testing.T) {
	ring := NewRing(100)
	ring.Write(1000, numbered(1000, 50))
	ring.Write(math.MaxInt64/2, NewBlock(10))
	require.False(t, ring.Read(1000, NewBlock(50)))
	require.True(t, ring.Read(math.MaxInt64/2, NewBlock(10)))
	ring.Write(1000, numbered(1000, 500))
	got := NewBlock(100)
	require.True(t, ring.Read(1400, got))
	require.Equal(t, numbered(1400, 100), got)
}
