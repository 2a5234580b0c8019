package engine

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"millrace/gpu"
	"millrace/internal/delay"
	"millrace/internal/media"
)

// rungQueue bounds the pictures that wait for a rung's encoder.
const rungQueue = 8

// rung encodes one rendition of the ladder on a goroutine of its own. A tick
// never waits for it: when it is behind, the newest picture in its queue is
// encoded once more instead of a new one, so that every frame number comes out.
type rung struct {
	index    int // of the rendition
	encoder  gpu.Encoder
	track    *media.Track // as the channel's init section describes it
	reason   string       // why the encoder is not the device's own; empty when it is
	rate     media.Rate
	keys     keyframes
	emit     func(rendition int, p *media.Packet)
	finished func(frame int64) // after each frame
	now      func() media.Time

	mu     sync.Mutex
	queue  []shot
	closed bool
	wake   chan struct{}

	repeated atomic.Uint64
	meter    meter        // of encoding
	out      delay.Window // from a tick being due to its packet going out
}

// shot is a picture for one or more consecutive frames.
type shot struct {
	picture *gpu.Frame // owned
	frame   int64      // the first
	count   int64
}

// put takes over the picture of the next frame.
func (r *rung) put(picture *gpu.Frame, frame int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.queue) - 1
	switch {
	case last >= 0 && r.queue[last].picture == picture: // the tick repeats it
		picture.Release()
		r.queue[last].count++
	case len(r.queue) >= rungQueue:
		picture.Release()
		r.queue[last].count++
		r.repeated.Add(1)
	default:
		r.queue = append(r.queue, shot{picture, frame, 1})
	}
	signal(r.wake)
}

// close lets run return once the queue is empty.
func (r *rung) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	signal(r.wake)
}

// next is the next frame to encode; the picture is the caller's. ok is false
// when there is none, done when there will be none.
func (r *rung) next() (s shot, ok, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return shot{}, false, r.closed
	}
	head := &r.queue[0]
	s = shot{head.picture.Retain(), head.frame, 1}
	head.frame++
	if head.count--; head.count == 0 {
		head.picture.Release()
		r.queue = append(r.queue[:0], r.queue[1:]...)
	}
	return s, true, false
}

// run encodes until close, or until the encoder fails.
func (r *rung) run() error {
	for {
		s, ok, done := r.next()
		if done {
			return nil
		}
		if !ok {
			<-r.wake
			continue
		}
		begin := time.Now()
		unit, err := r.encoder.Encode(s.picture, s.frame, r.keys.at(s.frame))
		s.picture.Release()
		if err != nil {
			return fmt.Errorf("encode rendition %q: %w", r.track.ID, err)
		}
		r.meter.add(time.Since(begin))
		pts := r.rate.At(s.frame)
		r.emit(r.index, &media.Packet{
			Track: r.track, PTS: pts, DTS: pts, Duration: r.rate.Interval(), Key: unit.Key, Stamp: r.now(), Data: unit.Data,
		})
		r.finished(s.frame)
	}
}

// release gives up what was never encoded.
func (r *rung) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.queue {
		s.picture.Release()
	}
	r.queue = nil
}
