package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/child"
	"millrace/internal/media"
)

// session is the life of one worker as the Host sees it.
type session struct {
	host    *Host
	process *child.Process
	conn    *child.Conn
	outbox  *outbox
	began   time.Time
	show    Show // that the worker has, until it is on air
	place   Place
	rungs   map[string]bool // set before onAir
	view    *media.Track    // of the multiview; set before onAir, nil where the worker has none
	onAir   atomic.Bool     // start was sent

	mu         sync.Mutex
	continuity *Continuity // nil until ready
	failure    error       // why the Host ended it
	fault      *Fault      // what the worker said of its device
	recycled   bool        // it was asked to make room for another
	pending    map[uint64]chan Ack

	gallery gallery
	over    chan struct{} // closed when nothing more will be received
}

// serve is child.Supervisor's Serve.
func (h *Host) serve(ctx context.Context, process *child.Process, conn *child.Conn) error {
	hello, err := h.hello()
	if err != nil {
		return err
	}
	s := &session{
		host: h, process: process, conn: conn, outbox: newOutbox(), began: time.Now(), show: hello.Show,
		place: Place{hello.Device, hello.Driver}, rungs: map[string]bool{},
		pending: map[uint64]chan Ack{}, gallery: newGallery(), over: make(chan struct{}),
	}
	if err := s.outbox.control(hello); err != nil {
		return err
	}
	// The session ends when the worker does, not with ctx: what it finishes
	// after a quit still counts.
	work, stop := context.WithCancel(context.Background())
	var helpers sync.WaitGroup
	helpers.Go(func() { s.send(work) })
	helpers.Go(func() { s.watch(ctx, work) })
	helpers.Go(func() { s.furnish(work) })

	err = s.receive()
	s.leave()
	stop()
	_ = conn.Close() // ends a send to a worker that does not read
	helpers.Wait()
	if failure := s.failed(); failure != nil {
		err = failure
	}
	if fault := s.judge(err); fault != nil && ctx.Err() == nil {
		h.faulted(*fault)
	}
	return err
}

// leave takes the worker off air: filler goes on from its last packets.
func (s *session) leave() {
	s.host.enter(nil)
	s.host.lose()
	s.outbox.close()
	if continuity := s.timeline(); continuity != nil {
		continuity.Detach()
	}
	close(s.over)
}

func (s *session) timeline() *Continuity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.continuity
}

func (s *session) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// receive handles what the worker sends until it is gone (nil) or breaks the
// protocol.
func (s *session) receive() error {
	for {
		message, err := Receive(s.conn)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.handle(message); err != nil {
			return err
		}
	}
}

func (s *session) handle(message Message) error {
	switch m := message.(type) {
	case *StreamPacket:
		if m.Stream == MultiviewStream {
			return s.multiview(m.Packet)
		}
		continuity := s.timeline()
		if continuity == nil {
			return fmt.Errorf("%w: packet before ready", ErrProtocol)
		}
		if m.Packet.Stamp != 0 {
			now := s.host.config.Clock.Now()
			s.host.socket.Add(now, now.Sub(m.Packet.Stamp))
		}
		return continuity.Write(m.Stream, m.Packet)
	case *Ready:
		return s.ready(m)
	case *Begin, *End:
		return s.changeReturns(m)
	case *Ack:
		s.acknowledge(*m)
		return nil
	case *Report:
		s.host.reported(*m)
		return nil
	case *Meters:
		s.host.metered(*m)
		return nil
	case *Finding:
		s.host.found(*m)
		return nil
	case *Fault:
		s.mu.Lock()
		s.fault = m
		s.mu.Unlock()
		return nil
	}
	return fmt.Errorf("%w: %T from a worker", ErrProtocol, message)
}

