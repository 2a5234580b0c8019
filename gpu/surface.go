package gpu

import (
	"fmt"
	"time"
	"unsafe"
)

// allocateSurface gives f planes on the card as NV12, what NVENC reads and NVDEC
// writes: Cb and Cr in turn.
func (d *cudaDevice) allocateSurface(f *Frame, size Size) error {
	block, err := d.card.Alloc(size.bytes())
	if err != nil {
		return fmt.Errorf("allocate a surface of %v: %w", size, err)
	}
	f.layOutPairs(size, block.Address)
	f.body, f.card = cardMemory{block}, d
	return nil
}

// layOutPairs places NV12 planes in a block of size.bytes().
func (f *Frame) layOutPairs(size Size, block unsafe.Pointer) {
	f.Size, f.Aspect = size, 1
	stride := align64(size.Width)
	f.stride, f.step = [3]int{stride, stride, stride}, [3]int{1, 2, 2}
	f.plane[0] = block
	f.plane[1] = unsafe.Add(block, stride*size.Height)
	f.plane[2] = unsafe.Add(f.plane[1], 1)
}

// paired says whether Cb and Cr lie in turn.
func (f *Frame) paired() bool { return f.step[1] == 2 }

// surface is the picture as NV12 on the card, drawn to its end, with one reference
// for the caller: f itself where it is that already.
func (d *cudaDevice) surface(f *Frame) (*Frame, error) {
	if f.card == d && f.paired() {
		if f.tick != nil {
			if err := f.tick.wait(d.patience); err != nil {
				return nil, err
			}
		}
		return f.Retain(), nil
	}
	host, err := f.Download()
	if err != nil {
		return nil, err
	}
	defer host.Release()
	made, err := d.surfaces.Get(f.Size)
	if err != nil {
		return nil, err
	}
	err = d.transfer(func(l *lane) error {
		if err := l.reserve(d.card, f.Size.bytes()); err != nil {
			return err
		}
		host.stagePairs(l.staging.Bytes())
		return l.stream.Upload(made.plane[0], l.staging, f.Size.bytes())
	})
	if err != nil {
		made.Release()
		return nil, fmt.Errorf("upload a surface: %w", err)
	}
	return made, nil
}

// stagePairs writes a host's picture to a block as layOutPairs places it.
func (f *Frame) stagePairs(block []byte) {
	luma, from := f.Plane(0)
	stride := align64(f.Size.Width)
	for y := range f.Size.Height {
		copy(block[y*stride:y*stride+f.Size.Width], luma[y*from:])
	}
	chroma := f.Size.Chroma()
	for p := 1; p < 3; p++ {
		samples, from := f.Plane(p)
		for y := range chroma.Height {
			row := block[stride*(f.Size.Height+y)+p-1:]
			for x := range chroma.Width {
				row[2*x] = samples[y*from+x]
			}
		}
	}
}

// split writes the planes of f from NV12: luma rows of lumaStride bytes, and from
// chromaAt on rows of chromaStride bytes.
func (f *Frame) split(block []byte, lumaStride, chromaAt, chromaStride int) {
	luma, to := f.Plane(0)
	for y := range f.Size.Height {
		copy(luma[y*to:y*to+f.Size.Width], block[y*lumaStride:])
	}
	chroma := f.Size.Chroma()
	for p := 1; p < 3; p++ {
		samples, to := f.Plane(p)
		for y := range chroma.Height {
			row := block[chromaAt+chromaStride*y+p-1:]
			for x := range chroma.Width {
				samples[y*to+x] = row[2*x]
			}
		}
	}
}

// downloadPairs copies NV12 of the card to a host's planes.
func (d *cudaDevice) downloadPairs(f, host *Frame) error {
	return d.transfer(func(l *lane) error {
		chroma := int(uintptr(f.plane[1]) - uintptr(f.plane[0])) // in one block, behind rows that are not shown
		size := chroma + f.stride[1]*f.Size.Chroma().Height
		if err := l.reserve(d.card, size); err != nil {
			return err
		}
		if err := f.drawnBefore(l.stream); err != nil {
			return err
		}
		if err := l.stream.Download(l.staging, f.plane[0], size); err != nil {
			return err
		}
		if err := l.settle(d.patience); err != nil {
			return err
		}
		host.split(l.staging.Bytes(), f.stride[0], chroma, f.stride[1])
		return nil
	})
}

// settle waits for what is queued on the lane.
func (l *lane) settle(patience time.Duration) error {
	if err := l.stream.Record(l.done); err != nil {
		return err
	}
	return l.done.Wait(patience)
}
