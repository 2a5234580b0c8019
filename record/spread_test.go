package record

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// writeSegments appends whole segments [from, to) at once, and waits for each.
func writeSegments(s running, l Layout, from, to int64) {
	for k := from; k < to; k++ {
		for p := range 16 {
			appendPart(s.Store, l, k, p, partBytes)
		}
		synctest.Wait()
	}
}

// holding counts the segments that are listed and read back, and those that are gaps.
func holding(t *testing.T, s *Store, l Layout, from, to int64) (whole, gaps int) {
	t.Helper()
	for k := from; k < to; k++ {
		for _, r := range l.Renditions {
			g := s.Edge().Listing(r.ID).Segment(k)
			require.NotNil(t, g, "%s %d", r.ID, k)
			described := g.Describe()
			if g.Gap() {
				require.Empty(t, described.Parts)
				_, err := s.Edge().Find(r.ID, k)
				require.ErrorIs(t, err, ErrLost)
				gaps++
				continue
			}
			require.Equal(t, wanted(r, k, 16, partBytes), bytesOf(t, s.Edge(), r.ID, k))
			whole++
		}
	}
	return whole, gaps
}

func openSpread(t *testing.T, config Config, volumes ...*ram) *Store {
	t.Helper()
	s, err := open(config.withDefaults(), disksOf(volumes...))
	require.NoError(t, err)
	return s
}

// Blocks go where the most room is. Without one of the volumes what it holds is
// a gap, whatever the order in which the others are named.
func TestBlocksSpreadOverVolumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, l := newRAM(), newRAM(), layoutOf(t, "")
		a.capacity, b.capacity = 20<<20, 19<<20
		s := run(t, openSpread(t, Config{}, a, b))
		require.NoError(t, s.SetLayout(l))
		k := start(l)
		const segments = 500
		writeSegments(s, l, k, k+segments)
		require.Zero(t, s.State().Dropped)
		require.InDelta(t, a.capacity-a.used(), b.capacity-b.used(), 2<<20)
		require.Equal(t, a.used()+b.used(), s.State().DiskBytes)
		whole, gaps := holding(t, s.Store, l, k, k+segments)
		require.Equal(t, []int{3 * segments, 0}, []int{whole, gaps})
		s.stop()

		after := openSpread(t, Config{}, b.crash(0), a.crash(0))
		whole, gaps = holding(t, after, l, k, k+segments)
		require.Equal(t, []int{3 * segments, 0}, []int{whole, gaps})

		alone := openSpread(t, Config{}, a.crash(0))
		first, last := alone.Edge().Listing("v720").First(), alone.Edge().Listing("v720").Last()
		whole, gaps = holding(t, alone, l, first, last+1)
		require.Greater(t, whole, segments)
		require.Greater(t, gaps, segments/3)
	})
}

// F24: a volume without room is no fault as long as another one has some.
func TestFullVolumeGivesWayToAnother(t *testing.T) {
	for name, reserve := range map[string]int64{"to the last byte": 0, "reserve": 4 << 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, l := newRAM(), newRAM(), layoutOf(t, "")
				a.capacity, b.capacity = 20<<20, 100<<20
				s := run(t, openSpread(t, Config{ReserveBytes: reserve}, a, b))
				require.NoError(t, s.SetLayout(l))
				k := start(l)
				writeSegments(s, l, k, k+200)
				b.mu.Lock()
				b.capacity = b.used() + reserve + 512<<10 // somebody else fills it
				b.mu.Unlock()
				writeSegments(s, l, k+200, k+300)
				require.False(t, s.State().Degraded)
				require.Zero(t, s.State().Dropped)
				whole, gaps := holding(t, s.Store, l, k, k+300)
				require.Equal(t, []int{3 * 300, 0}, []int{whole, gaps})
				require.Positive(t, a.used())
				require.GreaterOrEqual(t, b.capacity-b.used(), reserve)
				require.Greater(t, b.used(), int64(1<<20))
			})
		})
	}
}

