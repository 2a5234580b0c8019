package record

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// F30: the node's clock steps between two runs, and leaps. Within a run nothing
// steps: the timeline is tied to the monotonic clock. No number is used twice, no
// segment goes back in time, and what was skipped is a gap.
func TestClockStepsBetweenRuns(t *testing.T) {
	l := layoutOf(t, "")
	hour := int64(time.Hour / l.Grid.SegmentDuration())
	v := newRAM()
	clock, next := noon, int64(-1) // next is the lowest number that is free
	for _, step := range []struct {
		name string
		by   time.Duration
		gap  int64 // segments, at most; -1 where the run begins at the first free number
	}{
		{"the first run", 0, 0},
		{"an hour ahead", time.Hour, hour},
		{"an hour back", -time.Hour, -1},
		{"an hour back again", -time.Hour, -1},
		{"a leap second", time.Second, -1},
		{"right again", time.Hour, hour},
		{"slewed by half a segment", l.Grid.SegmentDuration() / 2, 2},
	} {
		clock = clock.Add(step.by)
		synctest.Test(t, func(t *testing.T) {
			s := run(t, openRAM(t, v, Config{}))
			require.NoError(t, s.SetLayout(l))
			k := s.NextSegment(clock, l.Grid)
			require.GreaterOrEqual(t, k, next, step.name)
			switch {
			case next < 0:
			case step.gap < 0:
				require.Equal(t, next, k, step.name)
			default:
				require.LessOrEqual(t, k-next, step.gap, step.name)
			}
			synctest.Wait() // until what the runs before left is listed
			was := s.Edge().Listing("v720")
			writeSegments(s, l, k, k+10)
			listing := s.Edge().Listing("v720")
			if next >= 0 {
				for n := was.Last() + 1; n < k; n++ {
					require.True(t, listing.Segment(n).Gap(), step.name)
				}
				require.Equal(t, was.First(), listing.First(), "nothing is let go for it")
			}
			require.Equal(t, wanted(l.Renditions[0], k, 16, partBytes), bytesOf(t, s.Edge(), "v720", k))
			next = k + 10
			clock = clock.Add(10 * l.Grid.SegmentDuration())
		})
	}
}

// F30: a clock that was years ahead for one run does not make a playlist of
// years: what lies before is let go, unless it is pinned.
func TestClockYearsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := layoutOf(t, "")
		v := newRAM()
		s := run(t, openRAM(t, v, Config{}))
		require.NoError(t, s.SetLayout(l))
		k := s.NextSegment(noon, l.Grid)
		writeSegments(s, l, k, k+5)
		s.stop()
		later := openRAM(t, v, Config{Pins: []Pin{{k + 1, k + 3}}})
		r := run(t, later)
		require.NoError(t, r.SetLayout(l))
		far := r.NextSegment(noon.Add(20*365*24*time.Hour), l.Grid)
		writeSegments(r, l, far, far+5)
		listing := r.Edge().Listing("v720")
		require.Equal(t, far, listing.First())
		require.Equal(t, wanted(l.Renditions[0], k+1, 16, partBytes), bytesOf(t, r.Edge(), "v720", k+1))
		require.Equal(t, far+5, r.NextSegment(noon, l.Grid), "the timeline does not go back")
	})
}
