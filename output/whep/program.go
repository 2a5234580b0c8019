package whep

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/delay"
	"millrace/internal/media"
	"millrace/internal/rtc"
)

// errReordered is said of pictures that come in another order than they are
// shown in: browsers show them as they come.
var errReordered = rtc.Refuse(http.StatusUnprocessableEntity,
	"the source has B-frames, which browsers do not play over WebRTC: switch them off in the encoder (x264: tune=zerolatency or bf=0)")

// Rung is a video rendition that viewers may be given.
type Rung struct {
	ID      string // of its tracks
	Track   *media.Track
	Bitrate int // bits per second
}

// ProgramConfig is what a Program is made of.
type ProgramConfig struct {
	Resource string       // that viewers ask for: "main" is /whep/main
	Rungs    []Rung       // of one codec; none: there is no picture
	Audio    *media.Track // Opus; nil: there is no sound

	// NoVideo and NoAudio tell viewers why there is none; empty: just that.
	NoVideo, NoAudio string

	// Replay gives who joins what came since the last keyframe, and who lost his
	// picture where no keyframe can be asked for.
	Replay bool

	// RequestKey asks the encoder of a rung for a keyframe, once a second at
	// most, and says whether that makes any; it must not wait. nil: it does not.
	RequestKey func(rung string) bool
	// Sent takes how long after their PTS pictures went out; nil: it is not measured.
	Sent *delay.Window

	// Watched hears when the first viewer comes and when the last one has gone,
	// in turns. It must not wait, nor call back. nil: nobody asks.
	Watched func(bool)
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

	refusal atomic.Pointer[rtc.Refusal] // of viewers; nil: they are let in

	mu      sync.Mutex
	viewers []*viewer
	over    bool
	replay  replay

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

	newest media.Time // PTS of the last packet; 0: none
	wanted bool       // a keyframe, by a viewer
	deaf   bool       // the encoder makes none when asked
	asked  time.Time  // the encoder for one, last
	keyed  time.Time  // last keyframe
}

// NewProgram is a program that is not on air before Run.
func (s *Server) NewProgram(config ProgramConfig) *Program {
	config.Rungs = slices.Clone(config.Rungs)
	p := &Program{server: s, config: config, inbox: make(chan *media.Packet, inboxLength)}
	slices.SortStableFunc(config.Rungs, func(a, b Rung) int { return cmp.Compare(a.Bitrate, b.Bitrate) })
	for _, r := range config.Rungs {
		p.rungs = append(p.rungs, &rung{Rung: r, index: len(p.rungs), sets: setsOf(r.Track), deaf: config.RequestKey == nil})
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
	p.dismiss()
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
		p.breakOff()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
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
	if p.config.Replay {
		p.replay.keep(packet)
	}
	if len(p.viewers) == 0 {
		return
	}
	f := r.frame(packet)
	for _, v := range p.viewers {
		if v.see(f, r.deaf) {
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
		r.Track, r.sets = packet.Track, setsOf(packet.Track)
	}
	if packet.Key {
		r.keyed, r.wanted, r.broken = p.now, false, false
	}
	if packet.PTS < r.newest && !packet.Key && r.Track.Codec == media.H264 {
		p.refuse(errReordered)
	}
	r.newest = packet.PTS
	return r
}

// breakOff says that packets were lost: all wait for a keyframe.
func (p *Program) breakOff() {
	for _, r := range p.rungs {
		r.broken = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replay.clear()
}

// refuse sends viewers away, and those that come; p is locked.
func (p *Program) refuse(why *rtc.Refusal) {
	if p.refusal.Swap(why) == nil {
		p.dismiss()
	}
}

// dismiss sends all viewers away; p is locked.
func (p *Program) dismiss() {
	if len(p.viewers) == 0 {
		return
	}
	for _, v := range p.viewers {
		close(v.gone)
	}
	p.viewers = nil
	p.tell(0)
}

// frame makes RTP payloads of a packet.
func (r *rung) frame(packet *media.Packet) *frame {
	f := &frame{rung: r.index, key: packet.Key, timestamp: uint32(packet.PTS.Ticks(videoRate)), due: packet.PTS}
	f.payloads = payloadsOf(packet, r.setsFor(packet))
	for _, payload := range f.payloads {
		f.size += len(payload)
	}
	return f
}

// setsFor are the parameter sets to send before a packet.
func (r *rung) setsFor(packet *media.Packet) [][]byte {
	if !packet.Key {
		return nil
	}
	return r.sets
}

// measure notes that a picture has gone out; what is sent again to one who
// comes says nothing.
func (p *Program) measure(due media.Time) {
	if p.config.Sent == nil || due == 0 {
		return
	}
	now := p.server.config.Clock.Now()
	if took := now.Sub(due); took < time.Second {
		p.config.Sent.Add(now, took)
	}
}

// request asks the encoder for a keyframe where a viewer wants one.
func (p *Program) request(r *rung) {
	if !r.wanted || p.config.RequestKey == nil || p.now.Sub(r.keyed) < keyRecent || p.now.Sub(r.asked) < keyInterval {
		return
	}
	r.asked, r.wanted = p.now, false
	if r.deaf = !p.config.RequestKey(r.ID); !r.deaf {
		p.server.counters.keys.Add(1)
	}
}

// join lets a connected viewer have what comes; false: the program is over.
func (p *Program) join(v *viewer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.refusal.Load() != nil {
		return false
	}
	if p.config.Replay && len(p.rungs) > 0 {
		v.rejoin(p.rungs[0], &p.replay)
		v.replayed = time.Now()
	}
	p.viewers = append(p.viewers, v)
	p.tell(1)
	return true
}

func (p *Program) part(v *viewer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.viewers)
	p.viewers = slices.DeleteFunc(p.viewers, func(other *viewer) bool { return other == v })
	if len(p.viewers) < before {
		p.tell(0)
	}
}

// tell says that there are viewers, or none, when there are exactly so many; p is
// locked.
func (p *Program) tell(viewers int) {
	if p.config.Watched != nil && len(p.viewers) == viewers {
		p.config.Watched(viewers > 0)
	}
}
