package record

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPins(t *testing.T) {
	p := newPins([]Pin{{30, 40}, {10, 20}, {15, 25}, {50, 50}, {60, Forever}})
	require.Equal(t, pins{{10, 25}, {30, 40}, {60, Forever}}, p)
	for k, want := range map[int64]int64{9: 9, 10: 25, 24: 25, 25: 25, 39: 40, 45: 45, 60: Forever, 1 << 40: Forever} {
		require.Equal(t, want, p.until(k), k)
	}
	require.True(t, p.touch(0, 11))
	require.False(t, p.touch(0, 10))
	require.False(t, p.touch(25, 30))
	require.True(t, p.touch(70, 71))
	require.False(t, pins(nil).touch(0, Forever))
}

// fill writes whole segments [from, to).
func fill(s *Store, l Layout, from, to int64) {
	for k := from; k < to; k++ {
		for p := range 16 {
			appendPart(s, l, k, p, partBytes)
			synctest.Wait()
		}
	}
}

// has holds a store to the segments that it lists and those that have expired.
func has(t *testing.T, s *Store, l Layout, held, expired []Pin) {
	t.Helper()
	for _, r := range l.Renditions {
		for _, span := range held {
			require.Len(t, s.Edge().Listing(r.ID).Range(span.From, span.To), int(span.To-span.From), "%s %v", r.ID, span)
			for k := span.From; k < span.To; k++ {
				require.Equal(t, wanted(r, k, 16, partBytes), bytesOf(t, s.Edge(), r.ID, k))
			}
		}
		for _, span := range expired {
			for k := span.From; k < span.To; k++ {
				_, err := s.Edge().Find(r.ID, k)
				require.ErrorIs(t, err, ErrExpired, "%s %d", r.ID, k)
			}
		}
	}
}

func TestPinnedSegmentsOutliveTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		k := start(l)
		pin := Pin{k + 70, k + 75}
		config := Config{Window: 100 * time.Second, Pins: []Pin{pin, {k + 300, Forever}}}
		s := run(t, openRAM(t, v, config))
		require.NoError(t, s.SetLayout(l))
		fill(s.Store, l, k, k+700)
		init, ok := s.Edge().Init("v720", l.Renditions[0].InitName)
		require.True(t, ok)
		require.NotEmpty(t, init)
		held := []Pin{pin, {k + 300, k + 700}}
		expired := []Pin{{k, k + 40}, {k + 140, k + 180}}
		has(t, s.Store, l, held, expired)

		after := openRAM(t, v.crash(0), config)
		has(t, after, l, held, expired)
		require.Equal(t, len(s.Edge().Listing("audio").kept), len(after.Edge().Listing("audio").kept))

		// The running recording ends, and its middle is let go.
		ended := []Pin{pin, {k + 300, k + 310}}
		s.Retain(Retention{Window: config.Window, Pins: ended})
		fill(s.Store, l, k+700, k+701)
		held = append(ended, Pin{k + 660, k + 701})
		expired = []Pin{{k + 400, k + 500}}
		has(t, s.Store, l, held, expired)
		has(t, openRAM(t, v.crash(0), Config{Window: config.Window, Pins: ended}), l, held, expired)

		// While nothing runs, blocks go at once.
		s.Retain(Retention{Window: config.Window})
		fill(s.Store, l, k+701, k+702)
		has(t, s.Store, l, []Pin{{k + 660, k + 702}}, []Pin{pin, {k + 300, k + 310}})
		first, _, _ := parseBlockName(must(v.Names())[0])
		require.Greater(t, first, k+310)
	})
}

func must(names []string, _ error) []string { return names }

func TestPinsOfAStoreThatDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		k := start(l)
		pin := Pin{k + 10, k + 20}
		s := openRAM(t, v, Config{Window: 100 * time.Second, Pins: []Pin{pin}})
		first := runOnce(t, s)
		require.NoError(t, s.SetLayout(l))
		fill(s, l, k, k+300)
		first()
		has(t, s, l, []Pin{pin, {k + 260, k + 300}}, []Pin{{k + 70, k + 120}})
		before := s.State().DiskBytes
		s.Retain(Retention{Window: 100 * time.Second})
		has(t, s, l, []Pin{{k + 260, k + 300}}, []Pin{pin})
		require.Less(t, s.State().DiskBytes, before)

		second := runOnce(t, s)
		require.NoError(t, s.SetLayout(l))
		fill(s, l, k+305, k+310)
		second()
		has(t, s, l, []Pin{{k + 260, k + 300}, {k + 305, k + 310}}, nil)
		has(t, openRAM(t, v.crash(0), Config{}), l, []Pin{{k + 260, k + 300}, {k + 305, k + 310}}, nil)
	})
}

// F24: a disk full of recordings takes nothing more, and loses nothing.
func TestNothingPinnedGoesForSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		v.capacity = 4 << 20
		k := start(l)
		s := run(t, openRAM(t, v, Config{MaxBytes: 2 << 20, Pins: []Pin{{k, Forever}}}))
		require.NoError(t, s.SetLayout(l))
		var filled int64
		for n := k; !s.State().Degraded; n++ {
			require.Less(t, n, k+2000)
			fill(s.Store, l, n, n+1)
			filled = n
		}
		require.Greater(t, s.State().DiskBytes, int64(2<<20), "pinned bytes are beside the budget")
		fill(s.Store, l, filled+1, filled+50)
		has(t, s.Store, l, []Pin{{k, filled - 1}, {filled + 45, filled + 50}}, nil)

		// Once the recording is deleted the store recovers by itself.
		s.Retain(Retention{MaxBytes: 2 << 20})
		for n := filled + 50; s.State().Degraded; n++ {
			require.Less(t, n, filled+200)
			fill(s.Store, l, n, n+1)
			time.Sleep(retryAfter)
		}
	})
}

// runOnce runs a store until stop, and leaves it open.
func runOnce(t *testing.T, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}
