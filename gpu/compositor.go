package gpu

/*
#cgo CFLAGS: -O3
#cgo LDFLAGS: -lyuv
#include <stdlib.h>
#include "compose.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"image"
	"slices"
	"unsafe"

	"millrace/gpu/kernels"
)

// check refuses sizes that the pixel contract does not cover.
func (c CompositorConfig) check() error {
	for _, size := range append([]Size{c.Canvas}, c.Rungs...) {
		if err := size.check(); err != nil {
			return fmt.Errorf("make compositor: %w", err)
		}
		if size.Width%2 != 0 || size.Height%2 != 0 {
			return fmt.Errorf("make compositor: %v is not of even sides", size)
		}
	}
	return nil
}

// resolveAll gives the layers that show something.
func resolveAll(layers []Layer, canvas Size) ([]kernels.Layer, error) {
	resolved := make([]kernels.Layer, 0, len(layers))
	for i := range layers {
		layer, ok := layers[i].resolve(canvas)
		if !ok {
			continue
		}
		if matte := layers[i].Matte; matte != nil && matte.Size != layers[i].Frame.Size {
			return nil, fmt.Errorf("compose layer %d: its matte is of %v, its picture of %v", i, matte.Size, layers[i].Frame.Size)
		}
		if err := (Size{layer.Dst.W, layer.Dst.H}).check(); err != nil {
			return nil, fmt.Errorf("compose layer %d: %w", i, err)
		}
		resolved = append(resolved, layer)
	}
	return resolved, nil
}

// cpuCompositor scales every source straight into its place with libyuv.
type cpuCompositor struct {
	config  CompositorConfig
	pool    *Pool
	plain   bool // libyuv scales everything: what a machine without AVX2 does
	masks   cache[maskKey, *mask]
	filters cache[filterKey, *C.mr_filter]

	// The work list of one call, in C memory; it grows to the largest scene.
	ops      []C.mr_op
	used     int
	scratch  []*Frame // released at the end of the call
	previous previous
}

// previous is what the last call drew and from what. Its frames are retained,
// so equal plane pointers are equal pictures.
type previous struct {
	layers      []kernels.Layer
	frames      []*Frame
	background  Color
	composition Composition
}

func newCPUCompositor(pool *Pool, config CompositorConfig) (Compositor, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	config.Rungs = slices.Clone(config.Rungs)
	return &cpuCompositor{
		config: config, pool: pool,
		plain:   C.mr_filter_supported(1, 1) == 0,
		masks:   newCache(newMask, (*mask).free),
		filters: newCache(newFilter, freeFilter),
	}, nil
}

func (c *cpuCompositor) Compose(layers []Layer, background Color) (Composition, error) {
	resolved, err := resolveAll(layers, c.config.Canvas)
	if err != nil {
		return Composition{}, err
	}
	if c.previous.shows(resolved, background) {
		return c.previous.composition.retain(), nil
	}
	composition, err := c.config.frames(c.pool)
	if err != nil {
		return Composition{}, err
	}
	if err := c.draw(composition.Canvas, resolved, background); err != nil {
		c.reset()
		composition.Release()
		return Composition{}, err
	}
	for _, rung := range composition.Rungs {
		if rung != composition.Canvas {
			c.scale(C.MR_RUNG, view(composition.Canvas.picture(), nil), view(rung.picture(), nil))
		}
	}
	if err := c.run(); err != nil {
		composition.Release()
		return Composition{}, err
	}
	c.previous.set(layers, resolved, background, composition)
	return composition, nil
}

// frames gives a canvas and its rungs, unwritten.
func (c CompositorConfig) frames(pool *Pool) (Composition, error) {
	canvas, err := pool.Get(c.Canvas)
	if err != nil {
		return Composition{}, fmt.Errorf("compose: %w", err)
	}
	composition := Composition{Canvas: canvas, Rungs: make([]*Frame, 0, len(c.Rungs))}
	for _, size := range c.Rungs {
		rung := canvas
		if size == c.Canvas {
			canvas.Retain()
		} else if rung, err = pool.Get(size); err != nil {
			composition.Release()
			return Composition{}, fmt.Errorf("compose rung %v: %w", size, err)
		}
		composition.Rungs = append(composition.Rungs, rung)
	}
	return composition, nil
}

// draw lists the operations for the canvas.
func (c *cpuCompositor) draw(canvas *Frame, layers []kernels.Layer, background Color) error {
	bounds := image.Rectangle{Max: image.Pt(canvas.Size.Width, canvas.Size.Height)}
	var covers []image.Rectangle
	for _, layer := range layers {
		if solid(layer) {
			covers = append(covers, rectangle(layer.Dst))
		}
	}
	for _, part := range uncovered(bounds, covers) {
		op := c.op(C.MR_FILL, C.MR_CANVAS)
		op.dst, op.top = view(canvas.picture(), &part), C.int(part.Min.Y)
		op.color = [3]C.uint8_t{C.uint8_t(background.Y), C.uint8_t(background.Cb), C.uint8_t(background.Cr)}
	}
	for i, layer := range layers {
		if hidden(layer, layers[i+1:], bounds) {
			continue
		}
		if err := c.drawLayer(canvas, layer, bounds); err != nil {
			return err
		}
	}
	return nil
}

// drawLayer scales a plain layer straight into the canvas; any other one goes
// through a scratch picture.
func (c *cpuCompositor) drawLayer(canvas *Frame, layer kernels.Layer, bounds image.Rectangle) error {
	dst, src := rectangle(layer.Dst), rectangle(layer.Src)
	if solid(layer) && dst.In(bounds) {
		c.scale(C.MR_CANVAS, view(layer.Picture, &src), view(canvas.picture(), &dst)).top = C.int(dst.Min.Y)
		return nil
	}
	picture, origin, err := c.atSize(layer.Picture, src, dst.Size())
	if err != nil {
		return err
	}
	visible := dst.Intersect(bounds)
	within := visible.Sub(dst.Min)
	op := c.op(C.MR_MIX, C.MR_CANVAS)
	part := within.Add(origin)
	op.src, op.dst, op.top = view(picture, &part), view(canvas.picture(), &visible), C.int(visible.Min.Y)
	op.opacity = C.int(layer.Opacity)
	if layer.Matte.Plane[0] != nil {
		matte, origin, err := c.atSize(layer.Matte, src, dst.Size())
		if err != nil {
			return err
		}
		part := within.Add(origin)
		cover := view(matte, &part)
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
// picture itself where nothing is scaled, else a scratch picture.
func (c *cpuCompositor) atSize(picture kernels.Picture, src image.Rectangle, size image.Point) (kernels.Picture, image.Point, error) {
	if src.Size() == size {
		return picture, src.Min, nil
	}
	scratch, err := c.pool.Get(Size{size.X, size.Y})
	if err != nil {
		return picture, image.Point{}, fmt.Errorf("compose: %w", err)
	}
	c.scratch = append(c.scratch, scratch)
	c.scale(C.MR_SCRATCH, view(picture, &src), view(scratch.picture(), nil))
	return scratch.picture(), image.Point{}, nil
}

// scale lists the scaling of src into dst: by libyuv where that is a copy or
// where our filters do not reach.
func (c *cpuCompositor) scale(target C.int, src, dst C.mr_view) *C.mr_op {
	op := c.op(C.MR_SCALE, target)
	op.src, op.dst = src, dst
	w, h, toW, toH := int(src.width), int(src.height), int(dst.width), int(dst.height)
	switch {
	case c.plain, w == toW && h == toH,
		C.mr_filter_supported(src.width, dst.width) == 0, C.mr_filter_supported(src.height, dst.height) == 0:
	case w == 2*toW && h == 2*toH:
		op.kind = C.MR_HALVE
	default:
		op.kind = C.MR_FILTER
		for chroma := range 2 {
			op.across[chroma] = c.filters.get(filterKey{w >> chroma, toW >> chroma, chroma})
			op.down[chroma] = c.filters.get(filterKey{h >> chroma, toH >> chroma, 0})
		}
	}
	return op
}

// op appends a zeroed operation to the work list.
func (c *cpuCompositor) op(kind, target C.int) *C.mr_op {
	if c.used == len(c.ops) {
		n := max(16, 2*len(c.ops))
		block := C.calloc(C.size_t(n), C.size_t(unsafe.Sizeof(C.mr_op{})))
		if block == nil {
			panic("gpu: out of memory for a work list")
		}
		grown := unsafe.Slice((*C.mr_op)(block), n)
		copy(grown, c.ops)
		c.free()
		c.ops = grown
	}
	op := &c.ops[c.used]
	*op = C.mr_op{kind: kind, target: target}
	c.used++
	return op
}

// run does the work list.
func (c *cpuCompositor) run() error {
	defer c.reset()
	if C.mr_run(&c.ops[0], C.int(c.used), C.int(c.config.Canvas.Height)) != 0 {
		return errors.New("compose: out of memory")
	}
	return nil
}

// reset empties the work list and returns what it used.
func (c *cpuCompositor) reset() {
	c.used = 0
	c.masks.trim()
	c.filters.trim()
	for _, scratch := range c.scratch {
		scratch.Release()
	}
	c.scratch = c.scratch[:0]
}

func (c *cpuCompositor) free() {
	if c.ops != nil {
		C.free(unsafe.Pointer(&c.ops[0]))
	}
	c.ops = nil
}

func (c *cpuCompositor) Close() {
	c.previous.release()
	c.masks.close()
	c.filters.close()
	c.free()
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
