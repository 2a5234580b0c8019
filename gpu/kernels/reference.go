// Package kernels holds the pixel contract, pixel.h, and runs it as plain C:
// the reference that every device is measured against, and the source of the
// coverage masks of rounded corners and borders.
package kernels

// #cgo CFLAGS: -O2
// #cgo LDFLAGS: -lm
// #include "reference.h"
import "C"

import "unsafe"

// Picture points at the planes Y, Cb, Cr of an 8-bit 4:2:0 picture outside of
// Go's heap, or in a device's memory. Strides are bytes; width and height are
// even.
type Picture struct {
	Plane         [3]unsafe.Pointer
	Stride        [3]int
	Step          [3]int // bytes from one sample to the next; 0 is 1
	Width, Height int
	Version       uint64 // of its contents, unlike that of any other of its maker's, for comparing; C does not see it
}

// Rect is a rectangle of even pixels.
type Rect struct{ X, Y, W, H int }

// Layer is one picture with its geometry resolved (contract 3).
type Layer struct {
	Picture     Picture
	Src         Rect // of the picture
	Dst         Rect // of the canvas
	Opacity     int  // 0..255
	Radius      int  // canvas pixels
	Border      int  // canvas pixels
	BorderColor [3]uint8
	Matte       Picture // zero: none
}

func (p Picture) c() C.px_picture {
	c := C.px_picture{width: C.px_int(p.Width), height: C.px_int(p.Height)}
	for i := range p.Plane {
		c.plane[i] = (*C.px_byte)(p.Plane[i])
		c.stride[i] = C.px_int(p.Stride[i])
		c.step[i] = C.px_int(max(p.Step[i], 1))
	}
	return c
}

func (r Rect) c() C.px_rect {
	return C.px_rect{C.px_int(r.X), C.px_int(r.Y), C.px_int(r.W), C.px_int(r.H)}
}

func (l *Layer) c() C.px_layer {
	c := C.px_layer{
		picture: l.Picture.c(), src: l.Src.c(), dst: l.Dst.c(),
		opacity: C.px_int(l.Opacity), radius: C.px_int(l.Radius), border: C.px_int(l.Border),
	}
	for p, value := range l.BorderColor {
		c.border_color[p] = C.px_byte(value)
	}
	if l.Matte.Plane[0] != nil {
		c.matte = l.Matte.c()
	}
	return c
}

// Compose writes every pixel of the canvas.
func Compose(canvas Picture, background [3]uint8, layers []Layer) {
	list := make([]C.px_layer, len(layers)+1)
	for i := range layers {
		list[i] = layers[i].c()
	}
	picture := canvas.c()
	C.px_compose(&picture, (*C.px_byte)(&background[0]), &list[0], C.px_int(len(layers)))
}

// Scale writes every pixel of dst: src drawn over all of it.
func Scale(dst, src Picture) {
	to, from := dst.c(), src.c()
	C.px_scale(&to, &from)
}

// Mask writes the coverage of a shape of w x h: w*h luma samples to luma and
// (w/2)*(h/2) chroma samples to chroma. inset is 0, or the border's width for
// the shape inside of it.
func Mask(w, h, radius, inset int, luma, chroma []byte) {
	_, _ = luma[w*h-1], chroma[(w/2)*(h/2)-1]
	C.px_mask(C.px_int(w), C.px_int(h), C.px_int(radius), C.px_int(inset),
		(*C.px_byte)(&luma[0]), (*C.px_byte)(&chroma[0]))
}
