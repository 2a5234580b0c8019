package rtc

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// maxPerNetwork is how many ICE-TCP connections one network may hold.
const maxPerNetwork = 64

// boundedListener closes connections beyond its limits at once, and goes on
// after errors of accepting that pass.
type boundedListener struct {
	net.Listener
	most int

	mu  sync.Mutex
	all int
	by  map[netip.Addr]int
}

func bounded(l net.Listener, most int) *boundedListener {
	return &boundedListener{Listener: l, most: most, by: map[netip.Addr]int{}}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for delay := time.Millisecond; ; {
		conn, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil: // out of descriptors, or aborted by the peer
			time.Sleep(delay)
			delay = min(2*delay, time.Second)
			continue
		}
		delay = time.Millisecond
		if from, ok := l.admit(conn); ok {
			return &boundedConn{Conn: conn, left: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		_ = conn.Close()
	}
}

func (l *boundedListener) admit(conn net.Conn) (from netip.Addr, ok bool) {
	if a, tcp := conn.RemoteAddr().(*net.TCPAddr); tcp {
		from = network(a.AddrPort().Addr())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most || l.by[from] >= maxPerNetwork {
		return from, false
	}
	l.all++
	l.by[from]++
	return from, true
}

func (l *boundedListener) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.by[from]--; l.by[from] == 0 {
		delete(l.by, from)
	}
}

// boundedConn counts itself out when it is closed.
type boundedConn struct {
	net.Conn
	left func()
}

func (c *boundedConn) Close() error {
	c.left()
	return c.Conn.Close()
}
