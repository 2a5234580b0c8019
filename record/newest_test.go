package record

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewest(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	for _, test := range []struct {
		name   string
		size   int  // of a part, bytes: 48 of them a segment
		sealed bool // the store was closed in order
		harm   func(t *testing.T, block string)
	}{
		{"a sealed block", 200, true, nil},
		{"a block that was being written", 200, false, nil},
		{"a large block that was being written", 60_000, false, nil},
		{"a large block with a torn end", 60_000, false, func(t *testing.T, block string) {
			info, err := os.Stat(block)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(block, info.Size()-100))
		}},
		{"a large block without a good header", 60_000, false, func(t *testing.T, block string) {
			f, err := os.OpenFile(block, os.O_RDWR, 0)
			require.NoError(t, err)
			_, err = f.WriteAt(make([]byte, headerSize), 0)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dirs := []string{t.TempDir(), filepath.Join(t.TempDir(), "away")}
			_, _, ok, err := Newest(dirs)
			require.NoError(t, err)
			require.False(t, ok)
			s, err := Open(Config{Dirs: dirs[:1]})
			require.NoError(t, err)
			r := run(t, s)
			require.NoError(t, s.SetLayout(l))
			for n := k; n < k+5; n++ {
				for p := range 16 {
					appendPart(s, l, n, p, test.size)
				}
				await(t, s, l, n, 15)
			}
			require.Eventually(t, func() bool { return s.State().QueuedBytes == 0 }, time.Minute, time.Millisecond) // on disk
			if test.sealed {
				r.stop()
			}
			blocks, err := filepath.Glob(filepath.Join(dirs[0], "*.block"))
			require.NoError(t, err)
			require.Len(t, blocks, 1)
			if test.harm != nil {
				copied := filepath.Join(t.TempDir(), filepath.Base(blocks[0]))
				data, err := os.ReadFile(blocks[0])
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(copied, data, 0o600))
				test.harm(t, copied)
				dirs[0] = filepath.Dir(copied)
			}
			begin, next, ok, err := Newest(dirs)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, l.Grid.SegmentTime(k+4), begin)
			require.Equal(t, l.Grid.SegmentTime(k+5), next)
		})
	}
}

// Somebody deletes what is being written: the next thing that is written notices.
func TestADeletedFolderIsAway(t *testing.T) {
	dir, l := filepath.Join(t.TempDir(), "demo"), layoutOf(t, "")
	s, err := Open(Config{Dirs: []string{dir}})
	require.NoError(t, err)
	run(t, s)
	require.NoError(t, s.SetLayout(l))
	k := start(l)
	appendPart(s, l, k, 0, partBytes)
	await(t, s, l, k, 0)
	require.Eventually(t, func() bool { return s.State().QueuedBytes == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, os.RemoveAll(dir))
	appendPart(s, l, k, 1, partBytes)
	require.Eventually(t, func() bool { return len(s.State().Away) == 1 }, time.Minute, time.Millisecond)
	await(t, s, l, k, 1) // from memory
}
