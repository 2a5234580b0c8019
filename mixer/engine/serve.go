package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"os"
	"sync"

	"millrace/gpu"
	"millrace/internal/child"
	"millrace/internal/child/sandbox"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// Serve is a worker process from its first message to its last: it opens the
// device and encoders that the hello asks for, confines the process, answers
// ready, and mixes from start until quit, until the socket closes or the
// context ends. It logs to standard error.
func Serve(ctx context.Context, conn *child.Conn) error {
	return serve(ctx, conn, func() ([]sandbox.Layer, error) { return sandbox.Apply(sandbox.Policy{}) })
}

// serve is Serve with the confinement given, so that tests can do without.
func serve(ctx context.Context, conn *child.Conn, confine func() ([]sandbox.Layer, error)) error {
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends a blocked Receive

	message, err := worker.Receive(conn)
	if err != nil {
		return ended(ctx, err)
	}
	hello, ok := message.(*worker.Hello)
	if !ok || hello.Version != worker.Version {
		return fmt.Errorf("%w: the first message is no hello of version %d", worker.ErrProtocol, worker.Version)
	}
	s := &session{conn: conn, device: hello.Device, streams: map[uint32]stream{}}
	slate, err := awaitSlate(conn, hello)
	if err != nil {
		return ended(ctx, err)
	}
	device, err := gpu.OpenWith(hello.Device, hello.Driver)
	if err != nil {
		return s.blame(err, worker.FaultRefused)
	}
	defer device.Close()
	if err := s.open(hello, device, slate); err != nil {
		return s.blame(err, worker.FaultRefused)
	}
	defer s.engine.Close()
	ready := s.engine.Ready()
	if ready.Sandbox, err = confine(); err != nil {
		return fmt.Errorf("confine worker: %w", err)
	}
	if err := worker.Send(conn, &ready); err != nil {
		return ended(ctx, err)
	}
	return s.run(ctx)
}

// ended tells the end of the session from a fault.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// session is one worker's conversation. The goroutine of run owns it.
type session struct {
	conn    *child.Conn
	device  string // as the hello named it
	engine  *Engine
	streams map[uint32]stream
	stop    context.CancelCauseFunc // the mixer
	mixing  sync.WaitGroup
	started bool
}

// stream is an elementary stream that the server announced.
type stream struct {
	source string
	track  *media.Track
}

// awaitSlate is the picture of a slate that filler is made of, which the server
// sends first; nil where the built-in one is.
func awaitSlate(conn *child.Conn, hello *worker.Hello) (*image.RGBA, error) {
	if !hello.Filler || hello.Show.Slate == "" {
		return nil, nil
	}
	message, err := worker.Receive(conn)
	if err != nil {
		return nil, err
	}
	switch m := message.(type) {
	case *worker.Quit:
		return nil, io.EOF
	case *worker.Picture:
		if m.Asset == hello.Show.Slate {
			return m.Image, nil
		}
	}
	return nil, fmt.Errorf("%w: %T in place of the slate", worker.ErrProtocol, message)
}

func (s *session) open(hello *worker.Hello, device gpu.Device, slate *image.RGBA) error {
	clock, err := hello.Clock.Clock()
	if err != nil {
		return err
	}
	s.engine, err = New(Config{
		Show: hello.Show, Device: device, Clock: clock, GOPFrames: hello.GOPFrames, Filler: hello.Filler, Slate: slate, Sets: hello.Sets,
		Emit: func(rendition int, p *media.Packet) {
			s.send(&worker.StreamPacket{Stream: uint32(rendition), Packet: p})
		},
		Announce: func(m worker.Message) { s.send(m) },
		Report:   func(report worker.Report) { s.send(&report) },
		Meters:   func(meters worker.Meters) { s.send(&meters) },
		Found:    func(finding worker.Finding) { s.send(&finding) },
		Multiview: func(p *media.Packet) {
			s.send(&worker.StreamPacket{Stream: worker.MultiviewStream, Packet: p})
		},
		Log: newLog(hello),
	})
	if err == nil && slate != nil {
		err = s.engine.Picture(hello.Show.Slate, slate)
	}
	return err
}

// newLog writes lines that the server takes over from standard error.
func newLog(hello *worker.Hello) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(hello.LogLevel)) // an unknown name is "info"
	handler := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	return slog.New(handler).With("channel", hello.Show.Channel)
}

func (s *session) send(m worker.Message) {
	if err := worker.Send(s.conn, m); err != nil {
		s.fail(err)
	}
}

// blame tells the server that the device, unless it is the CPU, is why the session
// ends, and gives the error back. An error that is no fault of cards is the
// other one.
func (s *session) blame(err error, other string) error {
	if s.device == worker.CPU {
		return err
	}
	fault := &worker.Fault{Device: s.device, Cause: cmp.Or(string(gpu.FaultOf(err)), other), Error: err.Error()}
	_ = worker.Send(s.conn, fault) // without it the server sees the worker end, which is as good as a crash
	return err
}

// fail ends the session: the mixer, and listen.
func (s *session) fail(err error) {
	s.stop(err)
	_ = s.conn.Close()
}

// run obeys messages until the session ends, then lets the mixer finish.
func (s *session) run(ctx context.Context) error {
	ctx, s.stop = context.WithCancelCause(ctx)
	err := s.listen(ctx)
	s.stop(err)
	s.mixing.Wait() // after quit what it holds goes out yet
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, io.EOF) {
		return cause
	}
	return nil
}

// listen obeys the server. It ends with io.EOF when the server is gone, with
// nil on quit.
func (s *session) listen(ctx context.Context) error {
	for {
		message, err := worker.Receive(s.conn)
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *worker.Start:
			err = s.start(ctx, m.Frame)
		case *worker.TrackChange:
			s.streams[m.Stream] = stream{m.Source, m.Track}
		case *worker.StreamPacket:
			err = s.packet(m)
		case *worker.Gone:
			s.engine.Gone(m.Source)
		case *worker.Command:
			s.engine.Do(*m, func(ack worker.Ack) { s.send(&ack) })
		case *worker.KeyFrame:
			s.engine.RequestKey(m.Rung)
		case *worker.Watch:
			s.engine.Watch(*m)
		case *worker.Picture:
			err = s.engine.Picture(m.Asset, m.Image)
		case *worker.Quit:
			return nil
		default:
			err = fmt.Errorf("%w: unexpected %T", worker.ErrProtocol, message)
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) start(ctx context.Context, frame int64) error {
	if s.started {
		return fmt.Errorf("%w: started twice", worker.ErrProtocol)
	}
	s.started = true
	s.mixing.Go(func() {
		if err := s.engine.Run(ctx, frame); err != nil {
			s.fail(s.blame(err, worker.FaultFailed))
		}
	})
	return nil
}

func (s *session) packet(m *worker.StreamPacket) error {
	from, ok := s.streams[m.Stream]
	if !ok {
		return fmt.Errorf("%w: packet of stream %d without a track", worker.ErrProtocol, m.Stream)
	}
	m.Packet.Track = from.track
	s.engine.Packet(from.source, m.Packet)
	return nil
}
