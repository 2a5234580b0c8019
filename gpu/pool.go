package gpu

import (
	"sync"
	"sync/atomic"
)

// Pool keeps the memory of released frames for the next ones, at most limit
// bytes of it, and counts the frames that live. Safe for concurrent use.
type Pool struct {
	limit    int
	allocate func(*Frame, Size) error // gives a frame its planes

	versions atomic.Uint64 // of contents that frames had

	mu     sync.Mutex
	idle   []*Frame // oldest first
	bytes  int      // of idle
	live   int
	closed bool
}

// NewPool makes an empty pool that keeps at most limit bytes of idle memory.
func NewPool(limit int) *Pool { return &Pool{limit: limit, allocate: (*Frame).allocate} }

// Get gives a frame in the pool's kind of memory, the host's unless it is a
// device's own, with one reference and undefined contents.
func (p *Pool) Get(size Size) (*Frame, error) {
	if err := size.check(); err != nil {
		return nil, err
	}
	if f := p.take(size); f != nil {
		return f, nil
	}
	f := &Frame{home: p}
	if err := p.allocate(f, size); err != nil {
		return nil, err
	}
	return p.issue(f), nil
}

// take gives the idle frame of that size that was released last.
func (p *Pool) take(size Size) *Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		f := p.idle[i]
		if f.Size != size {
			continue
		}
		p.idle = append(p.idle[:i], p.idle[i+1:]...)
		p.bytes -= size.bytes()
		p.live++
		f.PTS, f.Aspect, f.tick, f.version = 0, 1, nil, p.versions.Add(1)
		f.refs.Store(1)
		return f
	}
	return nil
}

// issue counts a frame that was made outside the pool's memory.
func (p *Pool) issue(f *Frame) *Frame {
	f.home, f.version = p, p.versions.Add(1)
	f.refs.Store(1)
	p.mu.Lock()
	p.live++
	p.mu.Unlock()
	return f
}

// put takes a frame back whose last reference is gone.
func (p *Pool) put(f *Frame) {
	if f.mirror != nil {
		f.mirror.Release()
		f.mirror = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live--
	if p.closed || !f.body.recycle() {
		f.body.free()
		return
	}
	p.idle = append(p.idle, f)
	p.bytes += f.Size.bytes()
	for p.bytes > p.limit {
		oldest := p.idle[0]
		p.idle = append(p.idle[:0], p.idle[1:]...)
		p.bytes -= oldest.Size.bytes()
		oldest.body.free()
	}
}

// Outstanding is the number of frames with a reference.
func (p *Pool) Outstanding() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live
}

// Close frees the idle memory; frames released later are freed at once.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, f := range p.idle {
		f.body.free()
	}
	p.idle, p.bytes = nil, 0
}