// F26: a volume that fails is left for the other one, and nothing is lost.
func TestFailingVolumeGivesWayToAnother(t *testing.T) {
	for _, operation := range []string{"write", "sync", "create"} {
		synctest.Test(t, func(t *testing.T) {
			a, b, l := newRAM(), newRAM(), layoutOf(t, "")
			a.capacity = 1 << 40 // it is asked first
			b.capacity = 1 << 39
			s := run(t, openSpread(t, Config{}, a, b))
			require.NoError(t, s.SetLayout(l))
			k := start(l)
			writeSegments(s, l, k, k+5)
			require.Positive(t, a.used())
			a.fail(operation, unix.EIO)
			for n := k + 5; n < k+80; n++ {
				for p := range 16 {
					appendPart(s.Store, l, n, p, partBytes)
					synctest.Wait()
					require.False(t, s.State().Degraded)
				}
				after := openSpread(t, Config{}, a.crash(0), b.crash(0))
				require.Equal(t, wanted(l.Renditions[0], n, 16, partBytes), bytesOf(t, after.Edge(), "v720", n), operation)
			}
			require.Zero(t, s.State().Dropped)
			whole, gaps := holding(t, s.Store, l, k, k+80)
			require.Equal(t, []int{3 * 80, 0}, []int{whole, gaps})
		})
	}
}

// A volume that is away costs what it holds while it is away: live goes on, on
// the other one or from memory, and what it held is there again afterwards.
func TestVolumeGoneAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, l := newRAM(), newRAM(), layoutOf(t, "")
		a.capacity, b.capacity = 1<<40, 1<<39
		s := run(t, openSpread(t, Config{}, a, b))
		require.NoError(t, s.SetLayout(l))
		k := start(l)
		writeSegments(s, l, k, k+40)
		require.Zero(t, b.used())
		a.setAway(unix.EIO)
		writeSegments(s, l, k+40, k+80)
		require.Equal(t, []string{"ram0"}, s.State().Away)
		require.Zero(t, s.State().Dropped)
		require.False(t, s.State().Degraded)
		_, gaps := holding(t, s.Store, l, k, k+80)
		require.Equal(t, 3*40, gaps)
		time.Sleep(probeInterval)
		_, gaps = holding(t, s.Store, l, k, k+80)
		require.Equal(t, 3*40, gaps, "it is still away")
		a.setAway(nil)
		time.Sleep(probeInterval)
		whole, gaps := holding(t, s.Store, l, k, k+80)
		require.Equal(t, []int{3 * 80, 0}, []int{whole, gaps})
		require.Empty(t, s.State().Away)
	})
}

func TestOnlyVolumeGoneAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, l := newRAM(), layoutOf(t, "")
		s := run(t, openRAM(t, v, Config{}))
		require.NoError(t, s.SetLayout(l))
		k := start(l)
		writeSegments(s, l, k, k+40)
		v.setAway(unix.ENODEV)
		for n := k + 40; n < k+80; n++ {
			for p := range 16 {
				appendPart(s.Store, l, n, p, partBytes)
				synctest.Wait()
				require.True(t, listed(s.Edge(), l, n, p))
				require.Equal(t, wanted(l.Renditions[1], n, p+1, partBytes), bytesOf(t, s.Edge(), "v240", n))
				time.Sleep(200 * time.Millisecond)
			}
		}
		require.True(t, s.State().Degraded)
		require.Contains(t, s.State().Fault, unix.ENODEV.Error())
		require.Equal(t, []string{"ram0"}, s.State().Away)
		require.True(t, s.Edge().Listing("v720").Segment(k).Gap())
		v.setAway(nil)
		time.Sleep(retryAfter)
		writeSegments(s, l, k+80, k+120)
		require.False(t, s.State().Degraded)
		require.Empty(t, s.State().Away)
		whole, _ := holding(t, s.Store, l, k, k+40)
		require.Equal(t, 3*40, whole, "what it held is there again")
		whole, _ = holding(t, s.Store, l, k+81, k+120)
		require.Equal(t, 3*39, whole)
	})
}

