package state

import (
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
