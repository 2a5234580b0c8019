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

	kept []*drawn // newest last

	// The work list of one call, in C memory; it grows to the largest scene.
	ops     []C.mr_op
	used    int
	scratch []*Frame // released at the end of the call
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
	wanted := scenery{visible(resolved, c.config.Canvas.bounds()), background}
	d, dirty, err := c.choose(wanted)
	if err != nil {
		return Composition{}, err
	}
	d.scenery = wanted
	if len(dirty) > 0 {
		if err := c.renew(d, dirty); err != nil {
			d.composition.Release()
			return Composition{}, err
		}
	}
	c.keep(d)
	return d.composition.retain(), nil
}

// renew draws what is dirty of the canvas and what follows from it in the rungs.
func (c *cpuCompositor) renew(d *drawn, dirty []image.Rectangle) error {
	canvas := d.composition.Canvas
	canvas.Rewrite()
	for _, part := range dirty {
		if err := c.draw(canvas, d.scenery, part); err != nil {
			c.reset()
			return err
		}
	}
	for _, rung := range d.composition.Rungs {
		if rung != canvas {
			rung.Rewrite()
			c.follow(canvas, rung, dirty)
		}
	}
	return c.run()
}

// follow scales the dirty parts of the canvas to a rung.
func (c *cpuCompositor) follow(canvas, rung *Frame, dirty []image.Rectangle) {
	src, dst := view(canvas.picture(), nil), view(rung.picture(), nil)
	if !c.partly(canvas.Size, rung.Size) {
		c.scale(C.MR_RUNG, src, dst, rung.Size.bounds())
		return
	}
	var parts []image.Rectangle
	for _, part := range dirty {
		parts = append(parts, reach(part, canvas.Size, rung.Size))
	}
	for _, part := range gather(parts, rung.Size.bounds()) {
		c.scale(C.MR_RUNG, src, dst, part)
	}
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

// op appends an operation on all of dst to the work list.
func (c *cpuCompositor) op(kind, target C.int, dst C.mr_view) *C.mr_op {
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
	*op = C.mr_op{kind: kind, target: target, dst: dst, part: all(dst)}
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
	for _, d := range c.kept {
		d.composition.Release()
	}
	c.masks.close()
	c.filters.close()
	c.free()
}
