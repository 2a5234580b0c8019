package gpu

import (
	"fmt"

	"millrace/gpu/kernels"
)

// reference composes by the letter of the pixel contract.
type reference struct {
	device Device
	config CompositorConfig
}

// NewReference makes the compositor that computes every pixel as kernels/pixel.h
// says it, in plain C: slow, and what every other one is measured against.
func NewReference(device Device, config CompositorConfig) (Compositor, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	return &reference{device, config}, nil
}

func (r *reference) Compose(layers []Layer, background Color) (Composition, error) {
	resolved, err := resolveAll(layers, r.config.Canvas)
	if err != nil {
		return Composition{}, err
	}
	canvas, err := r.device.NewFrame(r.config.Canvas)
	if err != nil {
		return Composition{}, fmt.Errorf("compose: %w", err)
	}
	kernels.Compose(canvas.picture(), [3]uint8{background.Y, background.Cb, background.Cr}, resolved)
	composition := Composition{Canvas: canvas}
	for _, size := range r.config.Rungs {
		rung, err := r.device.NewFrame(size)
		if err != nil {
			composition.Release()
			return Composition{}, fmt.Errorf("compose rung %v: %w", size, err)
		}
		kernels.Scale(rung.picture(), canvas.picture())
		composition.Rungs = append(composition.Rungs, rung)
	}
	return composition, nil
}

func (r *reference) Close() {}
