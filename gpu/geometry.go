package gpu

import (
	"image"
	"math"

	"millrace/gpu/kernels"
)

// resolve turns crop, fit and pixel aspect into the source and destination
// rectangles of the pixel contract. Rectangles are snapped to even pixels; an
// odd last row or column of a source is not used. ok is false for a layer that
// shows nothing.
func (l *Layer) resolve(canvas Size) (layer kernels.Layer, ok bool) {
	if l.Dst.Empty() || !(l.Opacity > 0) {
		return layer, false
	}
	dst := even(l.Dst)
	if dst.Empty() {
		return layer, false
	}
	src := l.Crop.of(l.Frame.Size)
	shape := float64(dst.Dx()) / float64(dst.Dy()) / l.Frame.Aspect // in source pixels
	switch l.Fit {
	case Fill:
	case Contain:
		dst = contain(dst, src.w/src.h/shape)
	default:
		src = src.cover(shape)
	}
	side := min(dst.Dx(), dst.Dy())
	layer = kernels.Layer{
		Picture:     l.Frame.picture(),
		Src:         src.snap(l.Frame.Size),
		Dst:         kernels.Rect{X: dst.Min.X, Y: dst.Min.Y, W: dst.Dx(), H: dst.Dy()},
		Opacity:     max(1, int(math.Round(255*min(l.Opacity, 1)))),
		Radius:      min(whole(l.Radius), side/2),
		Border:      min(whole(l.Border.Width), (side+1)/2),
		BorderColor: [3]uint8{l.Border.Color.Y, l.Border.Color.Cb, l.Border.Color.Cr},
	}
	if l.Matte != nil {
		layer.Matte, layer.Radius, layer.Border = l.Matte.picture(), 0, 0
	}
	return layer, dst.Overlaps(image.Rect(0, 0, canvas.Width, canvas.Height))
}

// picture describes f to C.
func (f *Frame) picture() kernels.Picture {
	return kernels.Picture{
		Plane: f.plane, Stride: f.stride, Step: f.step, Width: f.Size.Width, Height: f.Size.Height, Version: f.version,
	}
}

// whole rounds a length in pixels; one above 0 stays visible.
func whole(length float64) int {
	if !(length > 0) {
		return 0
	}
	return max(1, int(math.Round(min(length, MaxSide))))
}

// even takes every edge to the nearest even pixel.
func even(r image.Rectangle) image.Rectangle {
	snap := func(v int) int { return (v + 1) &^ 1 }
	return image.Rect(snap(r.Min.X), snap(r.Min.Y), snap(r.Max.X), snap(r.Max.Y))
}

// contain is the largest centred part of dst whose shape is `wider` times as
// wide as dst's.
func contain(dst image.Rectangle, wider float64) image.Rectangle {
	w, h := dst.Dx(), dst.Dy()
	if wider < 1 {
		w = max(2, 2*int(math.Round(float64(w)*wider/2)))
	} else {
		h = max(2, 2*int(math.Round(float64(h)/wider/2)))
	}
	x, y := dst.Min.X+(dst.Dx()-w)/2&^1, dst.Min.Y+(dst.Dy()-h)/2&^1
	return image.Rect(x, y, x+w, y+h)
}

// area is a rectangle of a source, in its pixels.
type area struct{ x, y, w, h float64 }

// of is the crop of a source of that size; one that is no part of it is all of it.
func (c Crop) of(size Size) area {
	w, h := float64(size.Width), float64(size.Height)
	left, right := min(max(c.X, 0), 1), min(max(c.X+c.W, 0), 1)
	top, bottom := min(max(c.Y, 0), 1), min(max(c.Y+c.H, 0), 1)
	if !(left < right && top < bottom) {
		return area{0, 0, w, h}
	}
	return area{left * w, top * h, (right - left) * w, (bottom - top) * h}
}

// cover is the largest centred part with that width over height.
func (a area) cover(shape float64) area {
	if w := a.h * shape; w < a.w {
		return area{a.x + (a.w-w)/2, a.y, w, a.h}
	}
	h := min(a.w/shape, a.h)
	return area{a.x, a.y + (a.h-h)/2, a.w, h}
}

// snap is the area on even pixels of a source of that size, 2x2 at least.
func (a area) snap(size Size) kernels.Rect {
	x, w := snapSpan(a.x, a.w, size.Width&^1)
	y, h := snapSpan(a.y, a.h, size.Height&^1)
	return kernels.Rect{X: x, Y: y, W: w, H: h}
}

func snapSpan(from, length float64, size int) (start, n int) {
	n = min(max(2, 2*int(math.Round(length/2))), size)
	start = 2 * int(math.Round(from/2))
	return min(max(start, 0), size-n), n
}

// uncovered is what is left of whole when the covers are taken away, as
// rectangles that do not overlap.
func uncovered(whole image.Rectangle, covers []image.Rectangle) []image.Rectangle {
	left := []image.Rectangle{whole}
	for _, cover := range covers {
		var next []image.Rectangle
		for _, r := range left {
			next = append(next, subtract(r, cover)...)
		}
		left = next
	}
	return left
}

// subtract is r without cut, in at most four rectangles.
func subtract(r, cut image.Rectangle) (left []image.Rectangle) {
	cut = cut.Intersect(r)
	if cut.Empty() {
		return []image.Rectangle{r}
	}
	for _, part := range []image.Rectangle{
		image.Rect(r.Min.X, r.Min.Y, r.Max.X, cut.Min.Y),
		image.Rect(r.Min.X, cut.Max.Y, r.Max.X, r.Max.Y),
		image.Rect(r.Min.X, cut.Min.Y, cut.Min.X, cut.Max.Y),
		image.Rect(cut.Max.X, cut.Min.Y, r.Max.X, cut.Max.Y),
	} {
		if part.Dx() > 0 && part.Dy() > 0 {
			left = append(left, part)
		}
	}
	return left
}
