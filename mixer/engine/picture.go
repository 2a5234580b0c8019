package engine

import (
	"image"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// picture gives the layers of the program on frame n, valid until done.
func (d *desk) picture(n int64) ([]gpu.Layer, error) {
	black := d.black.at(n)
	if black >= 1 {
		return nil, nil
	}
	layers, err := d.vision.show(d.stage, n, d.draw)
	if err != nil || black <= 0 {
		return layers, err
	}
	cover, err := d.vision.solid(gpu.Black(), d.vision.bounds(), black)
	return append(layers, cover), err
}

// draw gives placements with the present pictures.
func (d *desk) draw(placements []scene.Placement) []gpu.Layer {
	layers := make([]gpu.Layer, 0, len(placements)+1)
	for _, p := range placements {
		layers = d.place(layers, p, d.show.Canvas)
	}
	return layers
}

// place adds a placement on a canvas of some size.
func (d *desk) place(layers []gpu.Layer, p scene.Placement, canvas worker.Canvas) []gpu.Layer {
	l := layer(p, canvas)
	if from := d.sources[p.Source]; from != nil && d.look(from, p.Missing, &l) {
		layers = append(layers, l)
	}
	return layers
}

// look puts what a source shows now into a layer; false where that is nothing.
func (d *desk) look(from *source, missing scene.Missing, l *gpu.Layer) bool {
	if l.Frame = from.frame; l.Frame != nil {
		return true
	}
	switch missing {
	case scene.MissingHide:
		return false
	case scene.MissingHold:
		if l.Frame = from.newest(); l.Frame != nil {
			return true
		}
	case scene.MissingBlack:
		black, err := d.vision.solid(gpu.Black(), l.Dst, l.Opacity)
		if err == nil {
			l.Frame, l.Crop, l.Fit = black.Frame, black.Crop, gpu.Fill
			return true
		}
	}
	l.Frame, l.Crop = from.slate, gpu.Crop{}
	return true
}

// layer is a placement in canvas pixels.
func layer(p scene.Placement, canvas worker.Canvas) gpu.Layer {
	width := float64(canvas.Width)
	l := gpu.Layer{
		Crop:    gpu.Crop(p.Crop),
		Dst:     p.Rect.Pixels(canvas.Width, canvas.Height),
		Fit:     gpu.Fit(p.Fit),
		Opacity: p.Opacity,
		Radius:  p.Radius * width,
		Border:  gpu.Border{Width: p.Border.Width * width, Color: gpu.RGB(255, 255, 255)},
	}
	if color, err := scene.ParseColor(p.Border.Color); err == nil {
		l.Border.Color = gpu.RGB(color.R, color.G, color.B)
	}
	return l
}

// advance moves every source to tick n at t. On a tick that repeats the last
// picture nothing is drawn; viewed says that all sources are looked at.
func (d *desk) advance(n int64, t media.Time, repeat, viewed bool) {
	d.stage.settle(n)
	if !d.resting {
		d.onAir = d.stage.weights(n)
		d.resting = d.stage.from == nil
	}
	dark := d.black.at(n) >= 1
	for id, s := range d.sources {
		_, shown := d.onAir[id]
		s.advance(n, t, viewed || shown && !dark && !repeat)
	}
}

// composed hears that the program was composed at now.
func (d *desk) composed(now media.Time) {
	for id, s := range d.sources {
		if _, shown := d.onAir[id]; shown {
			s.compose(now)
		}
	}
}

// done ends the tick.
func (d *desk) done() {
	d.vision.done()
	for _, s := range d.sources {
		s.done()
	}
}

func (d *desk) close() {
	d.vision.close()
	for _, s := range d.sources {
		s.close()
	}
	d.sources = nil
}

// part is the share of a plane as large as a canvas that makes a rectangle.
func part(r image.Rectangle, canvas worker.Canvas) gpu.Crop {
	return gpu.Crop{W: float64(r.Dx()) / float64(canvas.Width), H: float64(r.Dy()) / float64(canvas.Height)}
}
