package gpu

import (
	"fmt"
	"unsafe"

	"millrace/gpu/cuda"
)

// cardMemory is a block on the card or pinned in the host.
type cardMemory struct{ block *cuda.Memory }

func (m cardMemory) recycle() bool { return true }
func (m cardMemory) free()         { m.block.Free() }

// allocateCard gives f planes on the card.
func (d *cudaDevice) allocateCard(f *Frame, size Size) error {
	block, err := d.card.Alloc(size.bytes())
	if err != nil {
		return fmt.Errorf("allocate a picture of %v: %w", size, err)
	}
	f.layOut(size, block.Address)
	f.body, f.card = cardMemory{block}, d
	return nil
}

// allocatePinned gives f planes in pinned host memory.
func (d *cudaDevice) allocatePinned(f *Frame, size Size) error {
	block, err := d.card.AllocHost(size.bytes())
	if err != nil {
		return fmt.Errorf("allocate a picture of %v: %w", size, err)
	}
	f.layOut(size, block.Address)
	f.body = cardMemory{block}
	return nil
}

// lane is what one transfer needs; transfers on several go beside each other.
type lane struct {
	stream  *cuda.Stream
	done    *cuda.Event
	staging *cuda.Memory // pinned; nil until a picture goes up
}

func (d *cudaDevice) newLane() (*lane, error) {
	stream, err := d.card.NewStream()
	if err != nil {
		return nil, err
	}
	done, err := d.card.NewEvent(false)
	if err != nil {
		stream.Close()
		return nil, err
	}
	return &lane{stream: stream, done: done}, nil
}

func (l *lane) close() {
	l.done.Close()
	l.stream.Close()
	if l.staging != nil {
		l.staging.Free()
	}
}

// enter takes an idle lane or makes one.
func (d *cudaDevice) enter() (*lane, error) {
	d.mu.Lock()
	if n := len(d.lanes); n > 0 {
		l := d.lanes[n-1]
		d.lanes = d.lanes[:n-1]
		d.mu.Unlock()
		return l, nil
	}
	d.mu.Unlock()
	return d.newLane()
}

// leave gives a lane back on which nothing is queued.
func (d *cudaDevice) leave(l *lane) {
	d.mu.Lock()
	closed := d.closed
	if !closed {
		d.lanes = append(d.lanes, l)
	}
	d.mu.Unlock()
	if closed {
		l.close()
	}
}

// transfer does one piece of work on a lane and waits for it. After a failure the
// lane's state is not known, and it is given up.
func (d *cudaDevice) transfer(work func(*lane) error) error {
	l, err := d.enter()
	if err != nil {
		return err
	}
	if err = work(l); err == nil {
		if err = l.stream.Record(l.done); err == nil {
			err = l.done.Wait(d.patience)
		}
	}
	if err != nil {
		l.close()
		return err
	}
	d.leave(l)
	return nil
}

// onCard is the picture on the card, borrowed from f: f itself, or its copy, made
// when it is asked for first.
func (d *cudaDevice) onCard(f *Frame) (*Frame, error) {
	if f.card == d {
		return f, nil
	}
	if f.card != nil {
		return nil, fmt.Errorf("a picture on %s was given to %s", f.card.card.Name, d.card.Name)
	}
	d.mu.Lock()
	mirror := f.mirror
	d.mu.Unlock()
	if mirror != nil {
		return mirror, nil
	}
	mirror, err := d.upload(f)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.mirror != nil { // another compositor was faster
		defer mirror.Release()
		return f.mirror, nil
	}
	f.mirror = mirror
	return mirror, nil
}

// upload copies a host's picture to the card, through pinned memory.
func (d *cudaDevice) upload(f *Frame) (*Frame, error) {
	mirror, err := d.memory.Get(f.Size)
	if err != nil {
		return nil, err
	}
	err = d.transfer(func(l *lane) error {
		if err := l.reserve(d.card, f.Size.bytes()); err != nil {
			return err
		}
		f.stage(l.staging.Bytes())
		return l.stream.Upload(mirror.plane[0], l.staging, f.Size.bytes())
	})
	if err != nil {
		mirror.Release()
		return nil, err
	}
	mirror.Aspect, mirror.version = f.Aspect, f.version
	return mirror, nil
}

// reserve makes room for one picture in the lane's staging memory.
func (l *lane) reserve(card *cuda.Device, size int) (err error) {
	if l.staging != nil && l.staging.Size >= size {
		return nil
	}
	if l.staging != nil {
		l.staging.Free()
	}
	l.staging, err = card.AllocHost(size)
	return err
}

// stage writes the planes of f to a block as layOut places them.
func (f *Frame) stage(block []byte) {
	var laid Frame
	laid.layOut(f.Size, unsafe.Pointer(&block[0]))
	for p := range f.plane {
		size := f.Size
		if p > 0 {
			size = size.Chroma()
		}
		from, fromStride := f.Plane(p)
		to, toStride := laid.Plane(p)
		if fromStride == toStride {
			copy(to, from)
			continue
		}
		for y := range size.Height {
			copy(to[y*toStride:y*toStride+size.Width], from[y*fromStride:])
		}
	}
}

// drawnBefore lets what is queued later on the stream begin when f is drawn.
func (f *Frame) drawnBefore(stream *cuda.Stream) error {
	if f.tick == nil {
		return nil
	}
	return f.tick.before(stream)
}

// download gives a copy of a picture of the card, in pinned memory.
func (d *cudaDevice) download(f *Frame) (*Frame, error) {
	host, err := d.pinned.Get(f.Size)
	if err != nil {
		return nil, err
	}
	if f.paired() {
		err = d.downloadPairs(f, host)
	} else {
		err = d.transfer(func(l *lane) error {
			if err := f.drawnBefore(l.stream); err != nil {
				return err
			}
			return l.stream.Download(host.body.(cardMemory).block, f.plane[0], f.Size.bytes())
		})
	}
	if err != nil {
		host.Release()
		return nil, fmt.Errorf("download a picture: %w", err)
	}
	host.PTS, host.Aspect = f.PTS, f.Aspect
	return host, nil
}
