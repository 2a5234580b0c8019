package rtmp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"millrace/ingest"
)

// Config is what a Server is made of.
type Config struct {
	Listener net.Listener // plain or TLS; Run closes it

	// Accept judges a request: a session, or one of ingest's refusals, which
	// the client is told. It is called from many goroutines and must not wait.
	Accept func(Request) (ingest.Session, error)

	// Drain is how long publishers that understand it are given to connect
	// elsewhere when Run's context ends; 0: all are closed at once.
	Drain time.Duration

	MaxConnections int // default 1000
	Log            *slog.Logger
}

const (
	greetTimeout  = 10 * time.Second // from the first byte of TCP to the publish command
	stallTimeout  = 6 * time.Second  // without usable media; the name is free within 8 s
	maxGreeting   = 256              // connections that have not been accepted yet
	maxPerAddress = 32               // of those, from one address
)

// Server takes publishers on one listener.
type Server struct {
	config Config
	log    quiet

	mu       sync.Mutex
	all      int
	greeting map[netip.Addr]int // connections not accepted yet, by address
	waiting  int                // their sum

	counters struct{ connections, dropped, failed, refused, published, early, malformed atomic.Uint64 }
}

// Counters of a Server since its start, for metrics.
type Counters struct {
	Connections uint64 // taken from the listener
	Dropped     uint64 // closed at once: too many
	Failed      uint64 // did not get as far as a request: scans, garbage, silence
	Refused     uint64 // requests that were not granted
	Published   uint64 // requests that were granted
	Counts             // of sessions that have ended
}

// New is a server that does nothing before Run.
func New(config Config) *Server {
	if config.MaxConnections == 0 {
		config.MaxConnections = 1000
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{config: config, log: quiet{log: config.Log}, greeting: make(map[netip.Addr]int)}
}

// Counters may be asked at any time.
func (s *Server) Counters() Counters {
	c := &s.counters
	return Counters{
		Connections: c.connections.Load(), Dropped: c.dropped.Load(), Failed: c.failed.Load(),
		Refused: c.refused.Load(), Published: c.published.Load(),
		Counts: Counts{Early: c.early.Load(), Malformed: c.malformed.Load()},
	}
}

// Run takes connections until the context ends; then it drains and closes
// those it has, and returns nil when the last is gone.
func (s *Server) Run(ctx context.Context) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	stop := context.AfterFunc(ctx, func() { s.config.Listener.Close() })
	defer stop()
	const leastDelay, mostDelay = 5 * time.Millisecond, time.Second
	delay := leastDelay
	for {
		conn, err := s.config.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept RTMP: %w", err)
		case err != nil: // out of descriptors, or aborted by the peer
			s.log.warn("RTMP connection not taken", "err", err)
			if !sleep(ctx, delay) {
				return nil
			}
			delay = min(2*delay, mostDelay)
			continue
		}
		delay = leastDelay
		s.counters.connections.Add(1)
		remote := remoteOf(conn)
		if !s.admit(remote.Addr()) {
			s.counters.dropped.Add(1)
			s.log.warn("RTMP connection dropped: too many", "remote", remote)
			conn.Close()
			continue
		}
		connections.Go(func() { newConnection(s, conn, remote).run(ctx) })
	}
}

// admit counts a connection in, if there is room; granted or leave follow.
func (s *Server) admit(from netip.Addr) bool {
	from = network(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.config.MaxConnections || s.waiting >= maxGreeting || s.greeting[from] >= maxPerAddress {
		return false
	}
	s.all++
	s.waiting++
	s.greeting[from]++
	return true
}

// greeted says that a connection counts no longer among those that wait.
func (s *Server) greeted(from netip.Addr) {
	from = network(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
	if s.greeting[from]--; s.greeting[from] == 0 {
		delete(s.greeting, from)
	}
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
}

// network is what counts as one address: an IPv6 host has a whole /64.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// remoteOf is the zero AddrPort where the connection is not of TCP.
func remoteOf(conn net.Conn) netip.AddrPort {
	a, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return a.AddrPort()
}

// sleep returns false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
