package main

import (
	"fmt"
	"math/rand/v2"
	"unsafe"

	"millrace/gpu/cuda"
	"millrace/gpu/kernels"
)

// shape is a picture's size and layout.
type shape struct {
	w, h int
	nv12 bool
}

// bytes is the memory of a picture; rows and planes begin at multiples of 256.
func (s shape) bytes() int {
	if s.nv12 {
		return align(s.w)*s.h + align(s.w)*(s.h/2)
	}
	return align(s.w)*s.h + 2*align(s.w/2)*(s.h/2)
}

// payload is what a picture holds without padding.
func (s shape) payload() int { return s.w * s.h * 3 / 2 }

func align(n int) int { return (n + 255) &^ 255 }

// at describes the picture at a place in memory.
func (s shape) at(base unsafe.Pointer) kernels.Picture {
	p := kernels.Picture{Width: s.w, Height: s.h}
	chroma, next := align(s.w/2), align(s.w/2)*(s.h/2)
	if s.nv12 {
		chroma, next = align(s.w), 1
		p.Step = [3]int{1, 2, 2}
	}
	p.Stride = [3]int{align(s.w), chroma, chroma}
	p.Plane[0] = base
	p.Plane[1] = unsafe.Add(base, align(s.w)*s.h)
	p.Plane[2] = unsafe.Add(p.Plane[1], next)
	return p
}

// picture is one on the card with room for its copy in the host.
type picture struct {
	shape
	card, host *cuda.Memory
}

func newPicture(device *cuda.Device, s shape) (*picture, error) {
	card, err := device.Alloc(s.bytes())
	if err != nil {
		return nil, fmt.Errorf("make a picture of %dx%d: %w", s.w, s.h, err)
	}
	host, err := device.AllocHost(s.bytes())
	if err != nil {
		card.Free()
		return nil, fmt.Errorf("make a picture of %dx%d: %w", s.w, s.h, err)
	}
	return &picture{s, card, host}, nil
}

func (p *picture) free() {
	p.card.Free()
	p.host.Free()
}

// noise fills the host's copy, with stretches of one value between.
func (p *picture) noise(rnd *rand.Rand) {
	fill(p.host.Bytes(), rnd)
}

func fill(bytes []byte, rnd *rand.Rand) {
	for i := 0; i < len(bytes); {
		value := rnd.Uint64()
		run := 1
		if value>>60 == 0 {
			run = 40
		}
		for range min(run, len(bytes)-i) {
			bytes[i] = byte(value)
			i++
		}
	}
}

// sample reads plane p of the picture at base.
func sample(picture kernels.Picture, p, x, y int) int {
	at := unsafe.Add(picture.Plane[p], y*picture.Stride[p]+x*max(picture.Step[p], 1))
	return int(*(*byte)(at))
}

// difference is the largest one between two pictures of one size, and where.
func difference(a, b kernels.Picture) (most int, where string) {
	for p := range 3 {
		w, h := a.Width>>min(p, 1), a.Height>>min(p, 1)
		for y := range h {
			for x := range w {
				d := sample(a, p, x, y) - sample(b, p, x, y)
				if d = max(d, -d); d > most {
					most, where = d, fmt.Sprintf("plane %d (%d,%d): %d, not %d", p, x, y, sample(a, p, x, y), sample(b, p, x, y))
				}
			}
		}
	}
	return most, where
}
