package main

import (
	_ "embed"
	"fmt"
	"time"
	"unsafe"

	"millrace/gpu/cuda"
	"millrace/gpu/kernels"
)

// chainPTX is chain.cu, written by scripts/kernels.sh.
//
//go:embed chain.ptx
var chainPTX string

// chainStep is chain.cu's chain_step.
type chainStep struct {
	src, dst             unsafe.Pointer
	srcStride, dstStride int32 // bytes
	srcW, srcH           int32 // samples
	dstW, dstH           int32
	x, y                 int32
	channels             int32
	_                    int32
}

// chainLaunch is one step, ready to be started.
type chainLaunch struct {
	kernel cuda.Function
	grid   cuda.Grid
	step   chainStep
}

// chainKernels are the two filters, loaded.
type chainKernels struct {
	module         *cuda.Module
	scale, overlay cuda.Function
}

func (c *card) loadChain() (*chainKernels, error) {
	module, err := c.device.LoadModule(chainPTX)
	if err != nil {
		return nil, err
	}
	k := &chainKernels{module: module}
	if k.scale, err = module.Function("chain_scale"); err == nil {
		k.overlay, err = module.Function("chain_overlay")
	}
	if err != nil {
		module.Close()
		return nil, err
	}
	return k, nil
}

// chain makes one show as FFmpeg's filters do: every source scaled into a picture of
// its own, each laid over the canvas, and the canvas scaled to every rung. Each
// filter launches once for luma and once for chroma.
type chain struct {
	bench    *bench
	launches []chainLaunch
	canvas   kernels.Picture
	smallest kernels.Picture // the last rung
	memory   []*cuda.Memory
	list     *cuda.Memory // the steps on the card
}

// newChain makes the chain that draws the sources of a show.
func (b *bench) newChain(k *chainKernels, show kernels.Show) (*chain, error) {
	c := &chain{bench: b}
	if err := c.build(k, show); err != nil {
		c.free()
		return nil, fmt.Errorf("make a chain: %w", err)
	}
	return c, nil
}

func (c *chain) build(k *chainKernels, show kernels.Show) (err error) {
	if c.canvas, err = c.picture(c.bench.load.ladder[0]); err != nil {
		return err
	}
	cells := make([]kernels.Picture, len(show.Layers))
	for i, layer := range show.Layers {
		if cells[i], err = c.picture(shape{layer.Dst.W, layer.Dst.H, true}); err != nil {
			return err
		}
		c.add(k.scale, layer.Picture, cells[i], 0, 0)
	}
	for i, layer := range show.Layers {
		c.add(k.overlay, cells[i], c.canvas, layer.Dst.X, layer.Dst.Y)
	}
	for _, rung := range c.bench.load.ladder[1:] {
		if c.smallest, err = c.picture(rung); err != nil {
			return err
		}
		c.add(k.scale, c.canvas, c.smallest, 0, 0)
	}
	return c.upload()
}

func (c *chain) picture(s shape) (kernels.Picture, error) {
	memory, err := c.bench.card.device.Alloc(s.bytes())
	if err != nil {
		return kernels.Picture{}, err
	}
	c.memory = append(c.memory, memory)
	return s.at(memory.Address), nil
}

// add is one filter: two launches, for threads of 32 x 8 in a block.
func (c *chain) add(kernel cuda.Function, src, dst kernels.Picture, x, y int) {
	for p := range 2 {
		step := chainStep{
			src: src.Plane[p], dst: dst.Plane[p], srcStride: int32(src.Stride[p]), dstStride: int32(dst.Stride[p]),
			srcW: int32(src.Width >> p), srcH: int32(src.Height >> p), dstW: int32(dst.Width >> p), dstH: int32(dst.Height >> p),
			x: int32(x >> p), y: int32(y >> p), channels: int32(p + 1),
		}
		grid := cuda.Grid{Across: (int(step.dstW) + 31) / 32, Down: (int(step.dstH) + 7) / 8, Threads: kernels.Threads}
		c.launches = append(c.launches, chainLaunch{kernel, grid, step})
	}
}

// upload writes the steps to the card, once: they do not change.
func (c *chain) upload() error {
	size := len(c.launches) * int(unsafe.Sizeof(chainStep{}))
	host, err := c.bench.card.device.AllocHost(size)
	if err != nil {
		return err
	}
	defer host.Free()
	steps := unsafe.Slice((*chainStep)(host.Address), len(c.launches))
	for i, launch := range c.launches {
		steps[i] = launch.step
	}
	if c.list, err = c.bench.card.device.Alloc(size); err != nil {
		return err
	}
	if err := c.bench.card.stream.Upload(c.list.Address, host, size); err != nil {
		return err
	}
	return c.bench.card.finish()
}

// draw queues every launch of the chain.
func (c *chain) draw() error {
	for i, launch := range c.launches {
		argument := unsafe.Add(c.list.Address, i*int(unsafe.Sizeof(chainStep{})))
		if err := c.bench.card.stream.Launch(launch.kernel, launch.grid, argument); err != nil {
			return err
		}
	}
	return nil
}

func (c *chain) free() {
	for _, memory := range c.memory {
		memory.Free()
	}
	if c.list != nil {
		c.list.Free()
	}
}

// chainResult is what gpu-chain reports; times are of one show.
type chainResult struct {
	launches   int
	alone      time.Duration // between events
	alongside  time.Duration // of many shows in a row
	canvasPSNR float64       // of the chain's luma, with the reference's
	rungPSNR   float64       // likewise of the smallest rung
}

// measureChain draws the bench's shows by chains.
func (b *bench) measureChain() (r chainResult, err error) {
	k, err := b.card.loadChain()
	if err != nil {
		return r, err
	}
	defer k.module.Close()
	var chains []*chain
	defer func() {
		for _, c := range chains {
			c.free()
		}
	}()
	for _, show := range b.shows {
		c, err := b.newChain(k, show)
		if err != nil {
			if len(chains) > 0 {
				break // the card is full: measured with fewer
			}
			return r, err
		}
		chains = append(chains, c)
	}
	r.launches = len(chains[0].launches)
	one := func(i int) error { return chains[i%len(chains)].draw() }
	if r.alone, err = b.median(4*b.repeats, one); err != nil {
		return r, err
	}
	if r.alongside, err = b.inARow(len(chains), one); err != nil {
		return r, err
	}
	r.canvasPSNR, r.rungPSNR, err = chains[0].quality(b.shows[0])
	return r, err
}