func (s *session) ready(ready *Ready) error {
	if s.timeline() != nil {
		return fmt.Errorf("%w: ready twice", ErrProtocol)
	}
	known := map[string]bool{}
	for _, rendition := range ready.Renditions {
		if rendition.Track.ID != rendition.ID || known[rendition.ID] {
			return fmt.Errorf("%w: rendition %q has no track of its own", ErrProtocol, rendition.ID)
		}
		known[rendition.ID] = true
		s.rungs[rendition.ID] = rendition.Track.Kind == media.Video
	}
	if s.view = ready.Multiview; s.view != nil {
		s.rungs[s.view.ID] = true
	}
	continuity, err := s.host.timeline(ready)
	if err != nil {
		return err
	}
	s.host.enter(s)
	if s.host.config.OnWorker != nil {
		s.host.config.OnWorker(ready)
	}
	start := continuity.Attach(ready.Renditions, ready.Encoder.Withdrawn)
	s.mu.Lock()
	s.continuity = continuity
	s.mu.Unlock()
	if err := s.outbox.control(&Start{Frame: start}); err != nil {
		return err
	}
	s.onAir.Store(true)
	if err := s.catchUp(); err != nil {
		return err
	}
	close(s.gallery.caughtUp)
	if err := s.host.watched(s); err != nil {
		return err
	}
	s.host.config.Log.Info("worker on air", "pid", s.process.Pid(), "frame", start, "after", time.Since(s.began).Round(time.Millisecond),
		"device", ready.Encoder.Device, "encoder", ready.Encoder.Codec, "reason", ready.Encoder.Reason)
	return nil
}

// catchUp tells a worker that has just come on air what became of the show
// while it started: commands found no worker then.
func (s *session) catchUp() error {
	for {
		show := s.host.config.Show()
		if reflect.DeepEqual(show, s.show) {
			return nil
		}
		s.show = show
		if err := s.outbox.control(&Command{ID: s.host.commands.Add(1), Show: &show}); err != nil {
			return err
		}
	}
}

// multiview takes a picture of the multiview.
func (s *session) multiview(p *media.Packet) error {
	if s.view == nil {
		return fmt.Errorf("%w: a multiview that ready did not describe", ErrProtocol)
	}
	p.Track = s.view
	s.host.seen(p)
	return nil
}

// changeReturns handles a Begin or an End.
func (s *session) changeReturns(message Message) error {
	continuity := s.timeline()
	if continuity == nil {
		return fmt.Errorf("%w: %T before ready", ErrProtocol, message)
	}
	if begin, ok := message.(*Begin); ok {
		return continuity.Begin(begin)
	}
	return continuity.End(message.(*End).Stream)
}

// do waits for the Ack of a command.
func (s *session) do(ctx context.Context, command *Command) (Ack, error) {
	answer := make(chan Ack, 1)
	s.mu.Lock()
	s.pending[command.ID] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pending, command.ID)
		s.mu.Unlock()
	}()
	if err := s.outbox.control(command); err != nil {
		return Ack{}, fmt.Errorf("%w: %w", ErrNoWorker, err)
	}
	select {
	case ack := <-answer:
		return ack, nil
	case <-s.over:
		return Ack{}, ErrNoAnswer
	case <-ctx.Done():
		return Ack{}, context.Cause(ctx)
	}
}

func (s *session) acknowledge(ack Ack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer, waiting := s.pending[ack.ID]; waiting {
		delete(s.pending, ack.ID)
		answer <- ack
	}
}

// send writes what waits for the worker until work ends.
func (s *session) send(work context.Context) {
	greeted := false
	for {
		change, message, err := s.outbox.next(work)
		if err != nil {
			return
		}
		if change != nil {
			err = Send(s.conn, change)
		}
		if err == nil {
			err = Send(s.conn, message)
		}
		if err == nil && !greeted { // the first is hello
			greeted = true
			close(s.gallery.greeted)
		}
		if err != nil {
			if work.Err() == nil {
				s.fail(err)
			}
			return
		}
	}
}
