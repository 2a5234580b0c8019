package state

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func open(t *testing.T, dir string) *Embedded {
	t.Helper()
	store, err := OpenEmbedded(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	return store
}

func TestDocuments(t *testing.T) {
	store, ctx := open(t, t.TempDir()), t.Context()

	_, err := store.Get(ctx, "source", "cam1")
	require.ErrorIs(t, err, ErrNotFound)

	first, err := store.Create(ctx, "source", "cam1", []byte("a"))
	require.NoError(t, err)
	_, err = store.Create(ctx, "source", "cam1", []byte("b"))
	require.ErrorIs(t, err, ErrExists)

	second, err := store.Put(ctx, "source", "cam1", []byte("c"), first)
	require.NoError(t, err)
	require.Greater(t, second, first)
	_, err = store.Put(ctx, "source", "cam1", []byte("d"), first)
	require.ErrorIs(t, err, ErrStale)
	require.ErrorIs(t, store.Delete(ctx, "source", "cam1", first), ErrStale)

	got, err := store.Get(ctx, "source", "cam1")
	require.NoError(t, err)
	require.Equal(t, Document{"source", "cam1", second, []byte("c")}, got)

	require.NoError(t, store.Delete(ctx, "source", "cam1", second))
	_, err = store.Get(ctx, "source", "cam1")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = store.Create(ctx, "source", "cam1", []byte("again"))
	require.NoError(t, err, "an id may be used again")
}

func TestListIsOrderedAndByKind(t *testing.T) {
	store, ctx := open(t, t.TempDir()), t.Context()
	empty, err := store.List(ctx, "source")
	require.NoError(t, err)
	require.Empty(t, empty)
	for _, id := range []string{"b", "c", "a"} {
		_, err := store.Create(ctx, "source", id, []byte(id))
		require.NoError(t, err)
	}
	_, err = store.Create(ctx, "channel", "x", []byte("x"))
	require.NoError(t, err)
	require.NoError(t, store.Delete(ctx, "source", "c", AnyRevision))
	list, err := store.List(ctx, "source")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "a", list[0].ID)
	require.Equal(t, "b", list[1].ID)
}

func TestReopenKeepsWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	store := open(t, dir)
	rev, err := store.Create(t.Context(), "key", "k", []byte("v"))
	require.NoError(t, err)

	_, err = OpenEmbedded(t.Context(), dir)
	require.ErrorIs(t, err, ErrLocked)

	require.NoError(t, store.Close())
	again := open(t, dir)
	got, err := again.Get(t.Context(), "key", "k")
	require.NoError(t, err)
	require.Equal(t, rev, got.Revision)
	require.Equal(t, "v", string(got.Value))
}

// F24: a full disk refuses changes at once, and takes them again when it has
// room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	e, err := OpenEmbedded(t.Context(), dir)
	require.NoError(t, err)
	defer e.Close()
	_, err = e.Create(t.Context(), "thing", "a", []byte("1"))
	require.NoError(t, err)
	filler, err := os.Create(filepath.Join(dir, "filler"))
	require.NoError(t, err)
	defer filler.Close()
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	for range 20 {
		_, err = e.Create(t.Context(), "thing", "b", make([]byte, 1000))
		require.ErrorIs(t, err, ErrFull)
		_, err = e.Put(t.Context(), "thing", "a", []byte("2"), AnyRevision)
		require.ErrorIs(t, err, ErrFull)
		require.ErrorIs(t, e.Delete(t.Context(), "thing", "a", AnyRevision), ErrFull)
	}
	require.NoError(t, filler.Truncate(0))
	_, err = e.Create(t.Context(), "thing", "b", []byte("3"))
	require.NoError(t, err)
	read, err := e.Get(t.Context(), "thing", "a")
	require.NoError(t, err)
	require.Equal(t, "1", string(read.Value))
}
