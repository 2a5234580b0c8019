package gpu

/*
#include <stdlib.h>
#include <string.h>

// picture_alloc gives zeroed memory at a 64-byte boundary.
static void *picture_alloc(size_t bytes) {
	void *memory = NULL;
	if (posix_memalign(&memory, 64, bytes) != 0)
		return NULL;
	memset(memory, 0, bytes);
	return memory;
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// What a frame may measure at most. A stream that claims more is refused.
const (
	MaxSide   = 8192
	MaxPixels = 50_000_000
)

// rowSlack lets vector code read past the last row.
const rowSlack = 64

// check refuses sizes that no frame may have.
func (s Size) check() error {
	if s.Width < 2 || s.Height < 2 || s.Width > MaxSide || s.Height > MaxSide || s.Width*s.Height > MaxPixels {
		return fmt.Errorf("a picture of %v is not between 2x2 and %dx%d with at most %d pixels",
			s, MaxSide, MaxSide, MaxPixels)
	}
	return nil
}

func align64(n int) int { return (n + 63) &^ 63 }

// bytes is the memory of a frame of that size.
func (s Size) bytes() int {
	c := s.Chroma()
	return align64(s.Width)*s.Height + 2*align64(c.Width)*c.Height + rowSlack
}

// hostMemory is one block that holds the three planes.
type hostMemory struct{ block unsafe.Pointer }

func (m hostMemory) recycle() bool { return true }
func (m hostMemory) free()         { C.free(m.block) }

// allocate gives f planes in host memory.
func (f *Frame) allocate(size Size) error {
	block := C.picture_alloc(C.size_t(size.bytes()))
	if block == nil {
		return fmt.Errorf("allocate a picture of %v: out of memory", size)
	}
	f.layOut(size, block)
	f.body = hostMemory{block}
	return nil
}

// layOut places the three planes in a block of size.bytes().
func (f *Frame) layOut(size Size, block unsafe.Pointer) {
	chroma := size.Chroma()
	f.Size, f.Aspect = size, 1
	f.stride = [3]int{align64(size.Width), align64(chroma.Width), align64(chroma.Width)}
	f.plane[0] = block
	f.plane[1] = unsafe.Add(block, f.stride[0]*size.Height)
	f.plane[2] = unsafe.Add(f.plane[1], f.stride[1]*chroma.Height)
}
