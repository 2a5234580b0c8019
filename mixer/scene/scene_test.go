package scene

import (
	"encoding/json"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var cams = []string{"cam1", "cam2", "cam3", "cam4"}

func TestLayoutsPlaceSlotsRowByRow(t *testing.T) {
	grid := Scene{ID: "g", Layout: "grid-4", Slots: cams}
	require.Empty(t, grid.Validate(cams))
	placements := grid.Placements(1280, 720)
	require.Len(t, placements, 4)
	want := []image.Rectangle{
		image.Rect(0, 0, 640, 360), image.Rect(640, 0, 1280, 360),
		image.Rect(0, 360, 640, 720), image.Rect(640, 360, 1280, 720),
	}
	for i, placement := range placements {
		require.Equal(t, cams[i], placement.Source)
		require.Equal(t, 1.0, placement.Opacity)
		require.Equal(t, want[i], placement.Rect.Pixels(1280, 720))
	}
	require.Equal(t, cams, grid.Sources())

	holes := Scene{ID: "g", Layout: "grid-4", Slots: []string{"cam1", "", "cam1"}}
	require.Empty(t, holes.Validate(cams))
	require.Len(t, holes.Placements(1280, 720), 2)
	require.Equal(t, []string{"cam1"}, holes.Sources())
}

func TestNeighboursShareEdges(t *testing.T) {
	for width := 16; width < 2000; width += 7 {
		for share := 0.01; share < 1; share += 0.013 {
			left := Rect{W: share, H: 1}.Pixels(width, 100)
			right := Rect{X: share, W: 1 - share, H: 1}.Pixels(width, 100)
			if min(share, 1-share)*float64(width) >= 4 {
				require.Equal(t, left.Max.X, right.Min.X)
			}
			require.Equal(t, width, right.Max.X)
		}
	}
}

func TestPixelsBounds(t *testing.T) {
	tests := []struct {
		name string
		rect Rect
		want image.Rectangle
	}{
		{"tiny at the far corner", Rect{X: 1, Y: 1}, image.Rect(98, 98, 100, 100)},
		{"the last odd column", Rect{X: 0.99, W: 0.01, H: 1}, image.Rect(98, 0, 100, 100)},
		{"tiny at the near corner", Rect{}, image.Rect(0, 0, 2, 2)},
		{"beyond", Rect{X: 0.5, Y: 0.5, W: 9, H: 9}, image.Rect(50, 50, 100, 100)},
		{"not a number", Rect{X: math.NaN(), Y: math.Inf(-1), W: math.NaN(), H: math.Inf(1)}, image.Rect(0, 0, 2, 2)},
		{"a sum just below one", Rect{X: 0.7, Y: 0.1, W: 0.3 - 1e-9, H: 0.9 - 1e-9}, image.Rect(70, 10, 100, 100)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, test.rect.Pixels(100, 100)) })
	}
}

func TestLayersSortByZAndKeepOrder(t *testing.T) {
	s := Scene{ID: "s", Layers: []Placement{{Source: "a", Z: 2}, {Source: "b"}, {Source: "c", Z: -1}, {Source: "d"}}}
	var order []string
	for _, placement := range s.Placements(854, 480) {
		order = append(order, placement.Source)
	}
	require.Equal(t, []string{"c", "b", "d", "a"}, order)
	require.Equal(t, "a", s.Layers[0].Source, "the scene itself is untouched")
}

func TestContractExample(t *testing.T) {
	var s Scene
	require.NoError(t, json.Unmarshal([]byte(`{"id":"pip","layers":[{"source":"cam1","rect":{"x":0,"y":0,"w":1,"h":1}},
		{"source":"cam2","rect":{"x":0.7,"y":0.7,"w":0.25,"h":0.25},"fit":"cover","radius":0.02,
		"border":{"width":0.003,"color":"#ffffff"},"opacity":0.5,"z":2}]}`), &s))
	require.Empty(t, s.Validate(cams))
	require.Equal(t, 1.0, s.Layers[0].Opacity, "the default")
	require.Equal(t, 0.5, s.Layers[1].Opacity)
	require.Error(t, json.Unmarshal([]byte(`{"id":"pip","layers":[{"source":"cam1","rekt":{}}]}`), &s))
}

