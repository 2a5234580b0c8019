package rtc

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Request is who asks for what. The token is a secret: log neither it nor what
// it came in.
type Request struct {
	Resource string // what the path names below the endpoint, as "cam1"
	Token    string // Bearer token; empty: none
	Remote   netip.AddrPort
	Trusted  bool // let in already by who serves the request: see Trust
}

type trustedKey struct{}

// Trust marks a request as let in, by a session of its page's, as one with a key.
func Trust(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), trustedKey{}, true))
}

// Session is one peer with what serves it.
type Session interface {
	Peer() *Peer
	// Run serves the peer until the context ends. The context's cause says why:
	// ErrLeft, ErrConsent, ErrUnconnected, ErrDown. An error of its own ends
	// the session too.
	Run(ctx context.Context) error
}

// EndpointConfig is what an Endpoint is made of.
type EndpointConfig struct {
	Transport *Transport
	Prefix    string // of the paths: "/whip/"
	Direction Direction

	// Authorize judges a request before its offer is read, and changes nothing.
	// nil: all are let in.
	Authorize func(Request) error
	// Open makes a session; its peer has an answer. Errors that are Refusals
	// are answered as such. Called from many goroutines.
	Open func(Request, *Offer) (Session, error)

	// Reserved is the share of the transport's sessions that is left to other
	// endpoints: however many watch, guests get in.
	Reserved float64

	ICEServers []ICEServer // that clients are told of
	Log        *slog.Logger
}

// Endpoint is the HTTP side of WHIP or WHEP: an http.Handler for all paths
// below its prefix.
type Endpoint struct {
	config EndpointConfig
	rates  *rates
	links  []string

	mu   sync.Mutex
	live map[string]*live // by id
}

// live is a session that can be asked for by its URL.
type live struct {
	session Session
	request Request
	end     context.CancelCauseFunc
	ended   chan struct{}

	mu   sync.Mutex // orders changes
	etag string
}

const (
	maxOffer    = 64 << 10 // bytes
	maxFragment = 16 << 10
	bodyTimeout = 10 * time.Second
	endTimeout  = 5 * time.Second
	below       = "/sessions/" // between an endpoint's path and a session's id
	idBytes     = 32
)

var idLength = base64.RawURLEncoding.EncodedLen(idBytes) // longer than any name of a source or channel

// NewEndpoint is an endpoint without sessions.
func NewEndpoint(config EndpointConfig) *Endpoint {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	e := &Endpoint{config: config, rates: newRates(), live: map[string]*live{}}
	for _, s := range config.ICEServers {
		e.links = append(e.links, s.link())
	}
	return e
}

// Sessions is how many there are.
func (e *Endpoint) Sessions() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.live)
}

// ServeHTTP answers requests for endpoints and sessions. Every answer carries
// CORS headers.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange{endpoint: e, w: w, r: r}
	x.crossOrigin()
	path, ok := strings.CutPrefix(r.URL.Path, e.config.Prefix)
	if !ok || r.URL.RawPath != "" {
		x.refuse(Refuse(http.StatusNotFound, "no such endpoint"))
		return
	}
	resource, id, _ := cutLast(path, below)
	x.resource = strings.Trim(resource, "/")
	if len(id) != idLength {
		x.resource, id = strings.Trim(path, "/"), ""
	}
	switch r.Method {
	case http.MethodPost, http.MethodPatch, http.MethodDelete:
		if !e.rates.allow(x.remote().Addr()) {
			x.refuse(Refuse(http.StatusTooManyRequests, "too many requests").Later(time.Second))
			return
		}
	}
	if id != "" {
		x.serveSession(id)
		return
	}
	x.serveEndpoint()
}

// open makes a session of an offer.
func (e *Endpoint) open(request Request, offer []byte) (l *live, id string, err error) {
	parsed, err := ParseOffer(offer, e.config.Direction)
	if err != nil {
		return nil, "", err
	}
	t := e.config.Transport
	place, err := t.admit(request.Remote.Addr(), e.config.Reserved)
	if err != nil {
		return nil, "", err
	}
	session, err := e.config.Open(request, parsed)
	if err != nil {
		place.leave()
		return nil, "", err
	}
	l = &live{session: session, request: request, ended: make(chan struct{}), etag: newETag()}
	id = newID()
	ready := make(chan struct{})
	run := func(ctx context.Context) {
		ctx, l.end = context.WithCancelCause(ctx)
		e.enter(id, l)
		close(ready)
		e.run(ctx, l, id, place)
	}
	if !t.begin(run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(ErrDown)
		_ = session.Run(ctx) // frees what it holds
		session.Peer().Close()
		place.leave()
		return nil, "", ErrDown
	}
	<-ready
	return l, id, nil
}

// run serves a session until it ends.
func (e *Endpoint) run(ctx context.Context, l *live, id string, place *seat) {
	defer close(l.ended)
	defer place.leave()
	var watch sync.WaitGroup
	watch.Go(func() { l.session.Peer().watch(ctx, place, l.end) })
	err := l.session.Run(ctx)
	l.end(err)
	e.forget(id)
	l.session.Peer().Close()
	watch.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, ErrLeft) {
		err = nil
	}
	e.config.Log.Info("WebRTC session ended", "endpoint", e.config.Prefix, "resource", l.request.Resource, "remote", l.request.Remote, "err", err)
}

func (e *Endpoint) enter(id string, l *live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.live[id] = l
}

func (e *Endpoint) forget(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, id)
}

func (e *Endpoint) find(id string) *live {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live[id]
}

// newID names a session: unguessable, for who knows it may end it (W19).
func newID() string { return random(idBytes) }

// newETag is a strong entity tag (RFC 9110 §8.8.3).
func newETag() string { return `"` + random(12) + `"` }

func random(n int) string {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(fmt.Sprintf("no randomness: %v", err)) // never returned by crypto/rand
	}
	return base64.RawURLEncoding.EncodeToString(b)
}
