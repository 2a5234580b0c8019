package engine

import (
	"image"
	"slices"

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
	for _, o := range d.show.Overlays {
		if level := d.over[o.ID].at(n); level > 0 {
			p := o.Placement()
			p.Opacity *= level
			layers = d.place(layers, p, d.show.Canvas)
		}
	}
	if err != nil || black <= 0 {
		return layers, err
	}
	cover, err := d.vision.solid(gpu.Black(), d.vision.bounds(), black)
	return append(layers, cover), err
}

// draw gives placements with the present pictures.
func (d *desk) draw(placements []scene.Placement) []gpu.Layer {
	layers := make([]gpu.Layer, 0, len(placements)+1)
	for _, p := range labelled(placements) {
		layers = d.place(layers, p, d.show.Canvas)
	}
	return layers
}

// labelHeight is that of a label's strip, in fractions of the canvas height.
const labelHeight = 0.06

// labelled is placements, each that has a label with a strip of text on it.
func labelled(placements []scene.Placement) []scene.Placement {
	if !slices.ContainsFunc(placements, func(p scene.Placement) bool { return p.Label != "" }) {
		return placements
	}
	all := make([]scene.Placement, 0, 2*len(placements))
	for _, p := range placements {
		all = append(all, p)
		if p.Label == "" {
			continue
		}
		strip := p.Rect
		strip.H = min(labelHeight, p.Rect.H)
		strip.Y = p.Rect.Y + p.Rect.H - strip.H
		all = append(all, scene.Placement{
			Graphic: scene.Graphic{Kind: scene.KindText, Text: p.Label, Style: scene.Style{Size: 0.035, Background: "#000000a0"}},
			Rect:    strip, Fit: scene.Fill, Opacity: p.Opacity,
		})
	}
	return all
}

// place adds a placement on a canvas of some size.
func (d *desk) place(layers []gpu.Layer, p scene.Placement, canvas worker.Canvas) []gpu.Layer {
	l := layer(p, canvas)
	if p.Drawn() {
		if d.board.layer(p, d.now, &l) {
			layers = append(layers, l)
		}
		return layers
	}
	if from := d.sources[p.Source]; from != nil && d.look(from, p.Missing, &l) {
		layers = append(layers, l)
	}
	return layers
}

// placeIn adds a placement as it is in a part of another canvas.
func (d *desk) placeIn(layers []gpu.Layer, p scene.Placement, part scene.Rect, canvas worker.Canvas) []gpu.Layer {
	if !p.Drawn() {
		p.Rect, p.Radius, p.Border.Width = p.Rect.Within(part), p.Radius*part.W, p.Border.Width*part.W
		return d.place(layers, p, canvas)
	}
	at := len(layers)
	layers = d.place(layers, p, d.show.Canvas) // a text is drawn for its own canvas, and scaled
	for i := range layers[at:] {
		layers[at+i].Dst = p.Rect.Within(part).Pixels(canvas.Width, canvas.Height)
	}
	return layers
}

// look puts what a source shows now into a layer; false where that is nothing.
func (d *desk) look(from *source, missing scene.Missing, l *gpu.Layer) bool {
	if l.Frame = from.frame; l.Frame != nil {
		l.Matte = from.matte
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
	if photo := d.board.photo(d.show.Slate, d.now); photo != nil {
		l.Frame, l.Matte = photo.picture, photo.matte
	}
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
	if d.now = t; int64(t)/int64(drawingLife) != int64(d.swept)/int64(drawingLife) {
		d.swept = t
		d.board.sweep(t)
	}
	if d.board.album.renewed() {
		d.prepare() // it is drawn before it is needed
	}
	d.stage.settle(n)
	if !d.resting {
		d.onAir = d.stage.weights(n)
		d.resting = d.stage.from == nil
	}
	dark := d.black.at(n) >= 1
	for id, s := range d.sources {
		_, shown := d.onAir[id]
		s.advance(n, t, viewed || shown && !dark && !repeat)
		if s.config.Kind == worker.Still {
			s.pose(d.board.photo(s.config.Still, t))
		}
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
	d.board.close()
	for _, s := range d.sources {
		s.close()
	}
	d.sources = nil
}

// part is the share of a plane as large as a canvas that makes a rectangle.
func part(r image.Rectangle, canvas worker.Canvas) gpu.Crop {
	return gpu.Crop{W: float64(r.Dx()) / float64(canvas.Width), H: float64(r.Dy()) / float64(canvas.Height)}
}
