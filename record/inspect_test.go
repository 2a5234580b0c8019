package record

import (
	"bytes"
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
	check := func(open ...OpenBlock) (all []Finding) {
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		summary, err := Check(t.Context(), []string{dir}, func(f Finding) { all = append(all, f) })
		require.NoError(t, err)
		require.Equal(t, len(all), summary.Findings)
		require.Equal(t, append([]OpenBlock{}, open...), summary.Open)
		require.Equal(t, 3*(3*16+5), summary.Chunks)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
		return all
	}
	require.Empty(t, check(OpenBlock{Block: block}), "a block that is being written is whole")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(whole[:len(whole):len(whole)], "not finished"...), 0o600))
	require.Empty(t, check(OpenBlock{Block: block, Tail: 12}))

	s, err := Open(Config{Dirs: []string{dir}}) // which repairs
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
	s, err := OpenReadOnly(Config{Dirs: []string{dir}})
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

// A block that is not sealed has no index that could tell of a record that is
// damaged: the hole between the good ones does.
func TestCheckFindsDamageInAnOpenBlock(t *testing.T) {
	l := layoutOf(t, "")
	dir, block := onDisk(t, l, start(l))
	path := filepath.Join(dir, block)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, at := range map[string]int{"payload": bytes.Index(whole, chunkOf(l.Renditions[0], start(l)+1, 3, partBytes).Data) + 50, "header": 0} {
		t.Run(name, func(t *testing.T) {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 1
			require.NoError(t, os.WriteFile(path, damaged, 0o600))
			var found []Finding
			summary, err := Check(t.Context(), []string{dir}, func(f Finding) { found = append(found, f) })
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, 1, summary.Findings)
			require.Contains(t, found[0].Detail, map[string]string{"payload": "bytes between its records", "header": "header is damaged"}[name])
		})
	}
}
