package rtc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

// socketBuffer is asked of the kernel, which may grant less, bytes.
const socketBuffer = 4 << 20

var errSocket = errors.New("the WebRTC port broke")

// socket is the UDP port as pion reads and writes it. What pion would give the
// whole port up for, an error of one read, is tried again here.
type socket struct {
	*net.UDPConn
	broke          context.CancelCauseFunc
	closed         chan struct{}
	sent, received atomic.Uint64
	batches        batches
}

func newSocket(conn *net.UDPConn, broke context.CancelCauseFunc) *socket {
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	return &socket{UDPConn: conn, broke: broke, closed: make(chan struct{})}
}

// ReadFromAddrPort is ice.AddrPortReaderWriter's.
func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for delay := time.Millisecond; ; delay = min(2*delay, time.Second) {
		n, from, err := s.ReadFromUDPAddrPort(b)
		if err == nil {
			s.received.Add(1)
			return n, from, nil
		}
		if errors.Is(err, net.ErrClosed) {
			s.broke(fmt.Errorf("%w: %w", errSocket, err)) // nothing, if Run was told to end
			return 0, from, err
		}
		select {
		case <-s.closed:
			return 0, from, err
		case <-time.After(delay):
		}
	}
}

// WriteToAddrPort is ice.AddrPortReaderWriter's.
func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.sent.Add(1)
	if s.gather(b, to) {
		return len(b), nil
	}
	return s.WriteToUDPAddrPort(b, to)
}

// stop ends the waiting of a read; once.
func (s *socket) stop() { close(s.closed) }

var _ ice.AddrPortReaderWriter = (*socket)(nil)

const (
	tcpFirst   = 5 * time.Second // from a TCP connection to its first STUN message
	tcpUnknown = 2 * time.Second // for one that names no session of ours
	tcpBuffer  = 1 << 20         // bytes that wait for a slow peer; more are dropped, as UDP would
	tcpQueue   = 64              // packets received and not read yet
)

func newTCPMux(listener net.Listener, sessions int, log logging.LeveledLogger) *ice.TCPMuxDefault {
	return ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: bounded(listener, 2*sessions), Logger: log, ReadBufferSize: tcpQueue, WriteBufferSize: tcpBuffer,
		FirstStunBindTimeout: tcpFirst, AliveDurationForConnFromStun: tcpUnknown,
	})
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
