package worker

import (
	"errors"
	"image"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/mixer/scene"
)

// showing is a show with an overlay of each asset.
func showing(assets ...string) Show {
	show := exampleShow()
	for _, asset := range assets {
		show.Overlays = append(show.Overlays, scene.Overlay{
			ID: asset, Graphic: scene.Graphic{Kind: scene.KindImage, Asset: asset}, Rect: scene.Rect{W: 1, H: 1},
		})
	}
	return show
}

// TestPicturesGoToEveryWorker once, before the show that needs them, and are
// taken back after one that does not.
func TestPicturesGoToEveryWorker(t *testing.T) {
	var show atomic.Pointer[Show]
	var decoded atomic.Int64
	change := func(to Show) { show.Store(&to) }
	begin := showing("logo", "broken")
	begin.Slate = "broken"
	change(begin)
	c := startChannel(t, "works", func(config *Config) {
		config.Show = func() Show { return *show.Load() }
		config.Picture = func(asset string, pixels int) (*image.RGBA, error) {
			decoded.Add(1)
			if asset == "broken" {
				return nil, errors.New("it is no whole picture")
			}
			if pixels != 1280*720 {
				return nil, errors.New("a canvas has other pixels")
			}
			return image.NewRGBA(image.Rect(0, 0, 600, 500)), nil
		}
	})
	has := func(asset string, width int, times uint64) func() bool {
		return func() bool {
			r := c.host.Report().Sources["picture "+asset]
			return r.Width == width && r.Frames == times
		}
	}
	pid := c.onAir(t, 0)
	c.until(t, "the worker has the logo", has("logo", 600, 1))
	require.True(t, has("broken", 0, 1)(), "a slate that cannot be had is told of")
	do := func(to Show) {
		change(to)
		_, err := c.host.Do(t.Context(), Command{Show: &to})
		require.NoError(t, err)
	}
	do(showing("logo", "broken", "bug"))
	c.until(t, "the worker has both", has("bug", 600, 1))
	require.True(t, has("logo", 600, 1)(), "it is sent once")
	require.EqualValues(t, 3, decoded.Load())
	do(showing("bug"))
	c.until(t, "the logo is taken back", has("logo", 0, 2))
	do(showing("bug", "logo"))
	c.until(t, "the logo is there again", has("logo", 600, 3))

	c.host.present().process.Kill()
	require.NotEqual(t, pid, c.onAir(t, pid))
	c.until(t, "the next worker has both", func() bool { return has("logo", 600, 1)() && has("bug", 600, 1)() })
}

// TestPicturesThatDoNotFitAreNotSent.
func TestPicturesThatDoNotFitAreNotSent(t *testing.T) {
	part := image.NewRGBA(image.Rect(0, 0, 4, 4)).SubImage(image.Rect(1, 1, 3, 3)).(*image.RGBA)
	for name, picture := range map[string]*image.RGBA{
		"too wide": image.NewRGBA(image.Rect(0, 0, MaxPictureSide+1, 1)), "too large": image.NewRGBA(image.Rect(0, 0, 4096, 2048)), "a part": part,
	} {
		_, err := encodePicture(&Picture{Asset: "logo", Image: picture})
		require.Error(t, err, name)
	}
	_, err := encodePicture(&Picture{Asset: "logo", Image: image.NewRGBA(image.Rect(0, 0, 3840, 2160))})
	require.NoError(t, err, "a whole canvas of the largest size")
}
