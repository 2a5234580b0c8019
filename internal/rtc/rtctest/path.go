package rtctest

import (
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

// Path is what a network does to packets on their way. The zero value does
// nothing.
type Path struct {
	Delay, Jitter time.Duration // the latter is up to so much more, in order
	Loss          float64       // a share
	Reorder       float64       // a share that comes Delay/2 + 20 ms later than it would
	Duplicate     float64       // a share that comes twice
	Bitrate       int           // bits per second; 0: any
	Queue         time.Duration // that waits for the bitrate at most; the rest is lost
}

// lane is one direction of a relay.
type lane struct {
	mu    sync.Mutex
	path  Path
	rnd   *rand.Rand
	busy  time.Time // until when the bitrate is used up
	last  time.Time // when the packet before comes
	queue chan delayed
}

// delayed is a packet under way.
type delayed struct {
	data []byte
	to   *net.UDPAddr
	at   time.Time
}

const laneLength = 4096 // packets under way

func newLane(seed uint64) *lane {
	return &lane{rnd: rand.New(rand.NewPCG(seed, 2)), queue: make(chan delayed, laneLength)}
}

func (l *lane) shape(p Path) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.path = p
}

// take decides over a packet that comes now: when it goes on, once, twice or
// never. late are those that do not keep their place.
func (l *lane) take(data []byte, to *net.UDPAddr, now time.Time) (late []delayed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.path
	if l.rnd.Float64() < p.Loss {
		return nil
	}
	at := now
	if p.Bitrate > 0 {
		if l.busy.Sub(now) > p.Queue {
			return nil
		}
		if l.busy.Before(now) {
			l.busy = now
		}
		l.busy = l.busy.Add(time.Duration(len(data)*8) * time.Second / time.Duration(p.Bitrate))
		at = l.busy
	}
	at = at.Add(p.Delay)
	if p.Jitter > 0 {
		at = at.Add(time.Duration(l.rnd.Int64N(int64(p.Jitter))))
	}
	packet := delayed{slices.Clone(data), to, at}
	if l.rnd.Float64() < p.Duplicate {
		late = append(late, packet)
	}
	if l.rnd.Float64() < p.Reorder {
		packet.at = at.Add(p.Delay/2 + 20*time.Millisecond)
		return append(late, packet)
	}
	if at.Before(l.last) {
		packet.at = l.last
	}
	l.last = packet.at
	select {
	case l.queue <- packet:
	default: // lost, as in any router
	}
	return late
}

// carry sends packets on at their time, until the queue is closed.
func (l *lane) carry(conn *net.UDPConn) {
	for packet := range l.queue {
		if wait := time.Until(packet.at); wait > 0 {
			time.Sleep(wait)
		}
		_, _ = conn.WriteToUDP(packet.data, packet.to) // lost, as on the wire
	}
}
