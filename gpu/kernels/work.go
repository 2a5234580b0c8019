package kernels

// #include "work.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// The most layers and rungs that one show may have on a device.
const (
	MaxLayers = C.PX_LAYERS
	MaxRungs  = C.PX_RUNGS
)

// MaxShows is the most shows of one launch: a grid's second side.
const MaxShows = 65535

// Show is one canvas with its ladder; its pictures are in device memory. A rung
// of the canvas's size is the canvas itself and not listed.
type Show struct {
	Canvas     Picture
	Background [3]uint8
	Layers     []Layer
	Rungs      []Picture
}

// WorkBytes is the size of the packed work list.
func WorkBytes(shows []Show) int {
	n := len(shows) * C.sizeof_px_show
	for i := range shows {
		n += len(shows[i].Layers)*C.sizeof_px_layer + len(shows[i].Rungs)*C.sizeof_px_picture
	}
	return n
}

// Pack writes the work list to host memory, as it must lie at the address base
// on the device, and gives the blocks that the largest show needs. list is outside
// of Go's heap, of WorkBytes at least and aligned to 8.
func Pack(list []byte, base unsafe.Pointer, shows []Show) (tiles int, err error) {
	if n := WorkBytes(shows); len(shows) == 0 || len(shows) > MaxShows || len(list) < n {
		return 0, fmt.Errorf("pack %d shows of %d bytes into %d", len(shows), n, len(list))
	}
	at := len(shows) * C.sizeof_px_show
	for i := range shows {
		show := &shows[i]
		if len(show.Layers) > MaxLayers || len(show.Rungs) > MaxRungs {
			return 0, fmt.Errorf("pack a show of %d layers and %d rungs: a device draws at most %d and %d",
				len(show.Layers), len(show.Rungs), MaxLayers, MaxRungs)
		}
		packed := (*C.px_show)(unsafe.Pointer(&list[i*C.sizeof_px_show]))
		*packed = show.c()
		packed.layers = (*C.px_layer)(unsafe.Add(base, at))
		for j := range show.Layers {
			*(*C.px_layer)(unsafe.Pointer(&list[at])) = show.Layers[j].c()
			at += C.sizeof_px_layer
		}
		packed.rungs = (*C.px_picture)(unsafe.Add(base, at))
		for j := range show.Rungs {
			*(*C.px_picture)(unsafe.Pointer(&list[at])) = show.Rungs[j].c()
			at += C.sizeof_px_picture
		}
		tiles = max(tiles, int(packed.tiles))
	}
	return tiles, nil
}

// c is the show without its lists.
func (s *Show) c() C.px_show {
	w, h := s.Canvas.Width, s.Canvas.Height
	c := C.px_show{
		canvas: s.Canvas.c(), layer_count: C.px_int(len(s.Layers)), rung_count: C.px_int(len(s.Rungs)),
		background: [4]C.px_byte{C.px_byte(s.Background[0]), C.px_byte(s.Background[1]), C.px_byte(s.Background[2])},
	}
	down := over(h, C.PX_TILE_ROWS)
	c.luma_tiles = C.px_int(over(w, C.PX_LUMA_TILE) * down)
	c.tiles = c.luma_tiles + C.px_int(over(w/2, C.PX_CHROMA_TILE)*over(h/2, C.PX_TILE_ROWS))
	for _, rung := range s.Rungs {
		x, y := over(w, rung.Width), over(h, rung.Height)
		if x > C.PX_REACH || y > C.PX_REACH {
			continue // drawn apart
		}
		c.reach_x = max(c.reach_x, C.px_int(over(x, 4)*4)) // whole words
		c.reach_y = max(c.reach_y, C.px_int(y))
	}
	return c
}

// over is a / b, rounded up.
func over(a, b int) int { return (a + b - 1) / b }
