package whep

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/media"
	"millrace/internal/rtc"
)

// Config is what a Server is made of.
type Config struct {
	Transport *rtc.Transport
	Clock     *media.Clock // of the packets that programs get

	// Authorize judges who may watch what the request names, before its offer
	// is read; errors that are rtc.Refusals are answered as such. nil: all are
	// let in.
	Authorize func(rtc.Request) error

	ICEServers []rtc.ICEServer
	Log        *slog.Logger
}

// Server is an http.Handler for what lies below /whep/.
type Server struct {
	config   Config
	endpoint *rtc.Endpoint
	counters counters

	mu       sync.Mutex
	programs map[string]*Program // by resource: "main", "main/return/cam1"
}

type counters struct {
	frames, dropped, packets, bytes, repaired, plis, keys, switches atomic.Uint64
}

// Counters of a Server since its start, for metrics.
type Counters struct {
	Viewers  int    // now
	Frames   uint64 // handed to viewers
	Dropped  uint64 // not handed to a viewer that was too slow
	Packets  uint64 // of RTP
	Bytes    uint64 // of their payloads
	Repaired uint64 // packets sent again
	PLIs     uint64 // requests for a keyframe that viewers made
	Keys     uint64 // of these, handed on to the encoder
	Switches uint64 // of viewers from one rung to another
}

// New is a server without programs; its sessions run within the transport's
// Run.
func New(config Config) *Server {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: config, programs: map[string]*Program{}}
	s.endpoint = rtc.NewEndpoint(rtc.EndpointConfig{
		Transport: config.Transport, Prefix: "/whep/", Direction: rtc.Receives,
		Authorize: s.authorize, Open: s.open, Reserved: 0.1, ICEServers: config.ICEServers, Log: config.Log,
	})
	return s
}

// ServeHTTP answers for endpoints, as /whep/CHANNEL, and the sessions below
// them.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.endpoint.ServeHTTP(w, r) }

// Counters may be asked at any time.
func (s *Server) Counters() Counters {
	c := &s.counters
	return Counters{
		Viewers: s.endpoint.Sessions(), Frames: c.frames.Load(), Dropped: c.dropped.Load(), Packets: c.packets.Load(), Bytes: c.bytes.Load(),
		Repaired: c.repaired.Load(), PLIs: c.plis.Load(), Keys: c.keys.Load(), Switches: c.switches.Load(),
	}
}

// retryIdle is when to ask again for what is not on air.
const retryIdle = 2 * time.Second

var errIdle = rtc.Refuse(http.StatusConflict, "nothing is on air here").Later(retryIdle)

func (s *Server) authorize(r rtc.Request) error {
	if s.config.Authorize != nil {
		if err := s.config.Authorize(r); err != nil {
			return err
		}
	}
	if s.program(r.Resource) == nil {
		return errIdle
	}
	return nil
}

func (s *Server) open(r rtc.Request, offer *rtc.Offer) (rtc.Session, error) {
	p := s.program(r.Resource)
	if p == nil {
		return nil, errIdle
	}
	return newViewer(p, r, offer)
}

func (s *Server) program(resource string) *Program {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.programs[resource]
}

var errTaken = errors.New("another program is on air under this name")

func (s *Server) enter(p *Program) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.programs[p.config.Resource] != nil {
		return errTaken
	}
	s.programs[p.config.Resource] = p
	return nil
}

func (s *Server) leave(p *Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.programs, p.config.Resource)
}
