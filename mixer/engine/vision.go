package engine

import (
	"fmt"
	"image"
	"math"

	"millrace/gpu"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// vision turns stages into layers. Where a transition needs a whole scene as one
// picture, it composes that apart. Owned by the tick.
type vision struct {
	device gpu.Device
	canvas worker.Canvas

	side     []gpu.Compositor  // of the canvas, without rungs
	used     int               // of side, in this tick
	composed []gpu.Composition // by side in this tick; released at its end
	solids   map[gpu.Color]*gpu.Frame
}

func newVision(device gpu.Device, canvas worker.Canvas) *vision {
	return &vision{device: device, canvas: canvas, solids: map[gpu.Color]*gpu.Frame{}}
}

func (v *vision) bounds() image.Rectangle { return image.Rect(0, 0, v.canvas.Width, v.canvas.Height) }

// show gives the layers of a stage on frame n, drawn by draw.
func (v *vision) show(s *stage, n int64, draw func([]scene.Placement) []gpu.Layer) ([]gpu.Layer, error) {
	if s.from == nil {
		return draw(s.placements), nil
	}
	p := s.progress(n)
	if s.with.Type == scene.Morph && s.from.from == nil && scene.Shared(s.from.placements, s.placements) {
		return draw(scene.Glide(s.from.placements, s.placements, scene.Ease(p))), nil
	}
	if s.with.Type == scene.Dip && p >= 0.5 {
		return v.dip(draw(s.placements), s.with, 2-2*p)
	}
	below, err := v.show(s.from, n, draw)
	if err != nil {
		return nil, err
	}
	x, y, push := s.with.Direction()
	switch {
	case s.with.Type == scene.Dip:
		return v.dip(below, s.with, 2*p)
	case push:
		return v.push(below, draw(s.placements), x, y, scene.Ease(p))
	case x != 0 || y != 0:
		above, err := v.whole(draw(s.placements), true)
		return append(below, v.part(above, x, y, p)...), err
	}
	above, err := v.whole(draw(s.placements), false)
	above.Opacity *= p
	return append(below, above), err
}

// dip covers what is there with the transition's colour.
func (v *vision) dip(layers []gpu.Layer, with scene.Transition, opacity float64) ([]gpu.Layer, error) {
	colour := gpu.Black()
	if c, err := scene.ParseColor(with.Color); err == nil {
		colour = gpu.RGB(c.R, c.G, c.B)
	}
	cover, err := v.solid(colour, v.bounds(), opacity)
	return append(layers, cover), err
}

// push moves what is there out by what comes in.
func (v *vision) push(below, above []gpu.Layer, x, y, p float64) ([]gpu.Layer, error) {
	leaving, err := v.whole(below, true)
	if err != nil {
		return nil, err
	}
	coming, err := v.whole(above, true)
	// What leaves is the part that the other way has not taken yet, moved.
	out := v.part(leaving, -x, -y, 1-p)
	in := v.part(coming, x, y, p)
	for _, moved := range [][]gpu.Layer{out, in} {
		for i := range moved {
			moved[i].Crop = opposite(moved[i].Crop, x, y)
		}
	}
	return append(out, in...), err
}

// opposite is the part of the same size at the other side, along the way.
func opposite(c gpu.Crop, x, y float64) gpu.Crop {
	if x != 0 {
		c.X = 1 - c.X - c.W
	}
	if y != 0 {
		c.Y = 1 - c.Y - c.H
	}
	return c
}

// part is the share p of a whole picture that has come in on its way to (x, y),
// where it belongs; none of it is no layer.
func (v *vision) part(l gpu.Layer, x, y, p float64) []gpu.Layer {
	r := v.bounds()
	across := 2 * int(math.Round(p*float64(r.Dx())/2))
	down := 2 * int(math.Round(p*float64(r.Dy())/2))
	switch {
	case x > 0:
		r.Max.X = across
	case x < 0:
		r.Min.X = r.Max.X - across
	case y > 0:
		r.Max.Y = down
	case y < 0:
		r.Min.Y = r.Max.Y - down
	}
	if r.Empty() {
		return nil
	}
	w, h := float64(v.canvas.Width), float64(v.canvas.Height)
	l.Crop = gpu.Crop{X: float64(r.Min.X) / w, Y: float64(r.Min.Y) / h, W: float64(r.Dx()) / w, H: float64(r.Dy()) / h}
	l.Dst, l.Fit = r, gpu.Fill
	return []gpu.Layer{l}
}

// whole is layers as one that covers the canvas: the only one, where that does so
// already and need not be cut, else a picture composed apart.
func (v *vision) whole(layers []gpu.Layer, cut bool) (gpu.Layer, error) {
	if len(layers) == 1 && !cut {
		l := layers[0]
		if l.Dst == v.bounds() && l.Fit != gpu.Contain && l.Opacity == 1 && l.Radius == 0 && l.Matte == nil && l.Border.Width == 0 {
			return l, nil
		}
	}
	if v.used == len(v.side) {
		made, err := v.device.NewCompositor(gpu.CompositorConfig{Canvas: gpu.Size{Width: v.canvas.Width, Height: v.canvas.Height}})
		if err != nil {
			return gpu.Layer{}, fmt.Errorf("compose a scene apart: %w", err)
		}
		v.side = append(v.side, made)
	}
	composition, err := v.side[v.used].Compose(layers, gpu.Black())
	if err != nil {
		return gpu.Layer{}, fmt.Errorf("compose a scene apart: %w", err)
	}
	v.used++
	v.composed = append(v.composed, composition)
	return gpu.Layer{Frame: composition.Canvas, Dst: v.bounds(), Fit: gpu.Fill, Opacity: 1}, nil
}

// solid is a plane of one colour.
func (v *vision) solid(colour gpu.Color, dst image.Rectangle, opacity float64) (gpu.Layer, error) {
	frame := v.solids[colour]
	if frame == nil {
		var err error
		if frame, err = v.device.NewFrame(gpu.Size{Width: v.canvas.Width, Height: v.canvas.Height}); err != nil {
			return gpu.Layer{}, fmt.Errorf("make a plane: %w", err)
		}
		frame.Fill(colour)
		v.solids[colour] = frame
	}
	return gpu.Layer{Frame: frame, Crop: part(dst, v.canvas), Dst: dst, Fit: gpu.Fill, Opacity: opacity}, nil
}

// done ends a tick. Compositors that it did not need are closed: what they hold
// of the sources is old.
func (v *vision) done() {
	for _, c := range v.composed {
		c.Release()
	}
	for _, c := range v.side[v.used:] {
		c.Close()
	}
	clear(v.composed)
	v.composed, v.side, v.used = v.composed[:0], v.side[:v.used], 0
}

func (v *vision) close() {
	v.used = 0
	v.done()
	for _, f := range v.solids {
		f.Release()
	}
	clear(v.solids)
}
