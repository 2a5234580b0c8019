package gpu

import (
	"fmt"
	"image"
)

// prove composes one small scene on the card and by the reference: a card or a
// driver on which the kernel computes something else is not used.
func (d *cudaDevice) prove() error {
	config := CompositorConfig{Canvas: Size{160, 90}, Rungs: []Size{{106, 60}, {52, 30}}}
	source, err := d.NewFrame(Size{80, 50})
	if err != nil {
		return err
	}
	defer source.Release()
	for p := range 3 {
		pixels, _ := source.Plane(p)
		for i := range pixels {
			pixels[i] = uint8(i*i/7 + 31*i*p)
		}
	}
	layers := []Layer{
		{Frame: source, Dst: image.Rect(0, 0, 40, 24), Opacity: 1},
		{Frame: source, Dst: image.Rect(30, 10, 150, 88), Fit: Fill, Opacity: 0.6, Radius: 9, Border: Border{Width: 2}},
	}
	got, err := composed(d.NewCompositor, config, layers)
	if err != nil {
		return err
	}
	defer got.Release()
	want, err := composed(func(config CompositorConfig) (Compositor, error) { return NewReference(d, config) }, config, layers)
	if err != nil {
		return err
	}
	defer want.Release()
	for i := range got.Rungs {
		if err := within(got.Rungs[i], want.Rungs[i]); err != nil {
			return fmt.Errorf("prove the kernel: %w", err)
		}
	}
	return within(got.Canvas, want.Canvas)
}

// composed draws one scene with a compositor of its own.
func composed(with func(CompositorConfig) (Compositor, error), config CompositorConfig, layers []Layer) (Composition, error) {
	compositor, err := with(config)
	if err != nil {
		return Composition{}, err
	}
	defer compositor.Close()
	return compositor.Compose(layers, Black())
}

// within says where a picture is further from the reference's than 1, the pixel
// contract's distance for cards.
func within(got, want *Frame) error {
	got, err := got.Download()
	if err != nil {
		return err
	}
	defer got.Release()
	for p := range 3 {
		size := got.Size
		if p > 0 {
			size = size.Chroma()
		}
		left, leftStride := got.Plane(p)
		right, rightStride := want.Plane(p)
		for y := range size.Height {
			for x := range size.Width {
				if a, b := int(left[y*leftStride+x]), int(right[y*rightStride+x]); max(a-b, b-a) > 1 {
					return fmt.Errorf("plane %d of %v is %d at (%d,%d), not %d", p, got.Size, a, x, y, b)
				}
			}
		}
	}
	return nil
}
