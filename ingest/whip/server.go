package whip

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"millrace/ingest"
	"millrace/internal/rtc"
)

// Request is what a publisher asks for. The key is a secret.
type Request struct {
	Source string
	Key    string
	Remote netip.AddrPort
}

// Config is what a Server is made of.
type Config struct {
	Transport *rtc.Transport

	// Authorize judges a request by its name and key alone, with one of
	// ingest's refusals, and changes nothing: it comes before the offer is
	// read. Accept gives a session, or a refusal. Both are called from many
	// goroutines and must not wait.
	Authorize func(Request) error
	Accept    func(Request) (ingest.Session, error)

	ICEServers []rtc.ICEServer
	Log        *slog.Logger
}

// Server is an http.Handler for what lies below /whip/.
type Server struct {
	config   Config
	endpoint *rtc.Endpoint
	counters struct{ packets, late, lost, nacks, plis, dropped, malformed atomic.Uint64 }
}

// Counters of a Server since its start, for metrics.
type Counters struct {
	Sessions  int    // now
	Packets   uint64 // of RTP
	Late      uint64 // that came twice, or after they were given up
	Lost      uint64 // that were given up
	NACKs     uint64 // packets asked for again
	PLIs      uint64 // keyframes asked for
	Dropped   uint64 // frames that could not be decoded for want of others
	Malformed uint64 // frames that made no sense
}

// New is a server whose sessions run within the transport's Run.
func New(config Config) *Server {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: config}
	s.endpoint = rtc.NewEndpoint(rtc.EndpointConfig{
		Transport: config.Transport, Prefix: "/whip/", Direction: rtc.Sends,
		Authorize: s.authorize, Open: s.open, ICEServers: config.ICEServers, Log: config.Log,
	})
	return s
}

// ServeHTTP answers for endpoints, /whip/SOURCE, and the sessions below them.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.endpoint.ServeHTTP(w, r) }

// Counters may be asked at any time.
func (s *Server) Counters() Counters {
	c := &s.counters
	return Counters{
		Sessions: s.endpoint.Sessions(), Packets: c.packets.Load(), Late: c.late.Load(), Lost: c.lost.Load(),
		NACKs: c.nacks.Load(), PLIs: c.plis.Load(), Dropped: c.dropped.Load(), Malformed: c.malformed.Load(),
	}
}

func requestOf(r rtc.Request) Request {
	return Request{Source: r.Resource, Key: r.Token, Remote: r.Remote}
}

func (s *Server) authorize(r rtc.Request) error {
	if r.Token == "" {
		return rtc.Refuse(http.StatusUnauthorized, "a key is needed: Authorization: Bearer KEY")
	}
	if s.config.Authorize == nil {
		return nil
	}
	return refusal(s.config.Authorize(requestOf(r)))
}

// open makes a session: first the answer, which may fail, then the source.
func (s *Server) open(r rtc.Request, offer *rtc.Offer) (rtc.Session, error) {
	made, err := newSession(s, r, offer)
	if err != nil {
		return nil, err
	}
	feed, err := s.config.Accept(requestOf(r))
	if err != nil {
		made.peer.Close()
		return nil, refusal(err)
	}
	made.feed = feed
	return made, nil
}

// retryBusy is when a publisher that found its name taken may try again: a
// ghost is let go after 2 s of silence.
const retryBusy = 2 * time.Second

// refusal is how ingest's refusals are told over HTTP.
func refusal(err error) error {
	said := func(status int) *rtc.Refusal { return rtc.Refuse(status, "%v", err) }
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ingest.ErrSyntax):
		return said(http.StatusBadRequest)
	case errors.Is(err, ingest.ErrBadKey):
		return said(http.StatusUnauthorized)
	case errors.Is(err, ingest.ErrForbidden):
		return said(http.StatusForbidden)
	case errors.Is(err, ingest.ErrUnknownSource):
		return said(http.StatusNotFound)
	case errors.Is(err, ingest.ErrBusy):
		return said(http.StatusConflict).Later(retryBusy)
	case errors.Is(err, ingest.ErrOverload), errors.Is(err, ingest.ErrDown):
		return said(http.StatusServiceUnavailable).Later(retryDown)
	}
	return err
}

const retryDown = 5 * time.Second

// reason is why a session ended, as its source is told: nil for a goodbye.
func reason(cause error) error {
	switch {
	case errors.Is(cause, rtc.ErrLeft), errors.Is(cause, context.Canceled):
		return nil
	case errors.Is(cause, rtc.ErrDown):
		return ingest.ErrDown
	}
	return cause
}
