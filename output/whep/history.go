package whep

import (
	"math/rand/v2"
	"time"
)

const (
	historySize = 1024 // packets; at 4 Mb/s about two seconds
	mostRepeats = 8
)

// sentPacket is what is needed to send a packet again. Its payload is shared
// with every viewer of the rung.
type sentPacket struct {
	number    uint16
	timestamp uint32
	marker    bool
	payload   []byte // nil: none
	repeats   int
	last      time.Time // sent again
}

// history is the last packets of a viewer's stream.
type history struct{ ring [historySize]sentPacket }

func (h *history) put(p sentPacket) { h.ring[p.number%historySize] = p }

// take finds a packet to send again; nil where it is too old, or was sent
// again a moment ago.
func (h *history) take(number uint16, now time.Time, least time.Duration) *sentPacket {
	p := &h.ring[number%historySize]
	if p.payload == nil || p.number != number || p.repeats >= mostRepeats || now.Sub(p.last) < least {
		return nil
	}
	p.repeats++
	p.last = now
	return p
}

// randomSequence leaves room before the first wrap (RFC 3711 §3.3.1).
func randomSequence() uint16 { return uint16(rand.Uint32N(1 << 15)) }
