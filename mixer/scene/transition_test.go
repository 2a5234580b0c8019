package scene

import (
	"image"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTransitionValidate(t *testing.T) {
	for _, kind := range TransitionTypes() {
		require.Empty(t, Transition{Type: kind, DurationMs: 500}.Validate())
	}
	require.Len(t, Transition{Type: "explode", DurationMs: -1, Color: "red"}.Validate(), 3)
	require.Len(t, Transition{Type: Mix, DurationMs: 20_001}.Validate(), 1)
}

// TestSoundOfATransition: what fades keeps its power, what dips passes silence,
// and ends are exact.
func TestSoundOfATransition(t *testing.T) {
	for _, kind := range []TransitionType{Mix, WipeLeft, Morph} {
		for p := 0.0; p <= 1; p += 0.125 {
			from, to := Transition{Type: kind}.Sound(p)
			require.InDelta(t, 1, from*from+to*to, 1e-9)
		}
	}
	for _, kind := range []TransitionType{Mix, Dip} {
		from, to := Transition{Type: kind}.Sound(0)
		require.Equal(t, [2]float64{1, 0}, [2]float64{from, to})
		from, to = Transition{Type: kind}.Sound(math.Inf(1))
		require.InDeltaSlice(t, []float64{0, 1}, []float64{from, to}, 1e-9)
	}
	from, to := Transition{Type: Dip}.Sound(0.5)
	require.InDelta(t, 0, from+to, 1e-9)
}

// TestGlide: both ends are the scenes themselves, and what both show moves.
func TestGlide(t *testing.T) {
	grid := Scene{ID: "g", Layout: "grid-4", Slots: []string{"cam1", "cam2", "cam3", "cam4"}}.Placements(16, 9)
	pip := Scene{ID: "p", Layout: "pip-br", Slots: []string{"cam2", "cam1"}}.Placements(16, 9)
	find := func(all []Placement, source string) Placement {
		for _, p := range all {
			if p.Source == source {
				return p
			}
		}
		t.Fatal(source)
		return Placement{}
	}
	begin, half, end := Glide(grid, pip, 0), Glide(grid, pip, 0.5), Glide(grid, pip, 1)
	require.Equal(t, grid[0].Rect, find(begin, "cam1").Rect)
	require.Equal(t, pip[1].Rect, find(end, "cam1").Rect)
	require.Equal(t, Rect{0.25, 0, 0.75, 0.75}, find(half, "cam2").Rect)
	require.Equal(t, 0.5, find(half, "cam4").Opacity, "what only one shows fades")
	require.Zero(t, find(end, "cam4").Opacity)
	require.Equal(t, "cam1", end[len(end)-1].Source, "the inset is on top in the end")

	cropped := []Placement{{Source: "cam1", Crop: Rect{0.5, 0, 0.5, 1}, Rect: whole.Rect, Opacity: 1}}
	require.Equal(t, Rect{0.25, 0, 0.75, 1}, Glide(grid[:1], cropped, 0.5)[0].Crop)
	require.Len(t, Glide(nil, cropped, 0.3), 1)
}

// TestGoldenGlide shows the way from a grid to a picture in picture.
func TestGoldenGlide(t *testing.T) {
	size := canvases["16x9"]
	grid, pip := fullScene("grid-4"), Scene{ID: "p", Layout: "pip-br", Slots: []string{"cam2", "cam1"}}
	var drawn []*image.RGBA
	for p := 0.0; p <= 1; p += 0.2 {
		picture := sketch(Scene{}, size)
		for _, placement := range Glide(grid.Placements(16, 9), pip.Placements(16, 9), Ease(p)) {
			paint(picture, placement)
		}
		drawn = append(drawn, picture)
	}
	golden(t, "glide.png", sheet(drawn, 3))
}
