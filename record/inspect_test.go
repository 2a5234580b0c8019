package record

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// onDisk is a folder with whole segments [k, k+3) and some parts of the next,
// as a killed writer leaves it.
func onDisk(t *testing.T, l Layout, k int64) (dir, block string) {
	t.Helper()
	v := written(t, l, k, 3, 5)
	dir = t.TempDir()
	for name, f := range v.files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), f.data, 0o600))
		block = name
	}
	return dir, block
}

func TestCheck(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	dir, block := onDisk(t, l, k)
	path := filepath.Join(dir, block)
	check := func() (all []Finding) {
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		summary, err := Check(t.Context(), dir, func(f Finding) { all = append(all, f) })
		require.NoError(t, err)
		require.Equal(t, len(all), summary.Findings)
		require.Equal(t, 3*(3*16+5), summary.Chunks)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
		return all
	}
	found := check()
	require.Len(t, found, 1)
	require.Contains(t, found[0].Detail, "no index")

	s, err := Open(Config{Dir: dir}) // which repairs
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Empty(t, check())

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	g, err := s.Edge().Find("v240", k+1)
	require.NoError(t, err)
	require.Len(t, g.Parts(), 16)
	text[(*g.body.disk.Load())[7].offset] ^= 1
	require.NoError(t, os.WriteFile(path, text, 0o600))
	require.Equal(t, []Finding{{
		Block: block, Rendition: "v240", Segment: k + 1, Part: 7, Detail: "its bytes are not those that were written",
	}}, check())
}

func TestExport(t *testing.T) {
	l := layoutOf(t, "")
	k := start(l)
	dir, _ := onDisk(t, l, k)
	s, err := OpenReadOnly(Config{Dir: dir})
	require.NoError(t, err)
	defer s.Close()
	to := t.TempDir()
	made, err := Export(t.Context(), s, to)
	require.NoError(t, err)
	require.Len(t, made, 3)
	for i, r := range l.Renditions {
		want := append([]byte(nil), r.Init...)
		for n := k; n < k+3; n++ {
			want = append(want, wanted(r, n, 16, partBytes)...)
		}
		want = append(want, wanted(r, k+3, 5, partBytes)...)
		require.Equal(t, Exported{Name: r.ID + ".mp4", Rendition: r.ID, Segments: 4, Bytes: int64(len(want))}, made[i])
		text, err := os.ReadFile(filepath.Join(to, made[i].Name))
		require.NoError(t, err)
		require.Equal(t, want, text)
	}
	_, err = Export(t.Context(), s, to)
	require.ErrorIs(t, err, os.ErrExist)
}
