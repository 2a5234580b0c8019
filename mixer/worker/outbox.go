package worker

import (
	"context"
	"errors"
	"sync"

	"millrace/internal/media"
)

// The bounds of what waits for one worker. An input holds a whole GOP cache
// (10 s or 16 MB), because that is what it is given first.
const (
	maxInputPackets  = 2048
	maxInputBytes    = 24 << 20
	maxInputs        = 64
	streamsPerInput  = 16
	maxControls      = 64
	maxPacketPayload = 30 << 20 // bytes of one access unit, below child.MaxFrame
)

var errOutboxFull = errors.New("worker takes no messages")

// outbox is everything that waits to be sent to one worker: control messages,
// which go first, and a queue per source. Nobody who puts something in waits
// for the worker. Any goroutine may use it; one takes from it.
type outbox struct {
	mu       sync.Mutex
	controls []Message
	inputs   []*input
	turn     int // of the input that is asked first
	streams  uint32
	closed   bool
	wake     chan struct{}
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// control queues a control message.
func (o *outbox) control(m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.controls) >= maxControls {
		return errOutboxFull
	}
	o.controls = append(o.controls, m)
	o.signal()
	return nil
}

// key queues a request for an IDR, unless the same one waits already.
func (o *outbox) key(rung string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.controls {
		if key, ok := m.(*KeyFrame); ok && key.Rung == rung {
			return
		}
	}
	if !o.closed && len(o.controls) < maxControls {
		o.controls = append(o.controls, &KeyFrame{Rung: rung})
		o.signal()
	}
}

// input is the queue of a source, new when it is the first call; nil when
// there are too many or the session is over.
func (o *outbox) input(source string) *input {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, in := range o.inputs {
		if in.source == source {
			in.replayed()
			return in
		}
	}
	if o.closed || len(o.inputs) >= maxInputs {
		return nil
	}
	in := &input{outbox: o, source: source, streams: map[string]*stream{}}
	o.inputs = append(o.inputs, in)
	return in
}

// gone queues, behind what waits of a source, that its publisher ended. A source
// that never had an input is none of this worker's.
func (o *outbox) gone(source string) {
	if in := o.known(source); in != nil {
		in.gone()
	}
}

func (o *outbox) known(source string) *input {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, in := range o.inputs {
		if in.source == source {
			return in
		}
	}
	return nil
}

// dropped is how many packets each source lost because the worker was slow.
func (o *outbox) dropped() map[string]uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	dropped := map[string]uint64{}
	for _, in := range o.inputs {
		if in.dropped > 0 {
			dropped[in.source] = in.dropped
		}
	}
	return dropped
}

// close drops everything and refuses more.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.controls = true, nil
	for _, in := range o.inputs {
		in.clear()
	}
	o.signal()
}

// next blocks until there is something to send. A packet may come with the
// change of track that goes before it.
func (o *outbox) next(ctx context.Context) (change *TrackChange, m Message, err error) {
	for {
		change, m := o.take()
		if m != nil {
			return change, m, nil
		}
		select {
		case <-o.wake:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

func (o *outbox) take() (*TrackChange, Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.controls) > 0 {
		m := o.controls[0]
		o.controls = o.controls[1:]
		return nil, m
	}
	for i := range o.inputs {
		in := o.inputs[(o.turn+i)%len(o.inputs)]
		if len(in.queue) > 0 {
			o.turn = (o.turn + i + 1) % len(o.inputs)
			return in.take()
		}
	}
	return nil, nil
}

// signal is called with the lock held.
func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// input is one source's way into one worker: a bounded queue. When it is full
// the newest wins: what waits is dropped and video goes on at its next
// keyframe. Guarded by its outbox's lock.
type input struct {
	outbox  *outbox
	source  string
	streams map[string]*stream // by track id
	queue   []entry
	bytes   int
	dropped uint64
	overrun bool // packets are dropped up to the next keyframe
}

// stream is one elementary stream of a source in this session.
type stream struct {
	number    uint32
	video     bool
	announced *media.Track // what the worker was told last
	waitKey   bool         // nothing until the next keyframe; video only
	last      media.Time   // DTS of the newest packet taken
	replay    bool         // what comes may have come before
}

// entry waits to be sent; without a packet it says that the publisher is gone.
type entry struct {
	stream *stream
	packet *media.Packet
}

// Write queues a packet; it never blocks.
func (in *input) Write(p *media.Packet) {
	o := in.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	s := in.stream(p.Track)
	if s == nil || len(p.Data) > maxPacketPayload {
		in.dropped++
		return
	}
	if len(in.queue) >= maxInputPackets || in.bytes+len(p.Data) > maxInputBytes && len(in.queue) > 0 {
		in.dropped += uint64(len(in.queue))
		in.overrun = true
		in.clear()
		in.awaitKeys()
	}
	if s.replay && p.DTS <= s.last {
		return
	}
	s.replay = false
	if s.waitKey && !p.Key {
		if in.overrun {
			in.dropped++
		}
		return
	}
	if s.waitKey {
		s.waitKey, in.overrun = false, false
	}
	s.last = p.DTS
	in.queue = append(in.queue, entry{s, p})
	in.bytes += len(p.Data)
	o.signal()
}

// gone queues that the publisher ended, behind its packets.
func (in *input) gone() {
	o := in.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if len(in.queue) >= maxInputPackets {
		in.clear() // what nobody will see live any more
	}
	in.awaitKeys()
	for _, s := range in.streams {
		s.replay = false
	}
	in.queue = append(in.queue, entry{})
	o.signal()
}

// stream is nil when the source has too many.
func (in *input) stream(track *media.Track) *stream {
	if s, known := in.streams[track.ID]; known {
		return s
	}
	if len(in.streams) >= streamsPerInput {
		return nil
	}
	video := track.Kind == media.Video
	s := &stream{number: in.outbox.streams, video: video, waitKey: video}
	in.outbox.streams++
	in.streams[track.ID] = s
	return s
}

// replayed is called when the source is connected again: its GOP cache brings
// packets that the worker has.
func (in *input) replayed() {
	for _, s := range in.streams {
		s.replay = true
	}
}

func (in *input) awaitKeys() {
	for _, s := range in.streams {
		s.waitKey = s.video
	}
}

func (in *input) clear() { in.queue, in.bytes = nil, 0 }

func (in *input) take() (*TrackChange, Message) {
	first := in.queue[0]
	in.queue[0] = entry{} // the array must not hold on to sent packets
	in.queue = in.queue[1:]
	if first.packet == nil {
		return nil, &Gone{Source: in.source}
	}
	in.bytes -= len(first.packet.Data)
	m := &StreamPacket{Stream: first.stream.number, Packet: first.packet}
	if first.stream.announced == first.packet.Track {
		return nil, m
	}
	first.stream.announced = first.packet.Track
	return &TrackChange{Stream: m.Stream, Source: in.source, Track: first.packet.Track}, m
}
