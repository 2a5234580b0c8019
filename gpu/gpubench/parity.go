package main

import (
	"fmt"
	"math/rand/v2"

	"millrace/gpu/kernels"
)

// tolerance is how far the kernel may be from the reference (pixel.h).
const tolerance = 1

// parityResult says how the kernel compares with the reference in C.
type parityResult struct {
	scenes, samples, off int // off: pictures with any sample that differs
	most                 int
	where                string
}

// parity composes seeded random scenes on the card and by the reference.
func (c *card) parity(seed uint64, scenes int) (parityResult, error) {
	var result parityResult
	for i := range scenes {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		if err := c.parityOf(rnd, &result); err != nil {
			return result, fmt.Errorf("scene %d of seed %d: %w", i, seed, err)
		}
		result.scenes++
		if result.most > tolerance {
			return result, fmt.Errorf("scene %d of seed %d differs by %d: %s", i, seed, result.most, result.where)
		}
	}
	return result, nil
}

// set is the shows of one launch with all their pictures.
type set struct {
	shows   []kernels.Show // on the card
	sources []*picture
	outs    [][]*picture // of a show: canvas, rungs
}

func (s *set) free() {
	for _, p := range s.sources {
		p.free()
	}
	for _, outs := range s.outs {
		for _, p := range outs {
			p.free()
		}
	}
}

// parityOf compares one launch of one to three shows.
func (c *card) parityOf(rnd *rand.Rand, result *parityResult) error {
	s := &set{}
	defer s.free()
	for range 1 + rnd.IntN(3) {
		if err := c.invent(rnd, s); err != nil {
			return err
		}
	}
	for _, p := range s.sources {
		if err := c.upload(p); err != nil {
			return err
		}
	}
	l, err := c.pack(s.shows)
	if err != nil {
		return err
	}
	defer l.free()
	if err := c.launch(l); err != nil {
		return err
	}
	for _, outs := range s.outs {
		for _, p := range outs {
			if err := c.download(p); err != nil {
				return err
			}
		}
	}
	if err := c.finish(); err != nil {
		return err
	}
	for i := range s.shows {
		if err := c.compare(s, i, result); err != nil {
			return err
		}
	}
	return nil
}

// invent adds a random show and its pictures.
func (c *card) invent(rnd *rand.Rand, s *set) error {
	even := func(most int) int { return 2 + 2*rnd.IntN(most/2) }
	canvas := shape{even(330), even(150), rnd.IntN(2) == 0}
	if rnd.IntN(4) == 0 {
		canvas.w, canvas.h = 384, 216
	}
	show := kernels.Show{Background: [3]uint8{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32())}}
	for range rnd.IntN(6) {
		source, err := newPicture(c.device, shape{even(300), even(200), rnd.IntN(2) == 0})
		if err != nil {
			return err
		}
		s.sources = append(s.sources, source)
		source.noise(rnd)
		layer := inventLayer(rnd, source, canvas)
		if rnd.IntN(3) == 0 {
			if err := c.inventMatte(rnd, s, source, &layer); err != nil {
				return err
			}
		}
		show.Layers = append(show.Layers, layer)
	}
	shapes := []shape{canvas}
	for range rnd.IntN(4) {
		rung := shape{even(200), even(120), rnd.IntN(2) == 0}
		switch rnd.IntN(4) {
		case 0:
			rung.w, rung.h = max(2, canvas.w/3&^1), max(2, canvas.h/3&^1)
		case 1:
			rung.w, rung.h = max(2, canvas.w*2/3&^1), max(2, canvas.h*2/3&^1)
		}
		shapes = append(shapes, rung)
	}
	var outs []*picture
	for _, shape := range shapes {
		p, err := newPicture(c.device, shape)
		if err != nil {
			return err
		}
		outs = append(outs, p)
		p.noise(rnd) // what stays of it was not written
		if err := c.upload(p); err != nil {
			return err
		}
		show.Rungs = append(show.Rungs, shape.at(p.card.Address))
	}
	show.Canvas, show.Rungs = show.Rungs[0], show.Rungs[1:]
	s.outs = append(s.outs, outs)
	s.shows = append(s.shows, show)
	return nil
}

