package record

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
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
