package appliance

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"millrace/api"
)

// How often a password may be tried wrongly: a handful at once, then slowly. A
// user who is signed in is not touched by what others try in his name.
const (
	tryEvery   = 10 * time.Second
	triesAtOne = 5
	tryAll     = 200 * time.Millisecond // of all names together
	triesAll   = 50
	gateNames  = 1000 // remembered
)

// gate slows those down who guess.
type gate struct {
	hashing hashing

	mu     *sync.Mutex
	all    *rate.Limiter
	byName map[string]*rate.Limiter
}

func newGate() gate {
	return gate{
		hashing: make(hashing, 1), mu: &sync.Mutex{},
		all: rate.NewLimiter(rate.Every(tryAll), triesAll), byName: map[string]*rate.Limiter{},
	}
}

// closed is the refusal of another try, or nil. Tries are counted by failed.
func (g gate) closed(name string, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if limiter := g.byName[name]; g.all.TokensAt(now) >= 1 && (limiter == nil || limiter.TokensAt(now) >= 1) {
		return nil
	}
	return &api.Problem{
		Title: http.StatusText(http.StatusTooManyRequests), Status: http.StatusTooManyRequests, Code: "too-many-tries",
		Detail: "Wrong passwords were tried too often.", Hint: "Wait ten seconds. Those who are signed in stay so.",
	}
}

// failed counts a wrong password.
func (g gate) failed(name string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.byName) >= gateNames {
		for known, limiter := range g.byName {
			if limiter.TokensAt(now) >= triesAtOne {
				delete(g.byName, known)
			}
		}
	}
	limiter := g.byName[name]
	if limiter == nil && len(g.byName) < gateNames { // else the limit of all holds alone
		limiter = rate.NewLimiter(rate.Every(tryEvery), triesAtOne)
		g.byName[name] = limiter
	}
	if limiter != nil {
		limiter.AllowN(now, 1)
	}
	g.all.AllowN(now, 1)
}
