package gpu

import "image"

// drawn is a composition that the compositor keeps when it has handed it on:
// once nobody else holds it, only what has changed since is drawn on it.
type drawn struct {
	composition Composition // one reference of each
	scenery     scenery
}

// mostKept is how many compositions are kept: the one on screen, those that
// encoders have not finished, and one to draw on.
const mostKept = 5

// free reports whether only the compositor holds the pictures: then nobody else
// can come to hold them.
func (d *drawn) free() bool {
	own := int32(1) // references of the canvas
	for _, rung := range d.composition.Rungs {
		if rung == d.composition.Canvas {
			own++
		} else if rung.refs.Load() != 1 {
			return false
		}
	}
	return d.composition.Canvas.refs.Load() == own
}

// choose takes the kept composition that shows what is wanted, else the one that
// the least has to be drawn on, else a new one; dirty is what to draw on it.
func (c *cpuCompositor) choose(wanted scenery) (best *drawn, dirty []image.Rectangle, err error) {
	at, least := -1, 0
	for i, d := range c.kept {
		if d.scenery.equal(wanted) {
			at, dirty = i, nil
			break
		}
		if !d.free() {
			continue
		}
		parts, sum := d.scenery.dirty(wanted, c.config.Canvas.bounds()), 0
		for _, part := range parts {
			sum += pixels(part)
		}
		if at < 0 || sum < least {
			at, dirty, least = i, parts, sum
		}
	}
	if at >= 0 {
		best = c.kept[at]
		c.kept = append(c.kept[:at], c.kept[at+1:]...)
		return best, dirty, nil
	}
	composition, err := c.config.frames(c.pool)
	return &drawn{composition: composition}, []image.Rectangle{c.config.Canvas.bounds()}, err
}

// keep holds on to a composition, and lets the oldest go where there are many.
func (c *cpuCompositor) keep(d *drawn) {
	c.kept = append(c.kept, d)
	if len(c.kept) > mostKept {
		c.kept[0].composition.Release()
		c.kept = append(c.kept[:0], c.kept[1:]...)
	}
}
