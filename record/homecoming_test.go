package record

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"millrace/output/cmaf"
)

// withSegments is a volume with a block of three segments at each of some numbers.
func withSegments(t *testing.T, l Layout, at ...int64) *ram {
	v := newRAM()
	for _, k := range at {
		for name, f := range written(t, l, k, 3, 0).files {
			v.files[name] = f
		}
	}
	return v
}

// A volume that was away when the store was opened is listed when it is back, while
// the channel runs: between what is listed, before it, and it takes writes again.
func TestVolumeAwayAtTheStartComesBack(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l) - start(l)%blockSegments
	for _, test := range []struct {
		name string
		here []int64 // first segments of blocks on the volume that is there
		back []int64 // on the other one

	}{
		{"between and before", []int64{k + 64, k + 192}, []int64{k, k + 128}},
		{"before all", []int64{k + 192}, []int64{k, k + 64}},
		{"nothing here", nil, []int64{k, k + 64}},
		{"nothing there", []int64{k, k + 64}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := withSegments(t, l, test.here...), withSegments(t, l, test.back...)
			synctest.Test(t, func(t *testing.T) {
				disks := disksOf(a, b)
				b.setAway(unix.ENODEV)
				disks[1].away.Store(true)
				disks[1].absent.Store(true)
				store, err := open(Config{}.withDefaults(), disks)
				require.NoError(t, err)
				s := run(t, store)
				require.NoError(t, s.SetLayout(l))
				writeSegments(s, l, k+256, k+260)
				require.Equal(t, []string{disks[1].name}, s.State().Away)
				for _, n := range test.back {
					g := s.Edge().Listing("v720").Segment(n)
					require.True(t, g == nil || g.Gap(), "%d", n)
				}
				earlier := s.Edge().Listing("v720")
				first := earlier.First()

				b.setAway(nil)
				time.Sleep(2 * probeInterval)
				synctest.Wait()
				require.Empty(t, s.State().Away)
				writeSegments(s, l, k+260, k+264)
				listing := s.Edge().Listing("v720")
				for _, n := range append(append([]int64{}, test.here...), test.back...) {
					require.Equal(t, wanted(l.Renditions[0], n+2, 16, partBytes), bytesOf(t, s.Edge(), "v720", n+2))
				}
				require.Equal(t, first, earlier.First(), "older snapshots keep what they have")
				next := listing.First()
				for g := range listing.All {
					require.Equal(t, next, g.Number, "without holes")
					next++
				}
				require.Equal(t, k+264, next)
				s.stop()

				again, err := open(Config{}.withDefaults(), disksOf(a, b))
				require.NoError(t, err)
				whole, gaps := holding(t, again, l, listing.First(), k+264)
				require.Equal(t, listing.First(), again.Edge().Listing("v720").First(), "as after a restart")
				require.Equal(t, 3*(3*(len(test.here)+len(test.back))+8), whole)
				require.Equal(t, 3*int(k+264-listing.First())-whole, gaps)
				require.NoError(t, again.Close())
			})
		})
	}
}

// What is kept for recordings stays apart from what is listed, and is joined where
// a disk that is back has the rest of it.
func TestReadmitAmongWhatIsKept(t *testing.T) {
	segments := func(numbers ...int64) (r row) {
		for _, n := range numbers {
			r = append(r, &Segment{Segment: cmaf.Segment{Number: n, Complete: true, Parts: make([]cmaf.Part, 1)}})
		}
		return r
	}
	gap := segments(11)[0].gap(11)
	s := &series{kept: []row{append(append(segments(10), gap), segments(12)...)}, segments: segments(100, 101)}
	found := &series{kept: []row{segments(5, 6, 7)}, segments: segments(10, 11, 20, 21, 97, 98, 101, 102)}
	s.readmit(found, pins{{From: 6, To: 13}, {From: 97, To: 99}})
	numbers := func(r row) (list []int64) {
		for _, g := range r {
			n := g.Number
			if g.empty() {
				n = -n
			}
			list = append(list, n)
		}
		return list
	}
	require.Equal(t, [][]int64{{6, 7}, {10, 11, 12}}, [][]int64{numbers(s.kept[0]), numbers(s.kept[1])})
	require.Len(t, s.kept, 2)
	require.Equal(t, int64(20), s.segments[0].Number)
	require.Equal(t, []int64{-96, 97, 98, -99, 100, 101}, numbers(s.segments[len(s.segments)-6:]))
	for i, g := range s.segments {
		require.Equal(t, int64(20+i), g.Number)
	}
}

// What came back expires as everything else does.
func TestWhatCameBackExpires(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l) - start(l)%blockSegments
	b := withSegments(t, l, k, k+64)
	synctest.Test(t, func(t *testing.T) {
		a := newRAM()
		disks := disksOf(a, b)
		b.setAway(unix.ENODEV)
		disks[1].away.Store(true)
		disks[1].absent.Store(true)
		store, err := open(Config{}.withDefaults(), disks)
		require.NoError(t, err)
		s := run(t, store)
		require.NoError(t, s.SetLayout(l))
		writeSegments(s, l, k+128, k+132)
		b.setAway(nil)
		time.Sleep(2 * probeInterval)
		writeSegments(s, l, k+132, k+134)
		require.Equal(t, k, s.Edge().Listing("v720").First())
		require.Equal(t, a.used()+b.used(), s.State().DiskBytes)
		s.Retain(Retention{MaxBytes: 1})
		writeSegments(s, l, k+134, k+136)
		require.Equal(t, k+128, s.Edge().Listing("v720").First())
		require.Empty(t, b.files)
	})
}
