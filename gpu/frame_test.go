package gpu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFramesAreCountedAndReused(t *testing.T) {
	pool := NewPool(1 << 20)
	defer pool.Close()
	frame, err := pool.Get(Size{320, 180})
	require.NoError(t, err)
	require.Equal(t, 1, pool.Outstanding())
	require.Same(t, frame, frame.Retain())
	frame.Release()
	require.Equal(t, 1, pool.Outstanding())
	frame.Release()
	require.Zero(t, pool.Outstanding())
	require.Panics(t, frame.Release)

	first, err := pool.Get(Size{320, 180})
	require.NoError(t, err)
	other, err := pool.Get(Size{320, 182})
	require.NoError(t, err)
	first.Release()
	again, err := pool.Get(Size{320, 180})
	require.NoError(t, err)
	require.Same(t, first, again)
	again.Release()
	other.Release()
	require.Zero(t, pool.Outstanding())
	require.Panics(t, func() { again.Retain() })
}

func TestPoolKeepsNoMoreThanItsLimit(t *testing.T) {
	size := Size{640, 360}
	pool := NewPool(2 * size.bytes())
	var frames []*Frame
	for range 5 {
		frame, err := pool.Get(size)
		require.NoError(t, err)
		frames = append(frames, frame)
	}
	for _, frame := range frames {
		frame.Release()
	}
	require.Len(t, pool.idle, 2)
	require.Equal(t, 2*size.bytes(), pool.bytes)
	pool.Close()
	require.Empty(t, pool.idle)
}

func TestReleaseAfterClose(t *testing.T) {
	pool := NewPool(1 << 20)
	frame, err := pool.Get(Size{64, 64})
	require.NoError(t, err)
	pool.Close()
	frame.Release()
	require.Zero(t, pool.Outstanding())
	require.Empty(t, pool.idle)
}

func TestPlanes(t *testing.T) {
	pool := NewPool(1 << 20)
	defer pool.Close()
	frame, err := pool.Get(Size{15, 7})
	require.NoError(t, err)
	defer frame.Release()
	luma, stride := frame.Plane(0)
	require.Equal(t, 64*6+15, len(luma))
	require.Equal(t, 64, stride)
	for i := 1; i < 3; i++ {
		chroma, stride := frame.Plane(i)
		require.Equal(t, 64*3+8, len(chroma))
		require.Equal(t, 64, stride)
	}
}

func TestSizesOutOfBounds(t *testing.T) {
	pool := NewPool(0)
	for _, size := range []Size{{}, {1, 2}, {2, 1}, {-4, 4}, {8194, 2}, {2, 8194}, {8192, 8192}} {
		_, err := pool.Get(size)
		require.Error(t, err, size)
	}
	require.Zero(t, pool.Outstanding())
}

func TestRGB(t *testing.T) {
	require.Equal(t, Black(), RGB(0, 0, 0))
	require.Equal(t, Color{235, 128, 128}, RGB(255, 255, 255))
	require.Equal(t, Color{63, 102, 240}, RGB(255, 0, 0))
	require.Equal(t, Color{173, 42, 26}, RGB(0, 255, 0))
	require.Equal(t, Color{32, 240, 118}, RGB(0, 0, 255))
}
