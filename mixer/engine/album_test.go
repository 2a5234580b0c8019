package engine

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

func plain(width, height int, c color.Color) *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(p, p.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return p
}

// TestImages stand over the program with their own transparency, as an overlay
// and as a layer; they come when the server sends them and are scaled once.
func TestImages(t *testing.T) {
	show := stills()
	show.Scenes = append(show.Scenes, scene.Scene{ID: "titled", Layers: []scene.Placement{
		{Source: "s1", Rect: scene.Rect{W: 1, H: 1}, Opacity: 1},
		{Graphic: scene.Graphic{Kind: scene.KindImage, Asset: "white"}, Rect: scene.Rect{X: 0.5, W: 0.25, H: 0.5}, Opacity: 0.5},
	}})
	show.Program = "titled"
	show.Overlays = []scene.Overlay{
		{ID: "veil", Graphic: scene.Graphic{Kind: scene.KindImage, Asset: "veil"}, Rect: scene.Rect{Y: 0.5, W: 0.5, H: 0.5}},
		{ID: "late", Graphic: scene.Graphic{Kind: scene.KindImage, Asset: "late"}, Rect: scene.Rect{X: 0.5, Y: 0.5, W: 0.5, H: 0.5}, Fit: scene.Fill},
	}
	show.OverlaysOn = []string{"veil", "late"}
	white := color.NRGBA{255, 255, 255, 255}
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		paint(s, "s1", 64)
		require.NoError(t, s.engine.Picture("white", plain(20, 20, white)))
		require.NoError(t, s.engine.Picture("veil", plain(50, 50, color.NRGBA{255, 255, 255, 128})))
		s.until(s.first + 20)
		require.NoError(t, s.engine.Picture("late", plain(7, 5, white)))
		s.until(s.first + 40)
		require.Len(t, s.engine.desk.board.all, 3, "drawn once")
		require.NoError(t, s.engine.Picture("late", plain(7, 5, color.Black)))
		s.until(s.first + 60)
		require.NoError(t, s.engine.Picture("late", nil))
		s.until(s.first + 70)
	})
	layer, veil, aside, late := [2]int{200, 40}, [2]int{80, 130}, [2]int{10, 130}, [2]int{240, 130}
	seen := lumas(s, t, s.first, layer, veil, aside, late)
	half := (64 + 235) / 2.0
	require.InDeltaSlice(t, []float64{half, half, 64, 64}, floats(seen[15]), 6, "one has not come")
	require.InDeltaSlice(t, []float64{half, half, 64, 235}, floats(seen[38]), 6, "contain leaves the sides clear")
	require.InDeltaSlice(t, []float64{half, half, 64, 16}, floats(seen[58]), 6, "the same asset is another picture")
	require.InDeltaSlice(t, []float64{half, half, 64, 64}, floats(seen[68]), 6, "it is taken back")
}

// TestAlbumIsBounded: a server that sends more than the protocol allows is refused.
func TestAlbumIsBounded(t *testing.T) {
	var a album
	for i := range worker.MaxPictures {
		require.NoError(t, a.put(fmt.Sprint(i), plain(1, 1, color.White)))
	}
	require.ErrorIs(t, a.put("more", plain(1, 1, color.White)), worker.ErrProtocol)
	require.NoError(t, a.put("0", plain(1, 1, color.White)), "in place of another")
	require.NoError(t, a.put("0", nil))
	require.NoError(t, a.put("more", plain(1, 1, color.White)))
	require.True(t, a.renewed())
	require.False(t, a.renewed())
}
