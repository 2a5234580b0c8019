package process

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/haivision/srtgo"

	"millrace/internal/srt"
)

// server is one run of the srt process.
type server struct {
	frames   srt.Frames
	config   srt.Config
	table    atomic.Pointer[srt.Table] // nil: none came yet, nobody is let in
	active   atomic.Int64              // connections
	quitting atomic.Bool
	refusals refusals

	mu    sync.Mutex
	conns map[uint64]*connection
}

// Serve does what the server asks over the socket until the socket ends or
// asks to quit. Every connection is closed when it returns.
func Serve(frames srt.Frames) error {
	kind, payload, err := frames.Receive()
	if err != nil {
		return fmt.Errorf("receive configuration: %w", err)
	}
	if kind != srt.KindConfig {
		return fmt.Errorf("receive configuration: frame %d came first", kind)
	}
	config, err := srt.ReadJSON[srt.Config](payload)
	if err != nil {
		return err
	}
	srtgo.InitSRT() // never cleaned up: srtgo's finalizers may still come
	srtgo.SrtSetLogLevel(srtgo.SrtLogLevelCrit)
	s := &server{frames: frames, config: config, conns: map[uint64]*connection{}, refusals: newRefusals()}
	return s.run()
}

func (s *server) run() error {
	listener, err := listen(s.config, s.judge)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on %s: %w", s.config.Listen, err),
			srt.SendJSON(s.frames, srt.KindListening, srt.Listening{Error: err.Error(), InUse: inUse(err)}))
	}
	host, _, _ := net.SplitHostPort(s.config.Listen) // it was read by listen
	address := net.JoinHostPort(host, strconv.Itoa(port(listener)))
	err = srt.SendJSON(s.frames, srt.KindListening, srt.Listening{Address: address})

	done := make(chan struct{})
	var accepting, telling sync.WaitGroup
	accepting.Go(func() { s.accept(listener) })
	telling.Go(func() { s.refusals.tell(s.frames, done) })
	if err == nil {
		err = s.receive()
	}
	s.quitting.Store(true)
	interrupt(listener)
	accepting.Wait()
	listener.Close()
	close(done)
	telling.Wait()
	return err
}

// receive obeys the server.
func (s *server) receive() error {
	for {
		kind, payload, err := s.frames.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch kind {
		case srt.KindQuit:
			return nil
		case srt.KindTable:
			table, err := srt.ReadJSON[srt.Table](payload)
			if err != nil {
				return err
			}
			s.table.Store(&table)
		case srt.KindClose:
			closing, err := srt.ReadJSON[srt.Closing](payload)
			if err != nil {
				return err
			}
			s.close(closing)
		default:
			return fmt.Errorf("frame %d is unknown", kind)
		}
	}
}

func (s *server) close(closing srt.Closing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conns[closing.ID]; c != nil {
		c.close(closing.Reason)
	}
}

// judge runs on libsrt's receiving thread, during the handshake: it reads the
// table and waits for nothing.
func (s *server) judge(socket *srtgo.SrtSocket, _ int, remote *net.UDPAddr, streamID string) bool {
	entry, reject := srt.Entry{}, srt.RejectDown
	table := s.table.Load()
	if table != nil && !s.quitting.Load() {
		entry, reject = table.Judge(streamID, int(s.active.Load()))
	}
	if reject == 0 && entry.Passphrase != "" && socket.SetSockOptString(optionPassphrase, entry.Passphrase) != nil {
		reject = srt.RejectForbidden
	}
	if reject != 0 {
		// Where the code cannot be set the caller reads libsrt's own.
		_ = socket.SetRejectReason(int(reject))
		s.refusals.add(refusal{reject, table, streamID, remote})
		return false
	}
	return true
}

// accept takes callers in until the listener is interrupted, and waits for
// their connections to end.
func (s *server) accept(listener *srtgo.SrtSocket) {
	var readers sync.WaitGroup
	defer readers.Wait()
	for number := uint64(1); ; number++ {
		socket, remote, err := listener.Accept()
		if s.quitting.Load() {
			if err == nil {
				socket.Close()
			}
			break
		}
		if err != nil { // the caller went away in between
			continue
		}
		readers.Go(func() { s.serve(number, socket, remote) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.close("the srt process quits")
	}
}

// serve hands one caller's stream over until it ends.
func (s *server) serve(id uint64, socket *srtgo.SrtSocket, remote *net.UDPAddr) {
	defer socket.Close()
	text := streamID(socket)
	entry, reject := s.table.Load().Judge(text, 0) // the table may have changed since the handshake
	if reject != 0 && reject != srt.RejectBusy {
		return
	}
	if err := socket.SetSockOptInt(optionReadMs, int(readInterval.Milliseconds())); err != nil {
		return
	}
	latency, err := socket.GetSockOptInt(optionLatencyMs)
	if err != nil {
		return
	}
	c := &connection{id: id, socket: socket, frames: s.frames}
	s.mu.Lock()
	s.conns[id] = c
	s.mu.Unlock()
	s.active.Add(1)
	defer s.active.Add(-1)
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, id)
	}()
	opened := srt.Opened{ID: id, Source: entry.Source, StreamID: text, Remote: address(remote), LatencyMs: latency}
	if srt.SendJSON(s.frames, srt.KindOpened, opened) != nil {
		return // receive sees the end of the socket
	}
	closed := c.read()
	// As above.
	_ = srt.SendJSON(s.frames, srt.KindClosed, closed)
}

// address shows IPv4 callers of an IPv6 socket as such.
func address(remote *net.UDPAddr) string {
	at := remote.AddrPort()
	return net.JoinHostPort(at.Addr().Unmap().String(), strconv.Itoa(int(at.Port())))
}
