package main

import (
	"math/rand/v2"
	"slices"
	"time"

	"millrace/gpu/cuda"
	"millrace/gpu/kernels"
)

// load is what one show is of: four sources of one size in a grid, and the ladder,
// whose first is the canvas.
type load struct {
	source shape
	ladder []shape
}

// fullHD is what the figures are for.
func fullHD() load {
	source := shape{1920, 1080, true}
	return load{source, []shape{source, {1280, 720, true}, {854, 480, true}, {640, 360, true}}}
}

// brief is as much as shows that the measuring code works.
func brief() load {
	source := shape{384, 216, true}
	return load{source, []shape{source, {256, 144, true}, {170, 96, true}, {128, 72, true}}}
}

// bench is gpu-kernel's load: shows of four NV12 sources in a grid.
type bench struct {
	card    *card
	load    load
	shows   []kernels.Show
	memory  []*cuda.Memory
	useful  int // bytes that one show must read and write
	repeats int
}

// measurement is what gpu-kernel reports.
type measurement struct {
	shows       int
	useful      int           // bytes of one launch
	all         time.Duration // one launch of all shows, median
	copied      time.Duration // a copy on the card that reads and writes as many bytes
	alone       time.Duration // one show: between events, median
	alongside   time.Duration // one show: of many launches in a row
	withoutWork time.Duration // a launch with nothing to draw, between events
}

func (m measurement) share() float64 { return float64(m.copied) / float64(m.all) }

// newBench makes the shows, as many as asked for or fit.
func newBench(c *card, load load, shows, repeats int) (*bench, error) {
	b := &bench{card: c, load: load, repeats: repeats}
	b.useful = 4 * load.source.payload()
	for _, rung := range load.ladder {
		b.useful += rung.payload()
	}
	random, err := newPicture(c.device, load.source)
	if err != nil {
		return nil, err
	}
	defer random.free()
	random.noise(rand.New(rand.NewPCG(1, 1)))
	for range shows {
		if err := b.add(random); err != nil {
			if len(b.shows) > 0 {
				break // the card is full: measured with fewer
			}
			b.free()
			return nil, err
		}
	}
	return b, c.finish()
}

// add makes one show; random gives every source its contents.
func (b *bench) add(random *picture) error {
	source, canvas := b.load.source, b.load.ladder[0]
	show := kernels.Show{Background: [3]uint8{16, 128, 128}}
	for i := range 4 {
		memory, err := b.alloc(source)
		if err != nil {
			return err
		}
		if err := b.card.stream.Upload(memory.Address, random.host, source.bytes()); err != nil {
			return err
		}
		show.Layers = append(show.Layers, kernels.Layer{
			Picture: source.at(memory.Address), Src: kernels.Rect{W: source.w, H: source.h},
			Dst: kernels.Rect{X: i % 2 * canvas.w / 2, Y: i / 2 * canvas.h / 2, W: canvas.w / 2, H: canvas.h / 2}, Opacity: 255,
		})
	}
	for _, rung := range b.load.ladder {
		memory, err := b.alloc(rung)
		if err != nil {
			return err
		}
		show.Rungs = append(show.Rungs, rung.at(memory.Address))
	}
	show.Canvas, show.Rungs = show.Rungs[0], show.Rungs[1:]
	b.shows = append(b.shows, show)
	return nil
}

func (b *bench) alloc(s shape) (*cuda.Memory, error) {
	memory, err := b.card.device.Alloc(s.bytes())
	if err == nil {
		b.memory = append(b.memory, memory)
	}
	return memory, err
}

func (b *bench) free() {
	for _, memory := range b.memory {
		memory.Free()
	}
	b.memory, b.shows = nil, nil
}

// measure takes every number once.
func (b *bench) measure() (m measurement, err error) {
	m.shows, m.useful = len(b.shows), len(b.shows)*b.useful
	all, err := b.card.pack(b.shows)
	if err != nil {
		return m, err
	}
	defer all.free()
	if m.all, err = b.median(b.repeats, func(int) error { return b.card.launch(all) }); err != nil {
		return m, err
	}
	if m.copied, err = b.copying(m.useful / 2); err != nil {
		return m, err
	}
	var singles []*list
	defer func() {
		for _, l := range singles {
			l.free()
		}
	}()
	for i := range b.shows {
		l, err := b.card.pack(b.shows[i : i+1])
		if err != nil {
			return m, err
		}
		singles = append(singles, l)
	}
	one := func(i int) error { return b.card.launch(singles[i%len(singles)]) }
	if m.alone, err = b.median(4*b.repeats, one); err != nil {
		return m, err
	}
	if m.alongside, err = b.inARow(4*len(singles), one); err != nil {
		return m, err
	}
	m.withoutWork, err = b.idle()
	return m, err
}

// inARow is the time of one run of many that are queued behind each other.
func (b *bench) inARow(runs int, run func(int) error) (time.Duration, error) {
	all, err := b.median(b.repeats, func(int) error {
		for i := range runs {
			if err := run(i); err != nil {
				return err
			}
		}
		return nil
	})
	return all / time.Duration(runs), err
}

// idle is what a launch costs that draws a canvas of 2x2.
func (b *bench) idle() (time.Duration, error) {
	memory, err := b.card.device.Alloc(shape{2, 2, true}.bytes())
	if err != nil {
		return 0, err
	}
	defer memory.Free()
	l, err := b.card.pack([]kernels.Show{{Canvas: shape{2, 2, true}.at(memory.Address)}})
	if err != nil {
		return 0, err
	}
	defer l.free()
	return b.median(4*b.repeats, func(int) error { return b.card.launch(l) })
}

// copying is the time of the card's own copy of that many bytes.
func (b *bench) copying(bytes int) (time.Duration, error) {
	var ends [2]*cuda.Memory
	for i := range ends {
		memory, err := b.card.device.Alloc(bytes)
		if err != nil {
			return 0, err
		}
		defer memory.Free()
		ends[i] = memory
	}
	return b.median(b.repeats, func(int) error { return b.card.stream.Copy(ends[0].Address, ends[1].Address, bytes) })
}

// median is the time on the card of the middle of many runs, the first ones left out.
func (b *bench) median(runs int, run func(int) error) (time.Duration, error) {
	start, err := b.card.device.NewEvent(true)
	if err != nil {
		return 0, err
	}
	defer start.Close()
	end, err := b.card.device.NewEvent(true)
	if err != nil {
		return 0, err
	}
	defer end.Close()
	var times []time.Duration
	warm := min(5, runs)
	for i := range runs + warm {
		if err := b.card.stream.Record(start); err != nil {
			return 0, err
		}
		if err := run(i); err != nil {
			return 0, err
		}
		if err := b.card.stream.Record(end); err != nil {
			return 0, err
		}
		if err := end.Wait(patience); err != nil {
			return 0, err
		}
		took, err := end.Since(start)
		if err != nil {
			return 0, err
		}
		if i >= warm {
			times = append(times, took)
		}
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}
