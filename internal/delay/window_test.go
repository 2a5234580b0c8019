package delay

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

var noon = media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

func TestQuantiles(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, scale := range []time.Duration{time.Millisecond, 30 * time.Millisecond, 2 * time.Second} {
		var w Window
		var all []time.Duration
		for n := range 2000 {
			d := time.Duration(float64(scale) * rnd.ExpFloat64())
			all = append(all, d)
			w.Add(noon.Add(time.Duration(n)*4*time.Millisecond), d)
		}
		slices.Sort(all)
		got := w.Spread(noon.Add(8 * time.Second))
		require.InEpsilon(t, all[999], got.P50, 0.07)
		require.InEpsilon(t, all[1899], got.P95, 0.07)
		require.Equal(t, all[1999], got.Max)
		require.Equal(t, uint64(2000), got.Count)
	}
}

func TestTheWindowSlides(t *testing.T) {
	var w Window
	require.Zero(t, w.Spread(noon))
	w.Add(noon, time.Second)
	w.Add(noon.Add(5*time.Second), 20*time.Millisecond)
	require.Equal(t, time.Second, w.Spread(noon.Add(9*time.Second)).Max)
	require.Equal(t, 20*time.Millisecond, w.Spread(noon.Add(13*time.Second)).Max)
	require.Zero(t, w.Spread(noon.Add(30*time.Second)))
	w.Add(noon.Add(11*time.Second), -time.Second) // in the place of the first
	require.Equal(t, 20*time.Millisecond, w.Spread(noon.Add(13*time.Second)).Max)
	require.Equal(t, uint64(2), w.Spread(noon.Add(13*time.Second)).Count)
}

func TestExtremes(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, 65535, 65536, time.Hour, 1 << 62} {
		var w Window
		w.Add(noon, d)
		got := w.Spread(noon)
		require.Equal(t, max(d, 0), got.Max)
		require.LessOrEqual(t, got.P95, got.Max)
	}
	for b := range buckets {
		require.Equal(t, b, bucketOf(middle(b)))
	}
}

func TestAddTakesNoMemory(t *testing.T) {
	var w Window
	require.Zero(t, testing.AllocsPerRun(100, func() { w.Add(noon, time.Millisecond) }))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 1000 {
				w.Add(noon.Add(time.Duration(n)*time.Millisecond), time.Duration(n))
			}
		})
	}
	all.Wait()
	require.NotZero(t, w.Spread(noon).Count)
}
