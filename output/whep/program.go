package whep

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/media"
)

// Rung is a video rendition that viewers may be given.
type Rung struct {
	ID      string // of its tracks
	Track   *media.Track
	Bitrate int // bits per second
}

// ProgramConfig is what a Program is made of.
type ProgramConfig struct {
	Resource string       // that viewers ask for: "main" is /whep/main
	Rungs    []Rung       // H.264; others are left out
	Audio    *media.Track // Opus; nil: there is no sound

	// RequestKey asks the encoder of a rung for a keyframe, once a second at
	// most; it must not wait. nil: viewers wait for the next one.
	RequestKey func(rung string)
}

const (
	inboxLength = 256                    // packets that wait to be handed out
	keyInterval = time.Second            // between requests for a keyframe of a rung
	keyRecent   = 400 * time.Millisecond // a keyframe just gone is not asked for again
)

// Program is what is on air under one name. It is a media.Sink: Write never
// blocks, and drops to the next keyframe where Run does not keep up.
type Program struct {
	server *Server
	config ProgramConfig
	inbox  chan *media.Packet
	missed atomic.Bool // a packet did not fit into the inbox

	mu      sync.Mutex
	viewers []*viewer
	over    bool

	// What follows is owned by the goroutine of Run.
	rungs []*rung
	now   time.Time
}

// rung is the state of one rendition.
type rung struct {
	Rung
	index  int      // from the lowest bitrate
	sets   [][]byte // parameter sets of the track
	broken bool     // packets were lost; wait for a keyframe

	wanted bool      // a keyframe, by a viewer
	asked  time.Time // the encoder for one, last
	keyed  time.Time // last keyframe
}

// NewProgram is a program that is not on air before Run.
func (s *Server) NewProgram(config ProgramConfig) *Program {
	config.Rungs = slices.Clone(config.Rungs)
	p := &Program{server: s, config: config, inbox: make(chan *media.Packet, inboxLength)}
	slices.SortStableFunc(config.Rungs, func(a, b Rung) int { return cmp.Compare(a.Bitrate, b.Bitrate) })
	for _, r := range config.Rungs {
		if r.Track.Codec == media.H264 {
			p.rungs = append(p.rungs, &rung{Rung: r, index: len(p.rungs), sets: parameterSets(r.Track.Config)})
		}
	}
	return p
}

// Run puts the program on air until the context ends; then its viewers are
// sent away.
func (p *Program) Run(ctx context.Context) error {
	if err := p.server.enter(p); err != nil {
		return fmt.Errorf("put %q on air: %w", p.config.Resource, err)
	}
	defer p.finish()
	for {
		select {
		case <-ctx.Done():
			return nil
		case packet := <-p.inbox:
			p.now = time.Now()
			p.hand(packet)
		}
	}
}

// finish takes the program off the air.
func (p *Program) finish() {
	p.server.leave(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	for _, v := range p.viewers {
		close(v.gone)
	}
	p.viewers = nil
}

// Write is media.Sink's.
func (p *Program) Write(packet *media.Packet) {
	select {
	case p.inbox <- packet:
	default:
		p.missed.Store(true)
		p.server.counters.dropped.Add(1)
	}
}

// hand gives a packet to the viewers that have its rendition.
func (p *Program) hand(packet *media.Packet) {
	if p.missed.Swap(false) {
		for _, r := range p.rungs {
			r.broken = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.viewers) == 0 {
		p.note(packet)
		return
	}
	if p.config.Audio != nil && packet.Track.ID == p.config.Audio.ID && packet.Track.Codec == media.Opus {
		f := &frame{rung: soundRung, timestamp: uint32(packet.PTS.Ticks(opusRate)), payloads: [][]byte{packet.Data}, size: len(packet.Data)}
		for _, v := range p.viewers {
			v.hear(f)
		}
		return
	}
	r := p.note(packet)
	if r == nil || r.broken || len(packet.Data) == 0 {
		return
	}
	f := &frame{rung: r.index, key: packet.Key, timestamp: uint32(packet.PTS.Ticks(videoRate))}
	f.payloads = packetize(packet.Data, r.setsFor(packet))
	for _, payload := range f.payloads {
		f.size += len(payload)
	}
	for _, v := range p.viewers {
		if v.see(f) {
			r.wanted = true
		}
	}
	p.request(r)
}

// note follows a rung's track and keyframes; nil: the packet is of none.
func (p *Program) note(packet *media.Packet) *rung {
	i := slices.IndexFunc(p.rungs, func(r *rung) bool { return r.ID == packet.Track.ID })
	if i < 0 {
		return nil
	}
	r := p.rungs[i]
	if packet.Track != r.Track {
		r.Track, r.sets = packet.Track, parameterSets(packet.Track.Config)
	}
	if packet.Key {
		r.keyed, r.wanted, r.broken = p.now, false, false
	}
	return r
}

// setsFor are the parameter sets to send before a packet.
func (r *rung) setsFor(packet *media.Packet) [][]byte {
	if !packet.Key {
		return nil
	}
	return r.sets
}

// request asks the encoder for a keyframe where a viewer wants one.
func (p *Program) request(r *rung) {
	if !r.wanted || p.config.RequestKey == nil || p.now.Sub(r.keyed) < keyRecent || p.now.Sub(r.asked) < keyInterval {
		return
	}
	r.asked, r.wanted = p.now, false
	p.server.counters.keys.Add(1)
	p.config.RequestKey(r.ID)
}

// join lets a connected viewer have what comes; false: the program is over.
func (p *Program) join(v *viewer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return false
	}
	p.viewers = append(p.viewers, v)
	return true
}

func (p *Program) part(v *viewer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.viewers = slices.DeleteFunc(p.viewers, func(other *viewer) bool { return other == v })
}
