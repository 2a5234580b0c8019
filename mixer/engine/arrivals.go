package engine

import (
	"sync"

	"millrace/internal/media"
)

// arrivalsKept bounds the packets of one source that have arrived and are not
// composed yet: 8 s at 60 frames a second.
const arrivalsKept = 512

// arrivals remembers when the newest packets of a source's video came, so that
// a picture tells how long it took. One goroutine adds, the decoder's asks.
type arrivals struct {
	mu   sync.Mutex
	ring [arrivalsKept]arrival
	next int
}

type arrival struct {
	pts   media.Time
	at    media.Time // 0: none
	stamp media.Time // of the packet
}

func (a *arrivals) add(new arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ring[a.next] = new
	a.next = (a.next + 1) % arrivalsKept
}

// of is how the newest packet with a PTS came; false when it is forgotten.
func (a *arrivals) of(pts media.Time) (arrival, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.ring {
		r := a.ring[(a.next+2*arrivalsKept-1-i)%arrivalsKept]
		if r.at == 0 {
			break
		}
		if r.pts == pts {
			return r, true
		}
	}
	return arrival{}, false
}
