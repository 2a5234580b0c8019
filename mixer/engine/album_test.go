package engine

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
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

// TestStillsAndTheSlate: a still is a source like others, and the channel's slate
// stands in where one has no picture; both may be clear in places.
func TestStillsAndTheSlate(t *testing.T) {
	show := stills()
	show.Sources = append(show.Sources,
		worker.Source{ID: "photo", Kind: worker.Still, Still: "white"}, worker.Source{ID: "veil", Kind: worker.Still, Still: "veil"},
		worker.Source{ID: "gone", Kind: worker.Push}, worker.Source{ID: "lacking", Kind: worker.Still, Still: "nothing"})
	whole := func(source string, x, y float64) scene.Placement {
		return scene.Placement{Source: source, Rect: scene.Rect{X: x, Y: y, W: 0.5, H: 0.5}, Fit: scene.Contain, Opacity: 1}
	}
	show.Scenes = append(show.Scenes, scene.Scene{ID: "pictures", Layers: []scene.Placement{
		whole("photo", 0, 0), {Source: "s1", Rect: scene.Rect{X: 0.5, W: 0.5, H: 0.5}, Opacity: 1}, whole("veil", 0.5, 0), whole("gone", 0, 0.5), whole("lacking", 0.5, 0.5),
	}})
	show.Program, show.Slate = "pictures", "slate"
	white := color.NRGBA{255, 255, 255, 255}
	plainShow := show
	plainShow.Slate = ""
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		paint(s, "s1", 64)
		require.NoError(t, s.engine.Picture("white", plain(21, 31, white)))
		require.NoError(t, s.engine.Picture("veil", plain(16, 9, color.NRGBA{255, 255, 255, 128})))
		s.until(s.first + 20)
		require.Equal(t, worker.Live, s.latest("photo").State)
		require.Equal(t, worker.Lost, s.latest("lacking").State)
		require.NoError(t, s.engine.Picture("slate", plain(320, 180, color.Gray{255})))
		s.until(s.first + 40)
		require.Empty(t, s.do(worker.Command{Show: &plainShow}).Error)
		s.until(s.first + 80)
	})
	photo, beside, veil, gone, lacking := [2]int{80, 44}, [2]int{10, 44}, [2]int{240, 44}, [2]int{10, 100}, [2]int{170, 100}
	seen := lumas(s, t, s.first, photo, beside, veil, gone, lacking)
	require.InDeltaSlice(t, []float64{235, 16, (64 + 235) / 2.0}, floats(seen[15][:3]), 6, "a still of 21 x 31 keeps its shape")
	require.Less(t, seen[15][3], 60, "the built-in slate")
	require.InDeltaSlice(t, []float64{235, 235}, floats(seen[38][3:]), 6, "the channel's")
	require.Less(t, seen[78][3], 60, "the built-in one again")
}

// TestFillerShowsTheSlate of the channel, whole.
func TestFillerShowsTheSlate(t *testing.T) {
	device := openDevice(t)
	defer device.Close()
	frame, err := newStandby(device, gpu.Size{Width: 320, Height: 180}, Config{Slate: plain(90, 180, color.White)})
	require.NoError(t, err)
	defer frame.Release()
	luma, stride := frame.Plane(0)
	require.EqualValues(t, []byte{16, 235, 16}, []byte{luma[90*stride+10], luma[90*stride+160], luma[90*stride+310]})
}
