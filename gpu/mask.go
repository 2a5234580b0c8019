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
}

func newMask(key maskKey) *mask {
	luma, chroma := key.w*key.h, key.w/2*(key.h/2)
	block := C.malloc(C.size_t(luma + chroma))
	if block == nil {
		panic("gpu: out of memory for a mask")
	}
	bytes := unsafe.Slice((*byte)(block), luma+chroma)
	kernels.Mask(key.w, key.h, key.radius, key.inset, bytes[:luma], bytes[luma:])
	return &mask{key.w, (*C.uint8_t)(block), (*C.uint8_t)(unsafe.Add(block, luma))}
}

func (m *mask) free() { C.free(unsafe.Pointer(m.luma)) }

// at is where the luma and chroma samples of a pixel of the shape stand.
func (m *mask) at(p image.Point) [2]*C.uint8_t {
	return [2]*C.uint8_t{
		(*C.uint8_t)(unsafe.Add(unsafe.Pointer(m.luma), p.Y*m.width+p.X)),
		(*C.uint8_t)(unsafe.Add(unsafe.Pointer(m.chroma), p.Y/2*(m.width/2)+p.X/2)),
	}
}