// A bad place on a disk is not a disk that is away: it costs its segment.
func TestUnreadableSegmentIsNoVolumeAway(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	v := written(t, l, k, 3, 0)
	s := run(t, openRAM(t, v, Config{}))
	v.failOnce("read", unix.EIO)
	g, err := s.Edge().Find("v720", k+1)
	require.NoError(t, err)
	require.ErrorIs(t, g.Check(0, 16), ErrLost)
	require.Empty(t, s.State().Away)
	_, err = s.Edge().Find("v720", k+1)
	require.ErrorIs(t, err, ErrLost)
	require.Equal(t, wanted(l.Renditions[0], k, 16, partBytes), bytesOf(t, s.Edge(), "v720", k))
}

// onFolders is a store in two real folders, with blocks in both.
func onFolders(t *testing.T, l Layout, k int64) (dirs []string, s *Store) {
	t.Helper()
	root := t.TempDir()
	dirs = []string{filepath.Join(root, "one", "main"), filepath.Join(root, "two", "main")}
	for i, dir := range dirs {
		v := written(t, l, k+int64(i)*100, 3, 0)
		require.NoError(t, os.MkdirAll(dir, 0o750))
		for name, f := range v.files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), f.data, 0o600))
		}
	}
	s, err := Open(Config{Dirs: dirs})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return dirs, s
}

// A file system that is taken away leaves a path that leads nowhere; mounted
// again, the path leads to another folder than the one that is open.
func TestFolderGoneAndMountedAgain(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	dirs, s := onFolders(t, l, k)
	elsewhere := dirs[0] + ".away"
	require.Equal(t, wanted(l.Renditions[0], k, 16, partBytes), bytesOf(t, s.Edge(), "v720", k))
	require.NoError(t, os.Rename(dirs[0], elsewhere))
	require.True(t, s.disks[0].suspect())
	require.Equal(t, []string{dirs[0]}, s.State().Away)
	require.True(t, s.Edge().Listing("v720").Segment(k).Gap())
	require.False(t, s.Edge().Listing("v720").Segment(k+100).Gap())
	require.NoError(t, os.CopyFS(dirs[0], os.DirFS(elsewhere)))
	require.NoError(t, os.RemoveAll(elsewhere))
	require.False(t, s.disks[0].suspect())
	require.Empty(t, s.disks[0].handles.open, "files of the folder that is gone")
	require.Equal(t, wanted(l.Renditions[0], k, 16, partBytes), bytesOf(t, s.Edge(), "v720", k))
}

// A volume that cannot be opened costs what it holds, and not the channel.
func TestVolumeAwayAtTheStart(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	dirs, s := onFolders(t, l, k)
	require.NoError(t, s.Close())
	require.NoError(t, os.Rename(dirs[1], dirs[1]+".away"))
	require.NoError(t, os.WriteFile(dirs[1], nil, 0o600)) // no folder can be made here
	less, err := Open(Config{Dirs: dirs})
	require.NoError(t, err)
	require.Equal(t, []string{dirs[1]}, less.State().Away)
	require.Equal(t, k+2, less.Edge().Listing("v720").Last())
	require.NoError(t, os.Remove(dirs[1]))
	require.NoError(t, os.Rename(dirs[1]+".away", dirs[1]))
	require.False(t, less.disks[1].suspect(), "it takes writes again")
	require.NoError(t, less.Close())

	whole, err := Open(Config{Dirs: dirs})
	require.NoError(t, err)
	require.Equal(t, k+102, whole.Edge().Listing("v720").Last())
	_, err = Open(Config{Dirs: dirs[1:]})
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, whole.Close())
}
