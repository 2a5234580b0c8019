package record

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// F25: a disk that stalls. Listing goes on from memory after 100 ms, and the
// store says so until it has caught up.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		var states []State
		s := run(t, openRAM(t, v, Config{OnState: func(state State) { states = append(states, state) }}))
		require.NoError(t, s.SetLayout(l))
		k := l.Grid.SegmentAfter(noon)
		stall := make(chan struct{})
		v.setStall(stall)
		appendPart(s.Store, l, k, 0, partBytes)
		time.Sleep(commitDeadline - 1)
		synctest.Wait()
		require.False(t, listed(s.Edge(), l, k, 0))
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.True(t, listed(s.Edge(), l, k, 0))
		require.True(t, s.State().Degraded)
		for p := 1; p < 16; p++ {
			appendPart(s.Store, l, k, p, partBytes)
			synctest.Wait()
			require.True(t, listed(s.Edge(), l, k, p), "at once while degraded")
		}
		require.Positive(t, s.State().QueuedBytes)
		v.setStall(nil)
		close(stall)
		synctest.Wait()
		require.False(t, s.State().Degraded)
		require.Zero(t, s.State().QueuedBytes)
		require.Zero(t, s.State().Dropped)
		require.Len(t, states, 2)
		require.True(t, states[0].Degraded)
		require.False(t, states[1].Degraded)
		after := openRAM(t, v.crash(0), Config{})
		require.Equal(t, wanted(l.Renditions[0], k, 16, partBytes), bytesOf(t, after.Edge(), "v720", k))
	})
}

// F25: 30 s without the disk. All of it is listed when it is due and served from
// memory, and on disk when that is back.
func TestDiskThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		s := run(t, openRAM(t, v, Config{}))
		require.NoError(t, s.SetLayout(l))
		k := start(l)
		writeSegments(s, l, k, k+5)
		stall := make(chan struct{})
		v.setStall(stall)
		stalled := time.Now()
		n := k + 5
		for ; time.Since(stalled) < 30*time.Second; n++ {
			for p := range 16 {
				appendPart(s.Store, l, n, p, partBytes)
				time.Sleep(200 * time.Millisecond)
				synctest.Wait()
				require.True(t, listed(s.Edge(), l, n, p), "at most a part late")
			}
			require.Equal(t, wanted(l.Renditions[0], n, 16, partBytes), bytesOf(t, s.Edge(), "v720", n))
		}
		require.True(t, s.State().Degraded)
		require.GreaterOrEqual(t, time.Since(s.State().Since), 29*time.Second)
		require.Less(t, openRAM(t, v.crash(0), Config{}).Edge().Listing("v720").Last(), k+6, "none of it is on disk")
		v.setStall(nil)
		close(stall)
		synctest.Wait()
		state := s.State()
		require.False(t, state.Degraded)
		require.Zero(t, state.Dropped)
		require.Zero(t, state.QueuedBytes)
		whole, gaps := holding(t, openRAM(t, v.crash(0), Config{}), l, k, n)
		require.Equal(t, []int{3 * int(n-k), 0}, []int{whole, gaps})
	})
}

// F25: the queue is bounded; beyond it whole segments stay off the disk, and the
// disk says so.
func TestQueueOfASlowDiskIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		s := run(t, openRAM(t, v, Config{QueueBytes: 40_000}))
		require.NoError(t, s.SetLayout(l))
		k := l.Grid.SegmentAfter(noon)
		appendPart(s.Store, l, k, 0, partBytes)
		synctest.Wait()
		stall := make(chan struct{})
		v.setStall(stall)
		for n := k; n < k+6; n++ {
			for p := range 16 {
				if n > k || p > 0 {
					appendPart(s.Store, l, n, p, partBytes)
				}
				time.Sleep(200 * time.Millisecond)
				synctest.Wait()
				require.True(t, listed(s.Edge(), l, n, p))
				require.Equal(t, wanted(l.Renditions[1], n, p+1, partBytes), bytesOf(t, s.Edge(), "v240", n))
			}
		}
		require.Less(t, s.State().QueuedBytes, int64(50_000))
		require.Positive(t, s.State().Dropped)
		v.setStall(nil)
		close(stall)
		synctest.Wait()
		for n := k + 6; n < k+46; n++ { // until the dropped ones have left memory
			for p := range 16 {
				appendPart(s.Store, l, n, p, partBytes)
				synctest.Wait()
			}
		}
		require.False(t, s.State().Degraded)
		after := openRAM(t, v.crash(0), Config{})
		gaps := 0
		for n := k; n < k+46; n++ {
			for _, r := range l.Renditions {
				g := s.Edge().Listing(r.ID).Segment(n)
				require.Equal(t, g.Gap(), after.Edge().Listing(r.ID).Segment(n).Gap(), "%s %d", r.ID, n)
				if g.Gap() {
					gaps++
					continue
				}
				require.Equal(t, wanted(r, n, 16, partBytes), bytesOf(t, s.Edge(), r.ID, n))
				require.Equal(t, wanted(r, n, 16, partBytes), bytesOf(t, after.Edge(), r.ID, n))
			}
		}
		require.Equal(t, uint64(gaps), s.State().Dropped)
	})
}

