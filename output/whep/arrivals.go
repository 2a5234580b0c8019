package whep

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	sentSize   = 4096 // packets whose fate may still be told
	window     = time.Second
	baseWindow = 5 * time.Second // two of them back the least delay is remembered
)

// arrivals is what transport-wide feedback says of the packets of a viewer
// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
type arrivals struct {
	ring [sentSize]struct {
		number uint16
		size   int
		at     time.Duration // since start; 0: none
	}
	start time.Time

	began         time.Time // of the window
	packets, gone int
	bytes         int
	last          float64 // bitrate of the window before

	base, older time.Duration // least delay of this and the last base window, in the viewer's clock
	based       time.Time     // beginning of this base window; zero: none
	queued      int           // reports in a row that show a queue which does not shrink
	before      time.Duration // least delay of the report before
}

func (a *arrivals) sent(number uint16, size int, now time.Time) {
	if a.start.IsZero() {
		a.start = now.Add(-1)
	}
	s := &a.ring[number%sentSize]
	s.number, s.size, s.at = number, size, now.Sub(a.start)
}

// take accounts for the packets that a feedback tells of.
func (a *arrivals) take(feedback *rtcp.TransportLayerCC, now time.Time) {
	if now.Sub(a.began) >= window {
		if !a.began.IsZero() {
			a.last = float64(a.bytes*8) / now.Sub(a.began).Seconds()
		}
		a.began, a.packets, a.gone, a.bytes = now, 0, 0, 0
	}
	const unknown = time.Duration(1<<63 - 1)
	least := unknown
	each(feedback, func(number uint16, received bool, at time.Duration) {
		s := &a.ring[number%sentSize]
		if s.at == 0 || s.number != number {
			return
		}
		a.packets++
		if !received {
			a.gone++
			return
		}
		a.bytes += s.size
		least = min(least, at-s.at)
		s.at = 0 // counted once
	})
	if least != unknown {
		a.delay(least, now)
	}
}

// delay compares the least delay of a feedback with that of the last seconds:
// what is above it is a queue.
func (a *arrivals) delay(d time.Duration, now time.Time) {
	switch {
	case a.based.IsZero():
		a.base, a.older, a.based = d, d, now
	case now.Sub(a.based) >= baseWindow:
		a.older, a.base, a.based = a.base, d, now
	}
	a.base = min(a.base, d)
	shrinks := d < a.before
	a.before = d
	if d-min(a.base, a.older) > queueLimit && !shrinks {
		a.queued++
		return
	}
	a.queued = 0
}

func (a *arrivals) loss() float64 { return float64(a.gone) / float64(max(a.packets, 1)) }

// bitrate is what arrives, bits per second; 0: unknown.
func (a *arrivals) bitrate(now time.Time) float64 {
	if elapsed := now.Sub(a.began); elapsed > window/2 {
		return float64(a.bytes*8) / elapsed.Seconds()
	}
	return a.last
}

// restart forgets what led to a reduction.
func (a *arrivals) restart() {
	a.began, a.packets, a.gone, a.bytes, a.queued = time.Time{}, 0, 0, 0, 0
}

// each visits the packets of a feedback. at is in the viewer's clock, which
// wraps after 12 days.
func each(feedback *rtcp.TransportLayerCC, visit func(number uint16, received bool, at time.Duration)) {
	const reference = 64 * time.Millisecond
	at := time.Duration(feedback.ReferenceTime) * reference
	number, left, deltas := feedback.BaseSequenceNumber, int(feedback.PacketStatusCount), feedback.RecvDeltas
	status := func(symbol uint16) {
		if left == 0 {
			return
		}
		left--
		received := symbol == rtcp.TypeTCCPacketReceivedSmallDelta || symbol == rtcp.TypeTCCPacketReceivedLargeDelta
		if received && len(deltas) > 0 {
			at += time.Duration(deltas[0].Delta) * time.Microsecond
			deltas = deltas[1:]
		}
		visit(number, received, at)
		number++
	}
	for _, chunk := range feedback.PacketChunks {
		switch chunk := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range min(int(chunk.RunLength), left) {
				status(chunk.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range chunk.SymbolList {
				status(symbol)
			}
		}
	}
}
