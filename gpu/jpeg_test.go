package gpu

import (
	"bytes"
	"image/jpeg"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJPEGShowsTheColours(t *testing.T) {
	device := openCPU(t)
	f, err := device.NewFrame(Size{960, 540})
	require.NoError(t, err)
	defer f.Release()
	for p := range 3 {
		pixels, stride := f.Plane(p)
		size := f.Size
		if p > 0 {
			size = size.Chroma()
		}
		for y := range size.Height {
			for x := range size.Width {
				c := stripes()[x*len(stripes())/size.Width]
				color := RGB(c[0], c[1], c[2])
				pixels[y*stride+x] = [3]uint8{color.Y, color.Cb, color.Cr}[p]
			}
		}
	}
	for _, test := range []struct {
		width  int
		aspect float64
		height int
	}{{320, 1, 180}, {321, 1, 180}, {320, 4.0 / 3, 136}, {1280, 1, 720}} {
		f.Aspect = test.aspect
		data, err := EncodeJPEG(device, f, test.width)
		require.NoError(t, err)
		picture, err := jpeg.Decode(bytes.NewReader(data))
		require.NoError(t, err)
		bounds := picture.Bounds()
		require.Equal(t, test.width&^1, bounds.Dx())
		require.Equal(t, test.height, bounds.Dy())
		for i, c := range stripes() {
			r, g, b, _ := picture.At((2*i+1)*bounds.Dx()/(2*len(stripes())), bounds.Dy()/2).RGBA()
			require.InDelta(t, c[0], r>>8, 6, "%v", c)
			require.InDelta(t, c[1], g>>8, 6, "%v", c)
			require.InDelta(t, c[2], b>>8, 6, "%v", c)
		}
	}
	_, err = EncodeJPEG(device, f, 0)
	require.Error(t, err)
	_, err = EncodeJPEG(device, f, 100_000)
	require.Error(t, err)
}