func inventLayer(rnd *rand.Rand, source *picture, canvas shape) kernels.Layer {
	span := func(size int) (start, n int) {
		n = 2 + 2*rnd.IntN(size/2)
		return 2 * rnd.IntN((size-n)/2+1), n
	}
	layer := kernels.Layer{Picture: source.at(source.card.Address), Opacity: 255}
	layer.Src.X, layer.Src.W = span(source.w)
	layer.Src.Y, layer.Src.H = span(source.h)
	layer.Dst = kernels.Rect{X: 2*rnd.IntN(canvas.w) - canvas.w&^1, Y: 2*rnd.IntN(canvas.h) - canvas.h&^1, W: 2 + 2*rnd.IntN(150), H: 2 + 2*rnd.IntN(100)}
	switch rnd.IntN(6) {
	case 0: // copied
		layer.Dst.W, layer.Dst.H = layer.Src.W, layer.Src.H
	case 1: // halved
		layer.Src.W, layer.Src.H = max(4, layer.Src.W&^3), max(4, layer.Src.H&^3)
		if layer.Src.X+layer.Src.W > source.w || layer.Src.Y+layer.Src.H > source.h {
			layer.Src.W, layer.Src.H = layer.Src.W-layer.Src.W%4, layer.Src.H-layer.Src.H%4
			layer.Src.X, layer.Src.Y = 0, 0
		}
		if layer.Src.W <= source.w && layer.Src.H <= source.h {
			layer.Dst.W, layer.Dst.H = layer.Src.W/2, layer.Src.H/2
		} else {
			layer.Src.W, layer.Src.H = 2, 2
		}
	case 2: // over all of the canvas
		layer.Dst = kernels.Rect{W: canvas.w, H: canvas.h}
	}
	if rnd.IntN(3) == 0 {
		layer.Opacity = 1 + rnd.IntN(255)
	}
	side := min(layer.Dst.W, layer.Dst.H)
	if rnd.IntN(3) == 0 {
		layer.Radius = rnd.IntN(side/2 + 1)
	}
	if rnd.IntN(3) == 0 {
		layer.Border = rnd.IntN(min(side/2+1, 9))
		layer.BorderColor = [3]uint8{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32())}
	}
	return layer
}

// inventMatte gives a layer a matte, of its picture's size; half of them are mostly
// clear or mostly covering, as text is.
func (c *card) inventMatte(rnd *rand.Rand, s *set, source *picture, layer *kernels.Layer) error {
	matte, err := newPicture(c.device, shape{source.w, source.h, rnd.IntN(2) == 0})
	if err != nil {
		return err
	}
	s.sources = append(s.sources, matte)
	matte.noise(rnd)
	if ends := rnd.IntN(4); ends < 2 {
		for i, value := range matte.host.Bytes() {
			if value < 200 {
				matte.host.Bytes()[i] = byte(255 * ends)
			}
		}
	}
	layer.Matte = matte.at(matte.card.Address)
	return nil
}

// hosted is the host's copy of a picture on the card.
func (s *set) hosted(on kernels.Picture) kernels.Picture {
	for _, source := range s.sources {
		if on.Plane[0] == source.card.Address {
			return source.at(source.host.Address)
		}
	}
	return on
}

// compare draws show i by the reference and measures the card's pictures by it.
func (c *card) compare(s *set, i int, result *parityResult) error {
	show, outs := s.shows[i], s.outs[i]
	layers := make([]kernels.Layer, len(show.Layers))
	for j, layer := range show.Layers {
		layers[j] = layer
		layers[j].Picture, layers[j].Matte = s.hosted(layer.Picture), s.hosted(layer.Matte)
	}
	var canvas kernels.Picture
	for j, out := range outs {
		memory, err := c.device.AllocHost(out.bytes())
		if err != nil {
			return err
		}
		defer memory.Free()
		want := out.at(memory.Address)
		if j == 0 {
			canvas = want
			kernels.Compose(canvas, show.Background, layers)
		} else {
			kernels.Scale(want, canvas)
		}
		most, where := difference(out.at(out.host.Address), want)
		result.samples += out.payload()
		if most > 0 {
			result.off++
		}
		if most > result.most {
			result.most = most
			result.where = fmt.Sprintf("picture %d of %dx%d from %dx%d, %s", j, out.w, out.h, canvas.Width, canvas.Height, where)
		}
	}
	return nil
}
