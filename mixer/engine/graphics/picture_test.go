package graphics

import (
	"image"
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/mixer/scene"
)

// halves is red on its left, green at half strength on its right.
func halves(width, height int) *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			if x < width/2 {
				p.SetRGBA(x, y, color.RGBA{255, 0, 0, 255})
			} else {
				p.SetRGBA(x, y, color.RGBA{0, 128, 0, 128})
			}
		}
	}
	return p
}

// TestPicture: where a picture of 80 x 40 stands in cells of other shapes.
func TestPicture(t *testing.T) {
	red, green := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 128}
	clear := func(c color.NRGBA) color.NRGBA { c.A = 0; return c }
	tests := []struct {
		name string
		size image.Point
		fit  scene.Fit
		crop scene.Rect
		want map[image.Point]color.NRGBA
	}{
		{"as large", image.Pt(80, 40), scene.Fill, scene.Rect{}, map[image.Point]color.NRGBA{{0, 0}: red, {39, 39}: red, {40, 0}: green, {79, 39}: green}},
		{"contain", image.Pt(40, 40), scene.Contain, scene.Rect{}, map[image.Point]color.NRGBA{
			{5, 9}: clear(red), {5, 11}: red, {35, 28}: green, {35, 31}: clear(green)}},
		{"contain, upright", image.Pt(80, 20), scene.Contain, scene.Rect{}, map[image.Point]color.NRGBA{
			{5, 9}: clear(red), {22, 9}: red, {57, 9}: green, {75, 9}: clear(green)}},
		{"cover", image.Pt(20, 20), scene.Cover, scene.Rect{}, map[image.Point]color.NRGBA{{0, 0}: red, {19, 19}: green}},
		{"no fit is cover", image.Pt(160, 20), "", scene.Rect{}, map[image.Point]color.NRGBA{{0, 0}: red, {159, 19}: green}},
		{"fill", image.Pt(10, 100), scene.Fill, scene.Rect{}, map[image.Point]color.NRGBA{{0, 0}: red, {9, 99}: green}},
		{"a crop", image.Pt(20, 20), scene.Fill, scene.Rect{X: 0.6, W: 0.4, H: 1}, map[image.Point]color.NRGBA{{0, 0}: green, {19, 19}: green}},
		{"a crop of nothing", image.Pt(2, 2), scene.Cover, scene.Rect{X: 1, Y: 1, W: 1e-6, H: 1e-6}, map[image.Point]color.NRGBA{{0, 0}: green}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Picture(halves(80, 40), test.size, test.fit, test.crop)
			require.Equal(t, test.size, got.Rect.Size())
			for at, want := range test.want {
				require.Equal(t, want, got.NRGBAAt(at.X, at.Y), "%v", at)
			}
		})
	}
}

// TestPictureOddShapes: a line of pixels in a cell that is nothing like it.
func TestPictureOddShapes(t *testing.T) {
	for _, from := range []image.Point{{1, 1}, {8192, 1}, {1, 8192}, {3, 2}} {
		for _, fit := range []scene.Fit{scene.Cover, scene.Contain, scene.Fill} {
			for _, size := range []image.Point{{2, 2}, {1280, 2}, {2, 720}} {
				require.Equal(t, size, Picture(image.NewRGBA(image.Rectangle{Max: from}), size, fit, scene.Rect{}).Rect.Size())
			}
		}
	}
}

// TestEdgesKeepTheirColour: half covered pixels of a white shape are white, not
// grey, and so is what is clear around it.
func TestEdgesKeepTheirColour(t *testing.T) {
	from := image.NewRGBA(image.Rect(0, 0, 90, 90))
	for y := 31; y < 62; y++ {
		for x := 31; x < 62; x++ {
			from.SetRGBA(x, y, color.RGBA{255, 255, 255, 255})
		}
	}
	got := Picture(from, image.Pt(20, 20), scene.Fill, scene.Rect{})
	partly := 0
	for i := 0; i < len(got.Pix); i += 4 {
		require.Equal(t, []byte{255, 255, 255}, got.Pix[i:i+3], "pixel %d", i/4)
		if got.Pix[i+3] > 0 && got.Pix[i+3] < 255 {
			partly++
		}
	}
	require.Greater(t, partly, 4)
	require.Zero(t, got.Pix[3])
}

func BenchmarkPicture(b *testing.B) {
	from := halves(1920, 1080)
	for b.Loop() {
		Picture(from, image.Pt(640, 360), scene.Contain, scene.Rect{})
	}
}
