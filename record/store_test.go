package record

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/output/cmaf"
)

const partBytes = 300

// openRAM opens a store on a volume in memory.
func openRAM(t testing.TB, v *ram, config Config) *Store {
	t.Helper()
	s, err := open(config.withDefaults(), disksOf(v))
	require.NoError(t, err)
	return s
}

func TestPartsAreListedWhenDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		s := run(t, openRAM(t, v, Config{}))
		require.NoError(t, s.SetLayout(l))
		k := s.NextSegment(noon, l.Grid)
		for n := k; n < k+3; n++ {
			for p := range 16 {
				appendPart(s.Store, l, n, p, partBytes)
				synctest.Wait()
				require.True(t, listed(s.Edge(), l, n, p), "%d.%d", n, p)
				after := openRAM(t, v.crash(0), Config{})
				require.True(t, listed(after.Edge(), l, n, p), "%d.%d after a power cut", n, p)
			}
		}
		for _, r := range l.Renditions {
			require.Equal(t, wanted(r, k+1, 16, partBytes), bytesOf(t, s.Edge(), r.ID, k+1))
			init, ok := s.Edge().Init(r.ID, r.InitName)
			require.True(t, ok)
			require.Equal(t, r.Init, init)
		}
		require.False(t, s.State().Degraded)
		require.LessOrEqual(t, s.State().Commits, uint64(3*16*2), "one commit a part for video, one for audio")
	})
}

func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		s := run(t, openRAM(t, v, Config{}))
		require.NoError(t, s.SetLayout(l))
		k := l.Grid.SegmentAfter(noon)
		s.Append(chunkOf(l.Renditions[0], k, 0, partBytes))
		synctest.Wait()
		require.Nil(t, s.Edge().Listing("v720").Open(), "waits for the other rung")
		s.Append(chunkOf(l.Renditions[1], k, 0, partBytes))
		synctest.Wait()
		require.NotNil(t, s.Edge().Listing("v720").Open(), "both rungs are there")
		s.Append(chunkOf(l.Renditions[0], k, 1, partBytes))
		time.Sleep(gatherTime - 1)
		synctest.Wait()
		require.Len(t, s.Edge().Listing("v720").Open().Parts(), 1)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Len(t, s.Edge().Listing("v720").Open().Parts(), 2, "the other rung is late")
	})
}

func TestChangedWakesOfTheRenditionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := layoutOf(t, "")
		s := run(t, openRAM(t, newRAM(), Config{}))
		require.NoError(t, s.SetLayout(l))
		k := l.Grid.SegmentAfter(noon)
		appendPart(s.Store, l, k, 0, partBytes)
		synctest.Wait()
		before := s.Edge()
		s.Append(chunkOf(l.Renditions[2], k, 1, partBytes))
		synctest.Wait()
		require.NotSame(t, before, s.Edge())
		require.True(t, closed(before.Changed))
		require.True(t, closed(before.Listing("audio").Changed))
		require.False(t, closed(before.Listing("v720").Changed))
		require.Same(t, before.Listing("v720"), s.Edge().Listing("v720"))
	})
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestSnapshotsDoNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := layoutOf(t, "")
		s := run(t, openRAM(t, newRAM(), Config{}))
		require.NoError(t, s.SetLayout(l))
		k := l.Grid.SegmentAfter(noon)
		appendPart(s.Store, l, k, 0, partBytes)
		synctest.Wait()
		early := s.Edge()
		for n := k; n < k+40; n++ {
			for p := range 16 {
				appendPart(s.Store, l, n, p, partBytes)
				synctest.Wait()
			}
		}
		require.Len(t, early.Listing("v720").Range(0, 1<<40), 1)
		require.Len(t, early.Listing("v720").Open().Parts(), 1)
		row := s.Edge().Listing("v720").Range(k+5, k+8)
		require.Len(t, row, 3)
		require.Equal(t, k+5, row[0].Number)
		require.Len(t, s.Edge().Listing("v720").Range(0, 1<<40), 40)
		old := s.Edge().Listing("v720").Segment(k)
		require.Nil(t, old.body.memory.Load(), "old segments leave memory")
		require.Equal(t, wanted(l.Renditions[0], k, 16, partBytes), bytesOf(t, s.Edge(), "v720", k))
		require.Equal(t, wanted(l.Renditions[0], k, 1, partBytes), bytesOf(t, early, "v720", k), "now from disk")
	})
}

func TestRefusesWhatDoesNotFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := layoutOf(t, "")
		s := run(t, openRAM(t, newRAM(), Config{}))
		video := l.Renditions[0]
		s.Append(chunkOf(video, 1, 0, partBytes)) // no layout yet
		require.NoError(t, s.SetLayout(l))
		k := l.Grid.SegmentAfter(noon)
		stranger := chunkOf(video, k, 0, partBytes)
		stranger.Rendition = "v9000"
		for _, c := range []*cmaf.Chunk{
			stranger, chunkOf(video, k, 1, partBytes), // not a beginning
			chunkOf(video, k, 0, partBytes), chunkOf(video, k, 0, partBytes), // twice
			chunkOf(video, k, 2, partBytes),   // a part is missing
			chunkOf(video, k-1, 0, partBytes), // from before
		} {
			s.Append(c)
		}
		time.Sleep(time.Second)
		require.Len(t, s.Edge().Listing("v720").Open().Parts(), 1)
		require.Equal(t, uint64(6), s.State().Refused)
	})
}

func TestGapsAndShortSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := layoutOf(t, "")
		s := run(t, openRAM(t, newRAM(), Config{}))
		require.NoError(t, s.SetLayout(l))
		k := l.Grid.SegmentAfter(noon)
		for p := range 3 {
			appendPart(s.Store, l, k, p, partBytes)
		}
		appendPart(s.Store, l, k+3, 0, partBytes)
		time.Sleep(time.Second)
		listing := s.Edge().Listing("v720")
		require.Len(t, listing.Segment(k).Parts(), 3)
		require.True(t, listing.Segment(k).Complete)
		require.True(t, listing.Segment(k+1).Gap())
		require.True(t, listing.Segment(k+2).Gap())
		require.False(t, listing.Segment(k+3).Gap())
		for _, row := range []struct {
			k    int64
			want error
		}{{k - 1, ErrNever}, {k, nil}, {k + 1, ErrLost}, {k + 3, nil}, {k + 4, ErrNever}} {
			_, err := s.Edge().Find("v720", row.k)
			require.ErrorIs(t, err, row.want)
		}
		_, err := s.Edge().Find("v9000", k)
		require.ErrorIs(t, err, ErrNever)
	})
}

func TestNextSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := layoutOf(t, "")
		s := run(t, openRAM(t, newRAM(), Config{}))
		require.NoError(t, s.SetLayout(l))
		k := l.Grid.SegmentAfter(noon)
		require.Equal(t, k, s.NextSegment(noon, l.Grid))
		require.Equal(t, k, s.NextSegment(l.Grid.SegmentTime(k), l.Grid))
		require.Equal(t, k+1, s.NextSegment(l.Grid.SegmentTime(k)+1, l.Grid))
		appendPart(s.Store, l, k+9, 0, partBytes)
		synctest.Wait()
		require.Equal(t, k+10, s.NextSegment(noon, l.Grid), "the clock lies behind the store")
	})
}

func TestChangesOfInitSectionsAreCounted(t *testing.T) {
	v, l := newRAM(), layoutOf(t, "")
	k := start(l)
	for run, mark := range []string{"", "", "-second", "-third", "-third"} {
		appendRun(t, v, layoutOf(t, mark), k+int64(2*run))
	}
	s := openRAM(t, v, Config{})
	for _, r := range l.Renditions {
		var changes []int64
		var breaks []bool
		for _, g := range s.Edge().Listing(r.ID).Range(0, 1<<40) {
			changes, breaks = append(changes, g.Changes), append(breaks, g.Discontinuity)
		}
		require.Equal(t, []int64{0, 0, 0, 0, 1, 1, 2, 2, 2}, changes)
		require.Equal(t, []bool{false, false, false, false, true, false, true, false, false}, breaks)
	}
}

// appendRun is a whole run of the store that writes segment k.
func appendRun(t *testing.T, v *ram, l Layout, k int64) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t, openRAM(t, v, Config{}))
		require.NoError(t, s.SetLayout(l))
		for p := range 16 {
			appendPart(s.Store, l, k, p, partBytes)
		}
		synctest.Wait()
		s.stop()
	})
}

func TestAnotherGridBeginsAnew(t *testing.T) {
	v, l := newRAM(), layoutOf(t, "")
	k := start(l)
	appendRun(t, v, l, k)
	other := layoutOf(t, "")
	other.Grid = gridOf(t, "24")
	for _, r := range other.Renditions {
		r.Grid = other.Grid
	}
	s := openRAM(t, v, Config{})
	require.Equal(t, other.Grid.SegmentAfter(noon), s.NextSegment(noon, other.Grid), "not after what is stored")
	appendRun(t, v, other, other.Grid.SegmentAfter(noon))
	for _, s := range []*Store{openRAM(t, v, Config{})} {
		listing := s.Edge().Listing("v720")
		require.Len(t, listing.Range(0, 1<<40), 1)
		require.Equal(t, other.Grid.SegmentAfter(noon), listing.First())
		_, err := s.Edge().Find("v720", k)
		require.ErrorIs(t, err, ErrNever)
	}
	names, _ := v.Names()
	require.Len(t, names, 1)
}
