package appliance

import (
	"fmt"
	"image"
	"math"

	"golang.org/x/image/draw"

	"millrace/api"
	"millrace/ingest/clip"
	"millrace/mixer/worker"
)

// Picture is an image asset for a worker: decoded, premultiplied, and scaled down
// to that many pixels where it has more. It takes up to 300 MB and a second or two
// for the largest.
func (a *assets) Picture(id string, pixels int) (*image.RGBA, error) {
	file, asset, err := a.OpenAsset(id)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if asset.Kind != api.Image {
		return nil, fmt.Errorf("open picture %q: it is a %s", id, asset.Kind)
	}
	a.looks.Lock()
	defer a.looks.Unlock()
	picture, err := decodePicture(file)
	if err != nil {
		return nil, fmt.Errorf("open picture %q: %w", id, err)
	}
	return shrunk(picture, pixels), nil
}

// shrunk has no more than that many pixels, and no side that a worker refuses.
func shrunk(picture image.Image, pixels int) *image.RGBA {
	size := picture.Bounds().Size()
	width, height := float64(size.X), float64(size.Y)
	scale := min(1, math.Sqrt(float64(pixels)/(width*height)), worker.MaxPictureSide/max(width, height))
	if scale == 1 {
		out := image.NewRGBA(image.Rectangle{Max: size})
		draw.Draw(out, out.Rect, picture, picture.Bounds().Min, draw.Src)
		return out
	}
	out := image.NewRGBA(image.Rect(0, 0, max(int(width*scale), 1), max(int(height*scale), 1)))
	draw.CatmullRom.Scale(out, out.Rect, picture, picture.Bounds(), draw.Src, nil)
	return out
}

// pictureFault says why an asset cannot be shown; "" where it can.
func (a *assets) pictureFault(id string) string { return a.fault(id, api.Image) }

// fault says why there is no such asset of a kind; "" where there is.
func (a *assets) fault(id string, kind api.AssetKind) string {
	asset, err := a.find(id)
	switch {
	case err != nil:
		return fmt.Sprintf("there is no asset %q; upload it first, by POST /v1/assets", id)
	case asset.Value.Kind != kind:
		return fmt.Sprintf("the asset %q is of kind %s, not %s", id, asset.Value.Kind, kind)
	}
	return ""
}

// openClip opens a clip to be played.
func (a *assets) openClip(id string) (clip.Reader, error) {
	asset, err := a.find(id)
	if err != nil {
		return nil, err
	}
	file, err := a.dir.Open(id)
	if err != nil {
		return nil, fmt.Errorf("open clip %q: %w", id, err)
	}
	return clip.Open(file, clip.Format(asset.Value.Format))
}
