package gpu

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"millrace/internal/media"
)

// Size is a picture's width and height in pixels.
type Size struct{ Width, Height int }

// String is "1280x720".
func (s Size) String() string { return fmt.Sprintf("%dx%d", s.Width, s.Height) }

// Chroma is the size of a chroma plane of a 4:2:0 picture.
func (s Size) Chroma() Size { return Size{(s.Width + 1) / 2, (s.Height + 1) / 2} }

// Frame is a reference-counted picture: 8-bit 4:2:0 planes Y, Cb, Cr, BT.709,
// limited range, chroma sited left. It is written by its maker before it is
// first handed on, and never again.
type Frame struct {
	Size   Size
	PTS    media.Time // of decoded frames; zero on composed ones
	Aspect float64    // width over height of one pixel; 1 is square

	plane  [3]unsafe.Pointer
	stride [3]int // bytes
	step   [3]int // bytes from a sample to the next; 0 is 1. Surfaces of the card interleave Cb and Cr

	card   *cudaDevice // the planes are in its memory; nil for the host's
	tick   *tick       // what writes a picture on the card; nil when that is over
	mirror *Frame      // the copy of a host's picture on a card, under that device's lock

	version uint64 // of the contents, unlike that of any other of the pool's; owned by who composes
	refs    atomic.Int32
	home    *Pool
	body    memory
}

// memory is what a frame's planes point into.
type memory interface {
	// recycle reports whether the memory can carry another frame of its size.
	recycle() bool
	free()
}

// Plane is plane i (0 Y, 1 Cb, 2 Cr) with its stride in bytes: valid while the
// caller holds a reference, and read-only once the frame has been handed on. The
// frame must be in host memory: see Download.
func (f *Frame) Plane(i int) (pixels []byte, stride int) {
	if f.card != nil {
		panic("gpu: the planes of a picture on a card were asked for")
	}
	size := f.Size
	if i > 0 {
		size = size.Chroma()
	}
	n := f.stride[i]*(size.Height-1) + size.Width
	return unsafe.Slice((*byte)(f.plane[i]), n), f.stride[i]
}

// Download gives the picture in host memory, with one reference for the caller:
// the frame itself where it is there already.
func (f *Frame) Download() (*Frame, error) {
	if f.card == nil {
		return f.Retain(), nil
	}
	return f.card.download(f)
}

// Rewrite says that the owner of a host's frame will write it again, against the
// rule: what was made from its old contents is forgotten. It is for pictures drawn
// anew every tick, two in turn, by the goroutine that composes them.
func (f *Frame) Rewrite() {
	f.version = f.home.versions.Add(1)
	if mirror := f.mirror; mirror != nil {
		f.mirror = nil
		mirror.Release()
	}
}

// Retain adds a reference and gives the frame back.
func (f *Frame) Retain() *Frame {
	if f.refs.Add(1) <= 1 {
		panic("gpu: a released frame was retained")
	}
	return f
}

// Release gives up one reference; the last one returns the memory.
func (f *Frame) Release() {
	switch n := f.refs.Add(-1); {
	case n == 0:
		f.home.put(f)
	case n < 0:
		panic("gpu: a frame was released twice")
	}
}
