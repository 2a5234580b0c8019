package main

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu/cuda"
	"millrace/gpu/cudaemu"
	"millrace/gpu/kernels"
)

// emulated opens the driver emulation, test equipment, and sees that all comes back.
func emulated(t *testing.T) *card {
	t.Helper()
	library, err := cudaemu.Build(t.TempDir())
	require.NoError(t, err)
	driver, err := cuda.Load(library)
	require.NoError(t, err)
	require.True(t, driver.Emulated())
	c, err := openCard(driver, 0)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.close()
		require.Zero(t, driver.Live(), "left on the card")
	})
	return c
}

// The kernel, run by the emulation, equals the reference within 1 on hundreds of
// random scenes.
func TestParity(t *testing.T) {
	c := emulated(t)
	result, err := c.parity(7, 400)
	require.NoError(t, err)
	require.Equal(t, 400, result.scenes)
	require.LessOrEqual(t, result.most, 1)
	t.Logf("%+v", result)
}

// The ladder that the benchmark measures, at its size, with a rung of every kind:
// copied tiles, windows that straddle tiles, and one beyond a tile's reach.
func TestParityOfTheBenchmarksLadder(t *testing.T) {
	c := emulated(t)
	s := &set{}
	defer s.free()
	rnd := rand.New(rand.NewPCG(5, 5))
	show := kernels.Show{}
	for i := range 2 {
		source, err := newPicture(c.device, shape{1920, 1080, i == 0})
		require.NoError(t, err)
		s.sources = append(s.sources, source)
		source.noise(rnd)
		require.NoError(t, c.upload(source))
	}
	for i := range 4 {
		source := s.sources[i%2]
		show.Layers = append(show.Layers, kernels.Layer{
			Picture: source.at(source.card.Address), Src: kernels.Rect{W: 1920, H: 1080},
			Dst: kernels.Rect{X: i % 2 * 960, Y: i / 2 * 540, W: 960, H: 540}, Opacity: 255,
		})
	}
	var outs []*picture
	for _, shape := range []shape{{1920, 1080, true}, {1280, 720, true}, {854, 480, true}, {640, 360, false}, {96, 54, false}} {
		p, err := newPicture(c.device, shape)
		require.NoError(t, err)
		p.noise(rnd)
		require.NoError(t, c.upload(p))
		outs = append(outs, p)
		show.Rungs = append(show.Rungs, shape.at(p.card.Address))
	}
	show.Canvas, show.Rungs = show.Rungs[0], show.Rungs[1:]
	s.shows, s.outs = []kernels.Show{show}, [][]*picture{outs}
	l, err := c.pack(s.shows)
	require.NoError(t, err)
	defer l.free()
	require.Equal(t, 765, l.grid.Across)
	require.NoError(t, c.launch(l))
	for _, p := range outs {
		require.NoError(t, c.download(p))
	}
	require.NoError(t, c.finish())
	var result parityResult
	require.NoError(t, c.compare(s, 0, &result))
	require.LessOrEqual(t, result.most, 1, result.where)
}

// The measuring code runs through; what it measures here means nothing.
func TestMeasuring(t *testing.T) {
	c := emulated(t)
	b, err := newBench(c, 1, 1)
	require.NoError(t, err)
	defer b.free()
	require.Equal(t, 17_894_880, b.useful)
	source := shape{64, 64, true}
	b.free()
	b.memory, b.shows = nil, nil
	random, err := newPicture(c.device, source)
	require.NoError(t, err)
	defer random.free()
	memory, err := b.alloc(source)
	require.NoError(t, err)
	b.shows = []kernels.Show{{Canvas: source.at(memory.Address)}}
	m, err := b.measure()
	require.NoError(t, err)
	require.Positive(t, m.all)
	require.Positive(t, m.share())
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	var out bytes.Buffer
	err := run(&out, "libcuda-that-is-not-there.so", 0, 1, 1, 1, 1)
	require.ErrorIs(t, err, cuda.ErrNoDriver)
	require.ErrorContains(t, err, "no CUDA driver: libcuda-that-is-not-there.so: cannot open shared object file")
	require.Empty(t, out.String())
}
