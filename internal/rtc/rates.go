package rtc

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	ratePerSecond = 50
	rateBurst     = 200
	maxRated      = 4096 // networks that are counted one by one
)

// rates limits how often one network may ask for changes (W19).
type rates struct {
	mu       sync.Mutex
	by       map[netip.Addr]*rate.Limiter
	overflow *rate.Limiter // of the networks that there was no room for
}

func newRates() *rates {
	return &rates{by: map[netip.Addr]*rate.Limiter{}, overflow: rate.NewLimiter(ratePerSecond, rateBurst)}
}

func (r *rates) allow(from netip.Addr) bool {
	from = network(from)
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.by[from]
	if l == nil {
		if len(r.by) >= maxRated {
			r.sweep()
		}
		if len(r.by) >= maxRated {
			return r.overflow.Allow()
		}
		l = rate.NewLimiter(ratePerSecond, rateBurst)
		r.by[from] = l
	}
	return l.Allow()
}

// sweep forgets limiters that are full again: new ones would be the same.
func (r *rates) sweep() {
	now := time.Now()
	for a, l := range r.by {
		if l.TokensAt(now) >= rateBurst {
			delete(r.by, a)
		}
	}
}
