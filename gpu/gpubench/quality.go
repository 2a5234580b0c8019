package main

import (
	"math"
	"unsafe"

	"millrace/gpu/cuda"
	"millrace/gpu/kernels"
)

// inspection is pictures in pinned memory, to be looked at.
type inspection struct {
	card   *card
	memory []*cuda.Memory
}

func (i *inspection) free() {
	for _, memory := range i.memory {
		memory.Free()
	}
}

// picture is one with undefined contents.
func (i *inspection) picture(s shape) (kernels.Picture, error) {
	memory, err := i.card.device.AllocHost(s.bytes())
	if err != nil {
		return kernels.Picture{}, err
	}
	i.memory = append(i.memory, memory)
	return s.at(memory.Address), nil
}

// fetch is a copy of a picture on the card.
func (i *inspection) fetch(on kernels.Picture, s shape) (kernels.Picture, error) {
	picture, err := i.picture(s)
	if err != nil {
		return picture, err
	}
	if err := i.card.stream.Download(i.memory[len(i.memory)-1], on.Plane[0], s.bytes()); err != nil {
		return picture, err
	}
	return picture, i.card.finish()
}

// quality is how near a chain's luma is to the pixel contract's, canvas and smallest
// rung, in decibels.
func (c *chain) quality(show kernels.Show) (canvas, rung float64, err error) {
	ladder := c.bench.load.ladder
	looking := &inspection{card: c.bench.card}
	defer looking.free()
	layers := make([]kernels.Layer, len(show.Layers))
	for i, layer := range show.Layers {
		layers[i] = layer
		if layers[i].Picture, err = looking.fetch(layer.Picture, c.bench.load.source); err != nil {
			return 0, 0, err
		}
	}
	var got, want [2]kernels.Picture
	for i, drawn := range []kernels.Picture{c.canvas, c.smallest} {
		s := ladder[i*(len(ladder)-1)]
		if got[i], err = looking.fetch(drawn, s); err != nil {
			return 0, 0, err
		}
		if want[i], err = looking.picture(s); err != nil {
			return 0, 0, err
		}
	}
	kernels.Compose(want[0], show.Background, layers)
	kernels.Scale(want[1], want[0])
	return psnr(got[0], want[0]), psnr(got[1], want[1]), nil
}

// psnr compares the luma of two pictures of one size; 100 is identical.
func psnr(a, b kernels.Picture) float64 {
	var sum float64
	for y := range a.Height {
		one := unsafe.Slice((*byte)(unsafe.Add(a.Plane[0], y*a.Stride[0])), a.Width)
		two := unsafe.Slice((*byte)(unsafe.Add(b.Plane[0], y*b.Stride[0])), a.Width)
		for x := range one {
			d := float64(one[x]) - float64(two[x])
			sum += d * d
		}
	}
	if sum == 0 {
		return 100
	}
	return 10 * math.Log10(255*255*float64(a.Width*a.Height)/sum)
}