func TestValidateGivesEveryFault(t *testing.T) {
	whole := Rect{W: 1, H: 1}
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name  string
		scene Scene
		want  []string
	}{
		{"empty", Scene{}, []string{"/id", "/layout"}},
		{"bad id and name", Scene{ID: "A b", Name: string(make([]byte, 101)), Layout: "solo"}, []string{"/id", "/name"}},
		{"both", Scene{ID: "s", Layout: "solo", Layers: []Placement{{}}}, []string{"/layers"}},
		{"slots without layout", Scene{ID: "s", Slots: cams}, []string{"/slots"}},
		{"unknown layout", Scene{ID: "s", Layout: "heap"}, []string{"/layout"}},
		{"unknown policies", Scene{ID: "s", Layout: "solo", Missing: "panic"}, []string{"/missing"}},
		{"text", Scene{ID: "s", Layers: []Placement{
			{Graphic: Graphic{Kind: KindText, Text: " ", Style: Style{Size: nan, Color: "red", Align: "up", Vertical: "left"}}, Rect: whole},
			{Source: "cam1", Graphic: Graphic{Kind: KindClock, Zone: "Nowhere/No"}, Rect: whole, Label: "two\nlines", Missing: "x"},
			{Source: "cam1", Graphic: Graphic{Text: "?"}, Rect: whole},
			{Graphic: Graphic{Kind: KindTicker, Text: "a\x00", Speed: -1}, Rect: whole},
			{Graphic: Graphic{Kind: KindImage}, Rect: whole},
			{Graphic: Graphic{Kind: "video"}, Rect: whole},
			{Graphic: Graphic{Kind: KindText, Text: "round"}, Rect: whole, Radius: 0.1},
		}}, []string{
			"/layers/0/text", "/layers/0/style/size", "/layers/0/style/color", "/layers/0/style/align", "/layers/0/style/vertical",
			"/layers/1/source", "/layers/1/zone", "/layers/1/label", "/layers/1/missing",
			"/layers/2/kind", "/layers/3/kind", "/layers/3/text", "/layers/3/speed", "/layers/4/asset", "/layers/5/kind", "/layers/6/radius",
		}},
		{"too many slots", Scene{ID: "s", Layout: "solo", Slots: cams}, []string{"/slots"}},
		{"unknown sources", Scene{ID: "s", Layout: "grid-4", Slots: []string{"x", "cam1", "y"}}, []string{"/slots/0", "/slots/2"}},
		{"too many layers", Scene{ID: "s", Layers: make([]Placement, 33)}, []string{"/layers"}},
		{"numbers", Scene{ID: "s", Layers: []Placement{
			{Source: "cam1", Rect: Rect{X: nan, Y: -0.1, W: inf, H: 0}, Opacity: nan},
			{Source: "cam9", Rect: Rect{X: 0.5, W: 0.6, H: 1}, Crop: Rect{W: 1}, Fit: "tile", Opacity: 2, Radius: 1, Border: Border{Width: 0.1, Color: "red"}, Z: 1e6},
			{Source: "cam1", Rect: whole, Border: Border{Width: nan}},
		}}, []string{
			"/layers/0/rect/x", "/layers/0/rect/w", "/layers/0/rect/y", "/layers/0/rect/h", "/layers/0/opacity",
			"/layers/1/source", "/layers/1/rect/w", "/layers/1/crop/h", "/layers/1/fit", "/layers/1/opacity", "/layers/1/radius", "/layers/1/border/color", "/layers/1/z",
			"/layers/2/border/width",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var pointers []string
			for _, fault := range test.scene.Validate(cams) {
				pointers = append(pointers, fault.Pointer)
				require.NotEmpty(t, fault.Detail)
			}
			require.Equal(t, test.want, pointers)
		})
	}
}

func TestParseColor(t *testing.T) {
	tests := []struct {
		text string
		want color.NRGBA
	}{
		{"#fff", color.NRGBA{255, 255, 255, 255}},
		{"#12aBef", color.NRGBA{0x12, 0xab, 0xef, 255}},
		{"#01020304", color.NRGBA{1, 2, 3, 4}},
	}
	for _, test := range tests {
		got, err := ParseColor(test.text)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
	for _, text := range []string{"", "#", "fff", "#ff", "#ffff", "#gggggg", "#fffffff", "#éé", "white"} {
		_, err := ParseColor(text)
		require.Error(t, err, text)
	}
}

// A scene that validates can be placed and resolved on any canvas, and says
// the same after a trip through JSON.
func FuzzScene(f *testing.F) {
	f.Add([]byte(`{"id":"grid","layout":"grid-4","slots":["cam1","cam2","cam3","cam4"]}`))
	f.Add([]byte(`{"id":"pip","layers":[{"source":"cam2","rect":{"x":0.7,"y":0.7,"w":0.25,"h":0.25},"crop":{"x":0,"y":0,"w":0.5,"h":1},"border":{"width":0.003,"color":"#fff"},"z":2}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Scene
		if json.Unmarshal(data, &s) != nil || len(s.Validate(cams)) > 0 {
			return
		}
		for _, placement := range s.Placements(854, 480) {
			r := placement.Rect.Pixels(854, 480)
			require.True(t, !r.Empty() && r.In(image.Rect(0, 0, 854, 480)))
		}
		again, err := json.Marshal(s)
		require.NoError(t, err)
		var second Scene
		require.NoError(t, json.Unmarshal(again, &second))
		require.Equal(t, s.Placements(854, 480), second.Placements(854, 480))
	})
}
