package engine

import (
	"fmt"
	"image"

	"golang.org/x/image/draw"

	"millrace/gpu"
	"millrace/mixer/engine/graphics"
	"millrace/mixer/engine/pattern"
	"millrace/mixer/scene"
)

// newSlate draws the picture that stands in for a source where the channel has
// no slate of its own.
func newSlate(device gpu.Device, name, line string) (*gpu.Frame, error) {
	frame, err := device.NewFrame(gpu.Size{Width: 640, Height: 360})
	if err != nil {
		return nil, fmt.Errorf("make slate of %q: %w", name, err)
	}
	pattern.DrawSlate(planes(frame), name, line)
	return frame, nil
}

// newStandby draws what viewers see while the channel's worker is replaced: its
// slate, whole, on black, or the built-in one.
func newStandby(device gpu.Device, size gpu.Size, from Config) (*gpu.Frame, error) {
	if from.Slate == nil {
		frame, err := device.NewFrame(size)
		if err == nil {
			pattern.DrawSlate(planes(frame), from.Show.Channel, "back in a moment")
		}
		return frame, err
	}
	slate := graphics.Picture(from.Slate, image.Pt(size.Width, size.Height), scene.Contain, scene.Rect{})
	whole := image.NewNRGBA(slate.Rect)
	draw.Draw(whole, whole.Rect, image.Black, image.Point{}, draw.Src)
	draw.Draw(whole, whole.Rect, slate, image.Point{}, draw.Over)
	frame, matte, err := gpu.NewGraphic(device, whole)
	if err == nil {
		matte.Release()
	}
	return frame, err
}
