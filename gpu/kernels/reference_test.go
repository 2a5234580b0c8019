package kernels

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// newPicture gives a picture of seeded noise in pinned memory.
func newPicture(t *testing.T, rnd *rand.Rand, w, h int) (Picture, [3][]byte) {
	var planes [3][]byte
	var pinner runtime.Pinner
	t.Cleanup(pinner.Unpin)
	picture := Picture{Width: w, Height: h}
	for i := range planes {
		width, height := w, h
		if i > 0 {
			width, height = w/2, h/2
		}
		planes[i] = make([]byte, width*height)
		for j := range planes[i] {
			planes[i][j] = uint8(rnd.Uint32())
		}
		pinner.Pin(&planes[i][0])
		picture.Plane[i] = unsafe.Pointer(&planes[i][0])
		picture.Stride[i] = width
	}
	return picture, planes
}

// tapsOf is paragraph 4 of the contract, written down again in floating point:
// the weight of every src sample, positions outside clamped.
func tapsOf(n, m, d int, left bool) map[int]float64 {
	r := float64(n) / float64(m)
	s := 0.0
	if left {
		s = (1 - r) / 4
	}
	taps := map[int]float64{}
	add := func(i int, weight float64) { taps[min(max(i, 0), n-1)] += weight }
	if n >= m {
		from, to := float64(d)*r+s, float64(d+1)*r+s
		for i := int(math.Floor(from)); float64(i) < to; i++ {
			add(i, (min(to, float64(i+1))-max(from, float64(i)))/r)
		}
		return taps
	}
	at := (float64(d)+0.5)*r + s - 0.5
	first := math.Floor(at)
	add(int(first), 1-(at-first))
	add(int(first)+1, at-first)
	return taps
}

func TestScaleIsTheContractsFilter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][4]int{
		{64, 36, 32, 18}, {64, 36, 64, 36}, {96, 54, 64, 36}, {96, 54, 42, 24}, {32, 18, 64, 36}, {32, 18, 50, 10},
		{10, 50, 34, 20}, {2, 2, 30, 16}, {30, 16, 2, 2}, {126, 70, 64, 36},
	} {
		src, from := newPicture(t, rnd, size[0], size[1])
		dst, to := newPicture(t, rnd, size[2], size[3])
		Scale(dst, src)
		for p := range to {
			chroma := min(p, 1)
			n, h := src.Width>>chroma, src.Height>>chroma
			m, height := dst.Width>>chroma, dst.Height>>chroma
			for y := range height {
				down := tapsOf(h, height, y, false)
				for x := range m {
					sum := 0.0
					for i, across := range tapsOf(n, m, x, p > 0) {
						for j, weight := range down {
							sum += across * weight * float64(from[p][j*n+i])
						}
					}
					// A tie may fall on either side in floating point.
					require.InDelta(t, sum, float64(to[p][y*m+x]), 0.5+1e-6, "%v plane %d (%d,%d)", size, p, x, y)
				}
			}
		}
	}
}

func TestCompose(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	canvas, out := newPicture(t, rnd, 64, 32)
	source, in := newPicture(t, rnd, 16, 16)
	opaque := Layer{Picture: source, Src: Rect{0, 0, 16, 16}, Dst: Rect{4, 2, 16, 16}, Opacity: 255}
	crop := Layer{Picture: source, Src: Rect{4, 8, 8, 8}, Dst: Rect{-2, 28, 8, 8}, Opacity: 255}
	half := Layer{Picture: source, Src: Rect{0, 0, 16, 16}, Dst: Rect{40, 8, 16, 16}, Opacity: 128, Border: 2, BorderColor: [3]uint8{200, 90, 170}}
	background := [3]uint8{50, 100, 150}
	Compose(canvas, background, []Layer{opaque, crop, half})

	at := func(p, x, y int) int { return int(out[p][y*(64>>min(p, 1))+x]) }
	require.Equal(t, 50, at(0, 0, 0))
	require.Equal(t, 150, at(2, 31, 15))
	require.EqualValues(t, in[0][0], at(0, 4, 2))
	require.EqualValues(t, in[1][3*8+5], at(1, 7, 4))
	require.EqualValues(t, in[0][9*16+6], at(0, 0, 29), "a layer that hangs over the canvas's edge")
	require.EqualValues(t, math.Round((50*127+200*128)/255.), at(0, 41, 9), "border")
	require.EqualValues(t, math.Round((50*127+float64(in[0][2*16+2])*128)/255), at(0, 42, 10), "inside the border")
	require.EqualValues(t, math.Round((150*127+170*128)/255.), at(2, 20, 4), "border's chroma")
}

func TestMaskOfRoundCorners(t *testing.T) {
	const w, h, radius = 40, 30, 10
	luma, chroma := make([]byte, w*h), make([]byte, w*h/4)
	Mask(w, h, radius, 0, luma, chroma)
	area := 0.0
	for y := range h {
		for x := range w {
			c := luma[y*w+x]
			require.Equal(t, c, luma[y*w+w-1-x])
			require.Equal(t, c, luma[(h-1-y)*w+x])
			area += float64(c) / 255
		}
	}
	require.InDelta(t, w*h-(4-math.Pi)*radius*radius, area, 1)
	require.Zero(t, luma[0])
	require.EqualValues(t, 255, luma[w/2])
	mean := int(luma[2*w+2]) + int(luma[2*w+3]) + int(luma[3*w+2]) + int(luma[3*w+3])
	require.EqualValues(t, (mean+2)/4, chroma[w/2+1])

	Mask(w, h, radius, 3, luma, chroma)
	require.Zero(t, luma[2*w+w/2])
	require.EqualValues(t, 255, luma[3*w+w/2])
	require.Zero(t, luma[3*w+3])
	require.EqualValues(t, 128, chroma[1*w/2+w/4], "half in, half out")
	Mask(8, 8, 0, 4, luma, chroma)
	require.Zero(t, luma[3*8+3], "all border")
}
