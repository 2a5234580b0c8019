package gpu

import (
	"slices"

	"millrace/gpu/kernels"
)

// previous is what the last call drew and from what. Its frames are retained,
// so equal plane pointers are equal pictures.
type previous struct {
	layers      []kernels.Layer
	frames      []*Frame
	background  Color
	composition Composition
}

// shows reports whether the last composition is what these layers give.
func (p *previous) shows(layers []kernels.Layer, background Color) bool {
	return p.composition.Canvas != nil && p.background == background && slices.Equal(p.layers, layers)
}

// set remembers a composition and holds all that it was made from.
func (p *previous) set(layers []Layer, resolved []kernels.Layer, background Color, composition Composition) {
	frames := p.frames
	p.frames = nil
	for _, layer := range layers {
		p.frames = append(p.frames, layer.Frame.Retain())
		if layer.Matte != nil {
			p.frames = append(p.frames, layer.Matte.Retain())
		}
	}
	for _, frame := range frames {
		frame.Release()
	}
	if p.composition.Canvas != nil {
		p.composition.Release()
	}
	p.layers, p.background, p.composition = resolved, background, composition.retain()
}

// release gives up everything held.
func (p *previous) release() {
	for _, frame := range p.frames {
		frame.Release()
	}
	if p.composition.Canvas != nil {
		p.composition.Release()
	}
	*p = previous{}
}

// retain is a second composition of the same frames.
func (c Composition) retain() Composition {
	c.Canvas.Retain()
	c.Rungs = slices.Clone(c.Rungs)
	for _, rung := range c.Rungs {
		rung.Retain()
	}
	return c
}
