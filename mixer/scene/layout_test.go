package scene

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden images again")

// canvases are the shapes that every layout has a variant for.
var canvases = map[string]image.Point{"16x9": {320, 180}, "9x16": {180, 320}, "1x1": {240, 240}}

// tiling layouts fill the canvas and do not overlap.
var tiling = map[string]bool{"solo": true, "grid-4": true, "grid-6": true, "grid-9": true, "three-up": true}

func fullScene(layout string) Scene {
	s := Scene{ID: "s", Layout: layout}
	n := Slots(layout)
	if layout == "auto-grid" {
		n = 5
	}
	for i := range n {
		s.Slots = append(s.Slots, fmt.Sprint("cam", i+1))
	}
	return s
}

// Every cell of every layout lies on the canvas and on even pixels, and those of
// one plane do not overlap, whatever the size.
func TestCellsTile(t *testing.T) {
	for _, layout := range Layouts() {
		for _, size := range []image.Point{{2, 2}, {4, 4}, {426, 240}, {427, 241}, {854, 480}, {1280, 720}, {1919, 1079}, {1080, 1920}, {720, 720}, {3840, 2160}, {1440, 1080}} {
			canvas, area := image.Rectangle{Max: size}, 0
			var before []image.Rectangle
			for _, p := range fullScene(layout).Placements(size.X, size.Y) {
				r := p.Rect.Pixels(size.X, size.Y)
				require.False(t, r.Empty())
				require.True(t, r.In(canvas), "%s %v %v", layout, size, r)
				require.Zero(t, r.Min.X%2+r.Min.Y%2)
				require.True(t, r.Max.X%2 == 0 || r.Max.X == size.X)
				require.True(t, r.Max.Y%2 == 0 || r.Max.Y == size.Y)
				for _, other := range before {
					require.True(t, size.X < 16 || p.Z > 0 || r.Intersect(other).Empty(), "%s %v: %v and %v", layout, size, r, other)
				}
				before = append(before, r)
				area += r.Dx() * r.Dy()
			}
			if tiling[layout] && size.X >= 16 {
				require.Equal(t, size.X*size.Y, area, "%s %v", layout, size)
			}
		}
	}
}

func TestLayoutsOfTheContract(t *testing.T) {
	require.Len(t, Layouts(), 15)
	require.Len(t, layouts(), 15)
	for _, name := range Layouts() {
		require.Empty(t, Scene{ID: "s", Layout: name}.Validate(nil))
		require.Positive(t, Slots(name))
	}
	require.Zero(t, Slots("heap"))
	require.Nil(t, Cells("heap", 1, 16, 9))
}

// TestAutoGrid: as many columns as make the pictures largest.
func TestAutoGrid(t *testing.T) {
	tests := []struct {
		width, height int
		columns       map[int]int // by number of slots
	}{
		{16, 9, map[int]int{1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 6: 3, 7: 3, 9: 3, 10: 4, 12: 4, 16: 4, 17: 5, 25: 5}},
		{9, 16, map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 6: 2, 16: 3}},
		{1, 1, map[int]int{1: 1, 2: 1, 4: 2, 6: 2, 9: 3, 16: 4}},
	}
	for _, test := range tests {
		for n, columns := range test.columns {
			cells := Cells("auto-grid", n, test.width, test.height)
			require.Len(t, cells, n)
			first := 0
			for _, cell := range cells {
				if cell.Rect.Y == 0 {
					first++
				}
			}
			require.Equal(t, columns, first, "%d on %d:%d", n, test.width, test.height)
		}
	}
	five := Cells("auto-grid", 5, 16, 9)
	require.InDelta(t, 1.0/6, five[3].Rect.X, 1e-9, "the last row is centred")
	sparse := Scene{ID: "s", Layout: "auto-grid", Slots: []string{"cam1", "", "cam2", "", ""}}
	require.Len(t, sparse.Placements(16, 9), 2)
	require.Equal(t, Cells("auto-grid", 3, 16, 9)[2].Rect, sparse.Placements(16, 9)[1].Rect, "empty slots at the end take no room")
}

func TestHoldingShowsItsCard(t *testing.T) {
	card := Scene{ID: "h", Layout: "holding", Name: "Back at noon"}.Placements(16, 9)
	require.Len(t, card, 1)
	require.Equal(t, "Back at noon", card[0].Text)
	require.Empty(t, Scene{ID: "h", Layers: card}.Validate(nil))
	require.Equal(t, "cam1", Scene{ID: "h", Layout: "holding", Slots: []string{"cam1"}}.Placements(16, 9)[0].Source)
}

// TestGoldenLayouts draws every layout in every shape as coloured cells.
func TestGoldenLayouts(t *testing.T) {
	for shape, size := range canvases {
		var drawn []*image.RGBA
		for _, layout := range Layouts() {
			drawn = append(drawn, sketch(fullScene(layout), size))
		}
		golden(t, "layouts-"+shape+".png", sheet(drawn, 5))
	}
}

// sketch is a scene with a colour for each source, nearer ones on top.
func sketch(s Scene, size image.Point) *image.RGBA {
	picture := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(picture, picture.Rect, image.Black, image.Point{}, draw.Src)
	for _, p := range s.Placements(size.X, size.Y) {
		paint(picture, p)
	}
	return picture
}

func paint(picture *image.RGBA, p Placement) {
	var n int
	_, _ = fmt.Sscanf(p.Source, "cam%d", &n)
	hue := color.RGBA{uint8(70 * n), uint8(255 - 50*n), uint8(40 + 110*n), 255}
	r := p.Rect.Pixels(picture.Rect.Dx(), picture.Rect.Dy())
	draw.Draw(picture, r, image.White, image.Point{}, draw.Src)
	mask := image.NewUniform(color.Alpha{uint8(255 * p.Opacity)})
	draw.DrawMask(picture, r.Inset(2), image.NewUniform(hue), image.Point{}, mask, image.Point{}, draw.Over)
}

// sheet lays pictures of one size out in rows.
func sheet(pictures []*image.RGBA, columns int) *image.RGBA {
	const gap = 8
	size := pictures[0].Rect.Size()
	rows := (len(pictures) + columns - 1) / columns
	out := image.NewRGBA(image.Rect(0, 0, columns*(size.X+gap)+gap, rows*(size.Y+gap)+gap))
	draw.Draw(out, out.Rect, image.NewUniform(color.Gray{96}), image.Point{}, draw.Src)
	for i, picture := range pictures {
		at := image.Pt(gap+i%columns*(size.X+gap), gap+i/columns*(size.Y+gap))
		draw.Draw(out, image.Rectangle{at, at.Add(size)}, picture, image.Point{}, draw.Src)
	}
	return out
}

// golden compares with testdata, or writes it.
func golden(t *testing.T, name string, got *image.RGBA) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		file, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, png.Encode(file, got))
		require.NoError(t, file.Close())
		return
	}
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	decoded, err := png.Decode(file)
	require.NoError(t, err)
	want := image.NewRGBA(decoded.Bounds())
	draw.Draw(want, want.Rect, decoded, image.Point{}, draw.Src)
	require.Equal(t, want.Rect, got.Rect, name)
	require.True(t, string(want.Pix) == string(got.Pix), "%s differs; look at it after go test -run Golden -update", name)
}
