package srt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// queueLimit bounds what one connection may have waiting for its handler, in
// bytes: some seconds of a feed. More is dropped and counted.
const queueLimit = 8 << 20

// Why a connection ended.
var (
	ErrShutdown = errors.New("the publisher closed the connection")
	ErrBroken   = errors.New("the connection broke")
	ErrProcess  = errors.New("the srt process ended")
)

// ErrInUse says that another program has the port.
var ErrInUse = errors.New("in use")

// ClientConfig is what a client is made of.
type ClientConfig struct {
	Config
	// Handle serves one connection and returns when it is done with it; the
	// connection is then closed. It runs in a goroutine of its own.
	Handle func(ctx context.Context, conn *Conn)
	// OnListening is told the outcome of every start of the process; nil:
	// nobody asks. err is ErrInUse where the port is taken.
	OnListening func(address string, err error)
	Log         *slog.Logger
}

// Client is the server's end of the srt process. It outlives the process: the
// table is kept here, and sent again to the next.
type Client struct {
	config ClientConfig

	mu     sync.Mutex
	table  Table
	number uint64 // of the table
	wake   chan struct{}

	refusals refusals // owned by Serve
}

// NewClient starts nothing; Serve does the work.
func NewClient(config ClientConfig) *Client {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{config: config, wake: make(chan struct{}, 1), refusals: refusals{log: config.Log}}
}

// SetTable replaces the table; the client keeps what it is given. It never
// blocks, and only the newest of tables set in a hurry is sent.
func (c *Client) SetTable(table Table) {
	c.mu.Lock()
	c.table = table
	c.number++
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Serve talks to one srt process until its socket ends; every connection has
// then ended and its handler returned. When ctx ends the process is asked to
// quit.
func (c *Client) Serve(ctx context.Context, frames Frames) error {
	if err := SendJSON(frames, KindConfig, c.config.Config); err != nil {
		return fmt.Errorf("configure srt process: %w", err)
	}
	session := &session{client: c, frames: frames, conns: map[uint64]*Conn{}}
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() { session.send(ctx, done) })
	err := session.receive(ctx)
	close(done)
	for _, conn := range session.conns {
		conn.end(ErrProcess)
	}
	session.handlers.Wait()
	wait.Wait()
	if errors.Is(err, io.EOF) || ctx.Err() != nil { // a process that quits may reset the socket
		return nil
	}
	return err
}

// session is one life of the process.
type session struct {
	client   *Client
	frames   Frames
	conns    map[uint64]*Conn // owned by receive
	handlers sync.WaitGroup
}

// send brings the newest table, and the wish to quit, to the process.
func (s *session) send(ctx context.Context, done <-chan struct{}) {
	sent, first := uint64(0), true
	quit := ctx.Done()
	for {
		s.client.mu.Lock()
		table, number := s.client.table, s.client.number
		s.client.mu.Unlock()
		if first || number != sent {
			if SendJSON(s.frames, KindTable, table) != nil {
				return // receive sees the end of the socket
			}
			sent, first = number, false
		}
		select {
		case <-done:
			return
		case <-quit:
			quit = nil
			if s.frames.Send(KindQuit) != nil {
				return
			}
		case <-s.client.wake:
		}
	}
}

func (s *session) receive(ctx context.Context) error {
	for {
		kind, payload, err := s.frames.Receive()
		if err != nil {
			return err
		}
		if err := s.frame(ctx, kind, payload); err != nil {
			return fmt.Errorf("frame %d of srt process: %w", kind, err)
		}
	}
}

func (s *session) frame(ctx context.Context, kind byte, payload []byte) error {
	switch kind {
	case KindData:
		id, data, err := readData(payload)
		if conn := s.conns[id]; err == nil && conn != nil {
			conn.push(data)
		}
		return err
	case KindStats:
		stats, err := ReadJSON[Stats](payload)
		if conn := s.conns[stats.ID]; err == nil && conn != nil {
			conn.setStats(stats)
		}
		return err
	case KindOpened:
		opened, err := ReadJSON[Opened](payload)
		if err == nil {
			s.open(ctx, opened)
		}
		return err
	case KindClosed:
		closed, err := ReadJSON[Closed](payload)
		if conn := s.conns[closed.ID]; err == nil && conn != nil {
			delete(s.conns, closed.ID)
			conn.end(closed.err())
		}
		return err
	case KindListening:
		listening, err := ReadJSON[Listening](payload)
		if err == nil {
			s.client.listening(listening)
		}
		return err
	case KindRefused:
		refused, err := ReadJSON[Refused](payload)
		if err == nil {
			s.client.refusals.tell(refused)
		}
		return err
	}
	return errors.New("kind is unknown")
}

func (c Closed) err() error {
	if c.Flowing {
		return fmt.Errorf("%w: %s", ErrShutdown, c.Reason)
	}
	return fmt.Errorf("%w: %s", ErrBroken, c.Reason)
}

func (c *Client) listening(l Listening) {
	var err error
	switch {
	case l.InUse:
		err = fmt.Errorf("listen for SRT on %s: the port is %w", c.config.Listen, ErrInUse)
	case l.Error != "":
		err = fmt.Errorf("listen for SRT on %s: %s", c.config.Listen, l.Error)
	}
	if err != nil {
		c.config.Log.Error("SRT listener", "err", err)
	} else {
		c.config.Log.Info("SRT listener", "address", l.Address)
	}
	if c.config.OnListening != nil {
		c.config.OnListening(l.Address, err)
	}
}

// open gives a new connection to its handler.
func (s *session) open(ctx context.Context, opened Opened) {
	conn := newConn(opened)
	s.conns[opened.ID] = conn
	s.handlers.Go(func() {
		s.client.config.Handle(ctx, conn)
		if !conn.ended() {
			// An error ends the socket, and with it the connection.
			_ = SendJSON(s.frames, KindClose, Closing{opened.ID, conn.reason()})
		}
		conn.discard()
	})
}
