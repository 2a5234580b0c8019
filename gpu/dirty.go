package gpu

import (
	"image"
	"slices"

	"millrace/gpu/kernels"
)

// scenery is all that decides what a canvas shows. Pictures are known by the
// version of their contents, so that they need not be held to be compared.
type scenery struct {
	layers     []kernels.Layer // without those that are hidden
	background Color
}

func (s scenery) equal(other scenery) bool {
	return s.background == other.background && slices.Equal(s.layers, other.layers)
}

// dirty are the parts of a canvas with one scenery that another changes, apart
// from each other: outside of them every pixel comes from the same layers in the
// same order.
func (s scenery) dirty(other scenery, bounds image.Rectangle) []image.Rectangle {
	if s.background != other.background {
		return []image.Rectangle{bounds}
	}
	before, after := s.layers, other.layers
	head, tail := 0, 0
	if len(before) != len(after) {
		for head < min(len(before), len(after)) && before[head] == after[head] {
			head++
		}
		for tail < min(len(before), len(after))-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
			tail++
		}
	}
	var parts []image.Rectangle
	for i := head; i < max(len(before), len(after))-tail; i++ {
		had, has := i < len(before)-tail, i < len(after)-tail
		if had && has && before[i] == after[i] {
			continue
		}
		if had {
			parts = append(parts, seen(before, i, bounds)...)
		}
		if has {
			parts = append(parts, seen(after, i, bounds)...)
		}
	}
	return gather(parts, bounds)
}

// seen is what the solid layers above leave of layer i.
func seen(layers []kernels.Layer, i int, bounds image.Rectangle) []image.Rectangle {
	var covers []image.Rectangle
	for _, upper := range layers[i+1:] {
		if solid(upper) {
			covers = append(covers, rectangle(upper.Dst))
		}
	}
	return uncovered(rectangle(layers[i].Dst).Intersect(bounds), covers)
}

// visible are the layers that are not hidden.
func visible(layers []kernels.Layer, bounds image.Rectangle) []kernels.Layer {
	kept := layers[:0]
	for i, layer := range layers {
		if !hidden(layer, layers[i+1:], bounds) {
			kept = append(kept, layer)
		}
	}
	return kept
}

// over are the layers that show on a part of the canvas.
func over(layers []kernels.Layer, part image.Rectangle) (touching []kernels.Layer) {
	for _, layer := range layers {
		if rectangle(layer.Dst).Overlaps(part) {
			touching = append(touching, layer)
		}
	}
	return touching
}

// mostParts is how many parts are worth drawing one by one.
const mostParts = 12

// gather gives rectangles that are apart and cover all the parts: fewer ones
// where that adds little, all of bounds where most of it is covered.
func gather(parts []image.Rectangle, bounds image.Rectangle) []image.Rectangle {
	var apart []image.Rectangle
	for _, part := range parts {
		apart = join(apart, part.Intersect(bounds))
	}
	total := 0
	for _, r := range apart {
		total += pixels(r)
	}
	if len(apart) > mostParts || 5*total > 4*pixels(bounds) {
		return []image.Rectangle{bounds}
	}
	return apart
}

// join adds a rectangle to some that are apart, as one with those that it meets
// or continues.
func join(apart []image.Rectangle, r image.Rectangle) []image.Rectangle {
	if r.Empty() {
		return apart
	}
	for i := 0; i < len(apart); i++ {
		both := apart[i].Union(r)
		if apart[i].Overlaps(r) || pixels(both) == pixels(apart[i])+pixels(r) {
			r = both
			apart = slices.Delete(apart, i, i+1)
			i = -1 // it has grown: the others are looked at again
		}
	}
	return append(apart, r)
}

// reach is the part of a picture, scaled from another, that samples of a part of
// that one go into: with a margin for the width of filters and the siting of
// chroma.
func reach(part image.Rectangle, from, to Size) image.Rectangle {
	left, right := reachSpan(part.Min.X, part.Max.X, from.Width, to.Width)
	top, bottom := reachSpan(part.Min.Y, part.Max.Y, from.Height, to.Height)
	return image.Rect(left, top, right, bottom).Intersect(to.bounds())
}

func reachSpan(begin, end, from, to int) (first, last int) {
	margin := 2 * (1 + (to+from-1)/from)
	first = begin*to/from - margin
	last = (end*to+from-1)/from + margin
	return first &^ 1, (last + 1) &^ 1
}

// solid layers replace every pixel of their rectangle.
func solid(layer kernels.Layer) bool {
	return layer.Opacity == 255 && layer.Radius == 0 && layer.Border == 0 && layer.Matte.Plane[0] == nil
}

// hidden reports whether one of the layers above covers all that shows.
func hidden(layer kernels.Layer, above []kernels.Layer, bounds image.Rectangle) bool {
	visible := rectangle(layer.Dst).Intersect(bounds)
	return slices.ContainsFunc(above, func(upper kernels.Layer) bool {
		return solid(upper) && visible.In(rectangle(upper.Dst))
	})
}

func rectangle(r kernels.Rect) image.Rectangle { return image.Rect(r.X, r.Y, r.X+r.W, r.Y+r.H) }

func sizeOf(r image.Rectangle) Size { return Size{r.Dx(), r.Dy()} }

// bounds is the rectangle of a picture of that size.
func (s Size) bounds() image.Rectangle { return image.Rect(0, 0, s.Width, s.Height) }

func pixels(r image.Rectangle) int { return r.Dx() * r.Dy() }
