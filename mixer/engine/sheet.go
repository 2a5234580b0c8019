package engine

import (
	"image"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/reencode"
)

// drawSheet decodes each still by itself and lays them side by side. One that
// cannot be decoded leaves its tile black.
func drawSheet(device gpu.Device, sheet *reencode.Sheet) ([]byte, error) {
	size := gpu.Size{Width: sheet.Columns * sheet.Width, Height: sheet.Rows * sheet.Height}
	compositor, err := device.NewCompositor(gpu.CompositorConfig{Canvas: size})
	if err != nil {
		return nil, err
	}
	defer compositor.Close()
	var layers []gpu.Layer
	defer func() {
		for _, l := range layers {
			l.Frame.Release()
		}
	}()
	for i, still := range sheet.Stills {
		picture := decodeStill(device, still)
		if picture == nil {
			continue
		}
		at := image.Pt(i%sheet.Columns*sheet.Width, i/sheet.Columns*sheet.Height)
		layers = append(layers, gpu.Layer{
			Frame: picture, Dst: image.Rectangle{Min: at, Max: at.Add(image.Pt(sheet.Width, sheet.Height))}, Fit: gpu.Contain, Opacity: 1,
		})
	}
	drawn, err := compositor.Compose(layers, gpu.Black())
	if err != nil {
		return nil, err
	}
	defer drawn.Release()
	return gpu.EncodeJPEG(device, drawn.Canvas, size.Width)
}

// decodeStill is the picture of one access unit, or nil.
func decodeStill(device gpu.Device, still reencode.Still) (picture *gpu.Frame) {
	if len(still.Data) == 0 {
		return nil
	}
	decoder, err := device.NewDecoder(still.Track)
	if err != nil {
		return nil
	}
	defer decoder.Close()
	show := func(f *gpu.Frame) {
		if picture != nil {
			picture.Release()
		}
		picture = f
	}
	if err := decoder.Decode(&media.Packet{Track: still.Track, Key: true, Data: still.Data}, show); err == nil {
		decoder.Drain(show)
	}
	return picture
}
