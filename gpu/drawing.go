package gpu

/*
#include "compose.h"
*/
import "C"

import (
	"fmt"
	"image"
	"unsafe"

	"millrace/gpu/kernels"
)

// draw lists the operations for a part of the canvas.
func (c *cpuCompositor) draw(canvas *Frame, wanted scenery, part image.Rectangle) error {
	layers := over(wanted.layers, part)
	var covers []image.Rectangle
	for _, layer := range layers {
		if solid(layer) {
			covers = append(covers, rectangle(layer.Dst))
		}
	}
	for _, bare := range uncovered(part, covers) {
		op := c.op(C.MR_FILL, C.MR_CANVAS, view(canvas.picture(), &bare))
		op.top = C.int(bare.Min.Y)
		op.color = [3]C.uint8_t{C.uint8_t(wanted.background.Y), C.uint8_t(wanted.background.Cb), C.uint8_t(wanted.background.Cr)}
	}
	for i, layer := range layers {
		if hidden(layer, layers[i+1:], part) {
			continue
		}
		if err := c.drawLayer(canvas, layer, part); err != nil {
			return err
		}
	}
	return nil
}

// drawLayer scales a plain layer straight into the part of the canvas; any other
// one goes through a scratch picture.
func (c *cpuCompositor) drawLayer(canvas *Frame, layer kernels.Layer, part image.Rectangle) error {
	dst, src := rectangle(layer.Dst), rectangle(layer.Src)
	shown := dst.Intersect(part)
	within := shown.Sub(dst.Min)
	from, to := sizeOf(src), sizeOf(dst)
	if solid(layer) && dst.In(c.config.Canvas.bounds()) && (shown == dst || c.partly(from, to)) {
		c.scale(C.MR_CANVAS, view(layer.Picture, &src), view(canvas.picture(), &dst), within).top = C.int(dst.Min.Y)
		return nil
	}
	picture, origin, err := c.atSize(layer.Picture, src, to, within)
	if err != nil {
		return err
	}
	op := c.op(C.MR_MIX, C.MR_CANVAS, view(canvas.picture(), &shown))
	there := within.Add(origin)
	op.src, op.top = view(picture, &there), C.int(shown.Min.Y)
	op.opacity = C.int(layer.Opacity)
	if layer.Matte.Plane[0] != nil {
		matte, origin, err := c.atSize(layer.Matte, src, to, within)
		if err != nil {
			return err
		}
		there := within.Add(origin)
		cover := view(matte, &there)
		op.shape = [2]*C.uint8_t{cover.plane[0], cover.plane[1]}
		op.mask_stride = [2]C.int{cover.stride[0], cover.stride[1]}
	}
	if layer.Radius > 0 || layer.Border > 0 {
		shape := c.masks.get(maskKey{layer.Dst.W, layer.Dst.H, layer.Radius, 0})
		op.shape = shape.at(within.Min)
		op.mask_stride = [2]C.int{C.int(layer.Dst.W), C.int(layer.Dst.W / 2)}
	}
	if layer.Border > 0 {
		inner := c.masks.get(maskKey{layer.Dst.W, layer.Dst.H, layer.Radius, layer.Border})
		op.inner = inner.at(within.Min)
		for p, value := range layer.BorderColor {
			op.color[p] = C.uint8_t(value)
		}
	}
	return nil
}

// atSize is the part src of a picture at a size, and where it begins there: the
// picture itself where nothing is scaled, else a scratch picture of which only
// what is within is drawn.
func (c *cpuCompositor) atSize(picture kernels.Picture, src image.Rectangle, size Size, within image.Rectangle) (kernels.Picture, image.Point, error) {
	if sizeOf(src) == size {
		return picture, src.Min, nil
	}
	scratch, err := c.pool.Get(size)
	if err != nil {
		return picture, image.Point{}, fmt.Errorf("compose: %w", err)
	}
	c.scratch = append(c.scratch, scratch)
	if !c.partly(sizeOf(src), size) {
		within = size.bounds()
	}
	c.scale(C.MR_SCRATCH, view(picture, &src), view(scratch.picture(), nil), within)
	return scratch.picture(), image.Point{}, nil
}

// way is how pictures of one size become pictures of another: by libyuv where
// that is a copy or where our filters do not reach.
func (c *cpuCompositor) way(from, to Size) C.int {
	switch {
	case c.plain, from == to,
		C.mr_filter_supported(C.int(from.Width), C.int(to.Width)) == 0, C.mr_filter_supported(C.int(from.Height), C.int(to.Height)) == 0:
		return C.MR_SCALE
	case from == Size{2 * to.Width, 2 * to.Height}:
		return C.MR_HALVE
	}
	return C.MR_FILTER
}

// partly reports whether scaling can be done in part: libyuv only copies so.
func (c *cpuCompositor) partly(from, to Size) bool {
	return from == to || c.way(from, to) != C.MR_SCALE
}

// scale lists the scaling of src into a part of dst.
func (c *cpuCompositor) scale(target C.int, src, dst C.mr_view, part image.Rectangle) *C.mr_op {
	from, to := Size{int(src.width), int(src.height)}, Size{int(dst.width), int(dst.height)}
	op := c.op(c.way(from, to), target, dst)
	op.src = src
	op.part = C.mr_part{C.int(part.Min.X), C.int(part.Min.Y), C.int(part.Max.X), C.int(part.Max.Y)}
	if op.kind == C.MR_FILTER {
		for chroma := range 2 {
			op.across[chroma] = c.filters.get(filterKey{from.Width >> chroma, to.Width >> chroma, chroma})
			op.down[chroma] = c.filters.get(filterKey{from.Height >> chroma, to.Height >> chroma, 0})
		}
	}
	return op
}

// view is a part of a picture, all of it when part is nil.
func view(picture kernels.Picture, part *image.Rectangle) C.mr_view {
	all := image.Rect(0, 0, picture.Width, picture.Height)
	if part == nil {
		part = &all
	}
	v := C.mr_view{width: C.int(part.Dx()), height: C.int(part.Dy())}
	for p := range picture.Plane {
		chroma := min(p, 1)
		offset := (part.Min.Y>>chroma)*picture.Stride[p] + part.Min.X>>chroma
		v.plane[p] = (*C.uint8_t)(unsafe.Add(picture.Plane[p], offset))
		v.stride[p] = C.int(picture.Stride[p])
	}
	return v
}

// all is the whole of a view.
func all(v C.mr_view) C.mr_part { return C.mr_part{right: v.width, bottom: v.height} }
