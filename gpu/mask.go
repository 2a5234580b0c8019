package gpu

/*
#include <stdint.h>
#include <stdlib.h>
*/
import "C"

import (
	"image"
	"unsafe"

	"millrace/gpu/kernels"
)

// maskKey is what a coverage mask depends on.
type maskKey struct{ w, h, radius, inset int }

// mask is the coverage of a shape, in C memory: luma, then chroma samples.
type mask struct {
	width  int
	luma   *C.uint8_t
	chroma *C.uint8_t
	used   bool // since the last trim
}

// maskCache keeps the masks of shapes that stay on the canvas.
type maskCache struct{ masks map[maskKey]*mask }

// maxMasks is what a scene at rest may need: two for each of 32 layers.
const maxMasks = 64

func (c *maskCache) get(key maskKey) *mask {
	m := c.masks[key]
	if m == nil {
		m = newMask(key)
		if c.masks == nil {
			c.masks = map[maskKey]*mask{}
		}
		c.masks[key] = m
	}
	m.used = true
	return m
}

func newMask(key maskKey) *mask {
	luma, chroma := key.w*key.h, key.w/2*(key.h/2)
	block := C.malloc(C.size_t(luma + chroma))
	if block == nil {
		panic("gpu: out of memory for a mask")
	}
	bytes := unsafe.Slice((*byte)(block), luma+chroma)
	kernels.Mask(key.w, key.h, key.radius, key.inset, bytes[:luma], bytes[luma:])
	return &mask{width: key.w, luma: (*C.uint8_t)(block), chroma: (*C.uint8_t)(unsafe.Add(block, luma))}
}

// at is where the luma and chroma samples of a pixel of the shape stand.
func (m *mask) at(p image.Point) [2]*C.uint8_t {
	return [2]*C.uint8_t{
		(*C.uint8_t)(unsafe.Add(unsafe.Pointer(m.luma), p.Y*m.width+p.X)),
		(*C.uint8_t)(unsafe.Add(unsafe.Pointer(m.chroma), p.Y/2*(m.width/2)+p.X/2)),
	}
}

// trim drops what the last scene did not use when there are too many.
func (c *maskCache) trim() {
	crowded := len(c.masks) > maxMasks
	for key, m := range c.masks {
		if crowded && !m.used {
			C.free(unsafe.Pointer(m.luma))
			delete(c.masks, key)
		}
		m.used = false
	}
}

func (c *maskCache) close() {
	for _, m := range c.masks {
		C.free(unsafe.Pointer(m.luma))
	}
	c.masks = nil
}
