package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// The load of the figures is what the goals are stated for: 17.9 MB a show.
func TestLoad(t *testing.T) {
	c := emulated(t)
	b, err := newBench(c, fullHD(), 1, 1)
	require.NoError(t, err)
	defer b.free()
	require.Equal(t, 17_894_880, b.useful)
	require.Len(t, b.shows[0].Layers, 4)
	require.Len(t, b.shows[0].Rungs, 3)
}

// The chain of filters launches as often as FFmpeg's, and draws the same show.
func TestChain(t *testing.T) {
	c := emulated(t)
	b, err := newBench(c, brief(), 2, 1)
	require.NoError(t, err)
	defer b.free()
	r, err := b.measureChain()
	require.NoError(t, err)
	require.Equal(t, 22, r.launches)
	require.Greater(t, r.canvasPSNR, 60.0) // down to a third its filter is the area average too
	require.Greater(t, r.rungPSNR, 60.0)
	require.Positive(t, r.alongside)
}

// Every measurement runs through on the emulation and says that its speed is nobody's.
func TestTable(t *testing.T) {
	library, err := cudaemu.Build(t.TempDir())
	require.NoError(t, err)
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "results", "table.json")
	require.NoError(t, run(&out, options{library: library, scenes: 3, seed: 1, shows: 2, repeats: 1, inputs: 4, seconds: 1, json: path}))
	t.Log(out.String())
	require.Contains(t, out.String(), "TEST EQUIPMENT")
	var made report
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &made))
	require.True(t, made.Emulated)
	results := map[string]row{}
	for _, row := range made.Rows {
		results[row.Name] = row
		require.Contains(t, out.String(), row.Name)
	}
	require.Contains(t, results["parity"].Result, "3 scenes")
	require.Len(t, results, 12)
	for _, name := range []string{"gpu-kernel", "one show alone", "gpu-chain", "submission", "  with 28 uploads", "gpu-decode-compose", "gpu-density"} {
		require.Equal(t, row{Name: name, Result: "ran through; emulated: no speed"}, results[name])
	}
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	var out bytes.Buffer
	err := run(&out, options{library: "libcuda-that-is-not-there.so"})
	require.ErrorIs(t, err, cuda.ErrNoDriver)
	require.ErrorContains(t, err, "no CUDA driver: libcuda-that-is-not-there.so: cannot open shared object file")
	require.Empty(t, out.String())
	require.ErrorContains(t, run(&out, options{only: "gpu-kernel,nothing"}), `there is no measurement "nothing"`)
}

// A card without NVENC has no density, and says why; one whose memory is used up says so
// in its row, and the other rows are there.
func TestRowsThatFail(t *testing.T) {
	library, err := cudaemu.Build(t.TempDir())
	require.NoError(t, err)
	t.Setenv(cudaemu.Faults, "memory=3000000")
	var out bytes.Buffer
	err = run(&out, options{library: library, scenes: 1, seed: 1, shows: 2, repeats: 1, inputs: 4, seconds: 1, only: "submission,parity"})
	require.ErrorContains(t, err, "submission: ")
	require.ErrorContains(t, err, "out of memory")
	require.Contains(t, out.String(), "submission             failed: ")
	require.Contains(t, out.String(), "1 scenes")
}