// F24: a full disk. The oldest blocks make room, live goes on.
func TestFullDiskTrimsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		v.capacity = 16 << 20
		s := run(t, openRAM(t, v, Config{}))
		require.NoError(t, s.SetLayout(l))
		k := start(l)
		for n := k; n < k+1200; n++ {
			for p := range 16 {
				appendPart(s.Store, l, n, p, partBytes)
			}
			synctest.Wait()
			require.True(t, listed(s.Edge(), l, n, 15))
		}
		require.Zero(t, s.State().Dropped)
		listing := s.Edge().Listing("v720")
		require.Greater(t, listing.Last()-listing.First(), int64(500))
		for _, n := range []int64{listing.First(), listing.First() + 100, listing.Last()} {
			require.Equal(t, wanted(l.Renditions[0], n, 16, partBytes), bytesOf(t, s.Edge(), "v720", n))
		}
		require.Equal(t, v.used(), s.State().DiskBytes)
	})
}

// F24, F26: whatever the disk says, live goes on from memory, the state names
// the fault, and what is whole on disk after it returns is listed as whole.
func TestFailingDisk(t *testing.T) {
	for _, row := range []struct {
		operation string
		err       error
	}{
		{"write", unix.ENOSPC}, {"write", unix.EIO}, {"sync", unix.EIO}, {"sync", unix.ENOSPC}, {"create", unix.ENOSPC},
	} {
		t.Run(fmt.Sprintf("%s %v", row.operation, row.err), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, l := newRAM(), layoutOf(t, "")
				s := run(t, openRAM(t, v, Config{}))
				require.NoError(t, s.SetLayout(l))
				k := start(l)
				v.fail(row.operation, row.err)
				faulty := false
				for n := k; n < k+60; n++ {
					if n == k+25 {
						v.fail(row.operation, nil)
					}
					if n == k+50 {
						v.fail(row.operation, row.err)
					}
					for p := range 16 {
						appendPart(s.Store, l, n, p, partBytes)
						synctest.Wait()
						require.True(t, listed(s.Edge(), l, n, p))
						require.Equal(t, wanted(l.Renditions[1], n, p+1, partBytes), bytesOf(t, s.Edge(), "v240", n))
						faulty = faulty || s.State().Fault != ""
						time.Sleep(200 * time.Millisecond)
					}
				}
				require.True(t, faulty)
				require.Equal(t, row.operation != "create", s.State().Degraded, "an open block needs no creation")
				after := openRAM(t, v.crash(0), Config{})
				for n := k + 26; n < k+50; n++ {
					require.Equal(t, wanted(l.Renditions[0], n, 16, partBytes), bytesOf(t, after.Edge(), "v720", n))
				}
				for n := after.Edge().Listing("v240").First(); n <= after.Edge().Listing("v240").Last(); n++ {
					g, err := after.Edge().Find("v240", n)
					if errors.Is(err, ErrLost) {
						continue
					}
					require.NoError(t, err)
					require.Equal(t, wanted(l.Renditions[1], n, len(g.Parts()), partBytes), bytesOf(t, after.Edge(), "v240", n))
				}
			})
		})
	}
}

// F26: a write or sync that has failed is not asked again of the same block:
// what was in flight goes into a new one, and is durable before it is listed.
func TestOneFaultMovesToANewBlock(t *testing.T) {
	for _, operation := range []string{"sync", "write"} {
		synctest.Test(t, func(t *testing.T) {
			v, l := newRAM(), layoutOf(t, "")
			s := run(t, openRAM(t, v, Config{}))
			require.NoError(t, s.SetLayout(l))
			k := start(l)
			for p := range 16 {
				if p == 5 {
					v.failOnce(operation, unix.EIO)
				}
				appendPart(s.Store, l, k, p, partBytes)
				synctest.Wait()
				require.True(t, listed(openRAM(t, v.crash(0), Config{}).Edge(), l, k, p))
			}
			require.False(t, s.State().Degraded)
			require.Zero(t, s.State().Dropped)
			names, _ := v.Names()
			require.Equal(t, []string{blockName(k, 0), blockName(k, 1)}, names)
			s.stop()
			after := openRAM(t, v, Config{})
			require.Equal(t, wanted(l.Renditions[0], k, 16, partBytes), bytesOf(t, after.Edge(), "v720", k))
		})
	}
}

// F27, F28: at every moment of a run with random groups, what was listed is
// there after a crash, with any amount of what was not synced.
func TestCrashAtRandomMoments(t *testing.T) {
	l := layoutOf(t, "")
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		v, k := newRAM(), start(l)
		type shot struct {
			volume *ram
			edge   *Edge
		}
		var shots []shot
		synctest.Test(t, func(t *testing.T) {
			s := run(t, openRAM(t, v, Config{MaxBytes: 30 << 20}))
			require.NoError(t, s.SetLayout(l))
			for n := k; n < k+6; n++ {
				for p := range 16 {
					for _, r := range l.Renditions {
						s.Append(chunkOf(r, n, p, 20+rnd.IntN(partBytes)))
						if rnd.IntN(20) == 0 {
							edge := s.Edge() // before what lies on disk now
							shots = append(shots, shot{v.crash(rnd.IntN(2000) - 1), edge})
						}
					}
					time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
				}
			}
		})
		for _, c := range shots {
			after := openRAM(t, c.volume, Config{})
			for _, listing := range c.edge.Listings() {
				for _, g := range listing.Range(0, 1<<40) {
					found, err := after.Edge().Find(listing.ID, g.Number)
					require.NoError(t, err)
					require.GreaterOrEqual(t, len(found.Parts()), len(g.Parts()))
					require.Equal(t, g.Parts(), found.Parts()[:len(g.Parts())])
					require.NoError(t, found.Check(0, len(found.Parts())))
				}
			}
		}
	}
}
