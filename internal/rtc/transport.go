package rtc

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

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// Config is what a Transport is made of.
type Config struct {
	UDP *net.UDPConn // the port that everybody shares; Run closes it
	TCP net.Listener // ICE-TCP; nil: none. Run closes it

	// Announce are addresses at which the port is reached from outside, beside
	// those of the interfaces; port 0 stands for the port itself.
	Announce []netip.AddrPort

	MaxSessions int           // default 1000
	Consent     time.Duration // a peer that was silent for so long is gone; default 15 s
	Connect     time.Duration // from the answer to a working connection; default 15 s
	Log         *slog.Logger
}

// Why a session ended.
var (
	ErrLeft        = errors.New("the peer said goodbye")
	ErrConsent     = errors.New("the peer has not been heard of")
	ErrUnconnected = errors.New("no connection came about")
	ErrDown        = errors.New("the server is going down")
)

// Transport is the shared port. Its sessions run within Run.
type Transport struct {
	config Config
	log    pionLog

	mu       sync.Mutex
	ports    *ports // nil: not running
	open     int
	pending  map[netip.Addr]int // sessions that are not connected yet, by network
	sessions sync.WaitGroup

	counters struct{ opened, refused, unconnected, expired atomic.Uint64 }
}

// Counters of a Transport since its start, for metrics.
type Counters struct {
	Sessions    int    // now
	Opened      uint64 // granted
	Refused     uint64 // for want of room
	Unconnected uint64 // that never connected
	Expired     uint64 // whose consent expired
	Sent        uint64 // UDP datagrams
	Received    uint64
}

// ports is what exists while a Transport runs.
type ports struct {
	ctx         context.Context // of the sessions; its cause says why they end
	socket      *socket
	udp         *ice.UDPMuxDefault
	tcp         *ice.TCPMuxDefault // nil: no ICE-TCP
	certificate webrtc.Certificate
	issued      time.Time
}

// maxPending is how many sessions of one network may wait for a connection: a
// school behind one address comes at once.
const maxPending = 128

// New is a transport that does nothing before Run.
func New(config Config) *Transport {
	if config.MaxSessions == 0 {
		config.MaxSessions = 1000
	}
	if config.Consent == 0 {
		config.Consent = 15 * time.Second
	}
	if config.Connect == 0 {
		config.Connect = 15 * time.Second
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Transport{config: config, log: pionLog{config.Log}, pending: map[netip.Addr]int{}}
}

// Run serves the port until the context ends; then it ends every session, waits
// for the last and returns nil.
func (t *Transport) Run(ctx context.Context) error {
	ctx, broke := context.WithCancelCause(ctx)
	defer broke(nil)
	sessions, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	p := &ports{ctx: sessions, socket: newSocket(t.config.UDP, broke)}
	if err := p.renew(time.Now()); err != nil {
		return errors.Join(err, t.config.UDP.Close())
	}
	p.udp = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: p.socket, Logger: t.log.NewLogger("udp")})
	if t.config.TCP != nil {
		p.tcp = newTCPMux(t.config.TCP, t.config.MaxSessions, t.log.NewLogger("tcp"))
	}
	t.mu.Lock()
	t.ports = p
	t.mu.Unlock()
	<-ctx.Done()
	t.mu.Lock()
	t.ports = nil // no new sessions
	t.mu.Unlock()
	end(ErrDown)
	t.sessions.Wait()
	err := p.close()
	if cause := context.Cause(ctx); errors.Is(cause, errSocket) {
		return cause
	}
	return err
}

// renew makes the certificate that all peers show, a new one each day: it is
// valid for a month.
func (p *ports) renew(now time.Time) error {
	if now.Sub(p.issued) < 24*time.Hour {
		return nil
	}
	key, err := newKey()
	if err != nil {
		return fmt.Errorf("make DTLS key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return fmt.Errorf("make DTLS certificate: %w", err)
	}
	p.certificate, p.issued = *certificate, now
	return nil
}

func (p *ports) close() error {
	err := p.udp.Close()
	if p.tcp != nil {
		err = errors.Join(err, p.tcp.Close())
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	p.socket.stop()
	return err
}

// running is the open port and the certificate of the day, or ErrDown.
func (t *Transport) running() (*ports, webrtc.Certificate, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ports == nil {
		return nil, webrtc.Certificate{}, ErrDown
	}
	err := t.ports.renew(time.Now())
	return t.ports, t.ports.certificate, err
}

// Counters may be asked at any time.
func (t *Transport) Counters() Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Counters{
		Sessions: t.open, Opened: t.counters.opened.Load(), Refused: t.counters.refused.Load(),
		Unconnected: t.counters.unconnected.Load(), Expired: t.counters.expired.Load(),
	}
	if t.ports != nil {
		c.Sent, c.Received = t.ports.socket.sent.Load(), t.ports.socket.received.Load()
	}
	return c
}

// seat is a session's place in the budget. Its methods may be called again.
type seat struct {
	transport *Transport
	network   netip.Addr
	connected bool
	left      bool
}

// admit counts a session in, if there is room; reserved is the share of places
// that it must leave free.
func (t *Transport) admit(from netip.Addr, reserved float64) (*seat, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &seat{transport: t, network: network(from)}
	switch {
	case t.ports == nil:
		return nil, ErrDown
	case t.open >= t.config.MaxSessions-int(reserved*float64(t.config.MaxSessions)), t.pending[s.network] >= maxPending:
		t.counters.refused.Add(1)
		return nil, errFull
	}
	t.counters.opened.Add(1)
	t.open++
	t.pending[s.network]++
	return s, nil
}

// settle says that the session waits for a connection no longer.
func (s *seat) settle() {
	s.transport.mu.Lock()
	defer s.transport.mu.Unlock()
	s.settled()
}

func (s *seat) settled() {
	if s.connected {
		return
	}
	s.connected = true
	t := s.transport
	if t.pending[s.network]--; t.pending[s.network] == 0 {
		delete(t.pending, s.network)
	}
}

// leave gives the place back.
func (s *seat) leave() {
	s.transport.mu.Lock()
	defer s.transport.mu.Unlock()
	s.settled()
	if !s.left {
		s.left = true
		s.transport.open--
	}
}

// begin runs a session within Run; false: the transport is going down.
func (t *Transport) begin(run func(context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ports == nil {
		return false
	}
	ctx := t.ports.ctx
	t.sessions.Go(func() { run(ctx) })
	return true
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

// Running says whether sessions can be made.
func (t *Transport) Running() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ports != nil
}
