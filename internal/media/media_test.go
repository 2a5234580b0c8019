package media

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var contractRates = []string{"24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60"}

func TestParseRate(t *testing.T) {
	for _, text := range contractRates {
		rate, err := ParseRate(text)
		require.NoError(t, err)
		require.Equal(t, text, rate.String())
	}
	reduced, err := ParseRate("60/2")
	require.NoError(t, err)
	require.Equal(t, Rate{30, 1}, reduced)
	for _, text := range []string{"", "0", "-30", "30/0", "1/2", "241", "29.97", "30/1/1", "9999999999999"} {
		_, err := ParseRate(text)
		require.ErrorIs(t, err, ErrRate, text)
	}
}

// floor computes floor((a*b+c)/d) without bounds, as the reference.
func floor(a, b, d, c int64) int64 {
	x := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	x.Add(x, big.NewInt(c))
	q, m := new(big.Int).DivMod(x, big.NewInt(d), new(big.Int))
	_ = m // Euclidean division floors for d > 0
	return q.Int64()
}

func TestMulDivEqualsBigIntegers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		d := rnd.Int64N(1e13) + 1
		b := rnd.Int64N(1e10) + 1
		c := rnd.Int64N(d)
		limit := int64(1) << 40
		if d < b {
			limit = 1 << 20
		}
		a := rnd.Int64N(2*limit) - limit
		require.Equal(t, floor(a, b, d, c), mulDiv(a, b, d, c), "a=%d b=%d d=%d c=%d", a, b, d, c)
	}
}

func TestFramesAroundToday(t *testing.T) {
	for _, text := range contractRates {
		rate, err := ParseRate(text)
		require.NoError(t, err)
		start := rate.Index(TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)))
		for n := start; n < start+1000; n++ {
			at := rate.At(n)
			require.Equal(t, n, rate.Index(at), text)
			require.Equal(t, n-1, rate.Index(at-1), text)
			require.Equal(t, n*rate.Den, at.Ticks(rate.Num), text)
			require.Equal(t, floor(n, rate.Den*48000, rate.Num, 0), rate.Samples(n, 48000))
		}
	}
}

func TestTicksInvertTimeOfTicks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, hz := range []int64{1000, 24000, 44100, 48000, 60000, 90000, 1e9} {
		for range 1000 {
			n := rnd.Int64N(2_000_000_000 * hz)
			if hz == 1e9 {
				n = rnd.Int64N(2e18)
			}
			require.Equal(t, n, TimeOfTicks(n, hz).Ticks(hz), "hz=%d", hz)
		}
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := NewClock(1000, time.Now())
		require.Equal(t, Time(1000), clock.Now())
		require.NoError(t, clock.SleepUntil(t.Context(), Time(1000).Add(time.Minute)))
		require.Equal(t, Time(1000).Add(time.Minute), clock.Now())
		require.NoError(t, clock.SleepUntil(t.Context(), 0), "an instant that has passed")
		require.Equal(t, Time(1000).Add(time.Minute), clock.Now())
	})
}
