package whep

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"millrace/internal/media"
	"millrace/internal/rtc"
)

const (
	queueLength    = 64 // frames of picture and sound that wait for one viewer: half a second
	feedbackLength = 32
	reportInterval = time.Second
)

// errOver is why viewers are sent away with their program.
var errOver = errors.New("the program is over")

// viewer is one session.
type viewer struct {
	program      *Program
	peer         *rtc.Peer
	video, audio *sender
	queue        chan *frame
	feedback     chan rtcp.Packet
	gone         chan struct{} // closed when the program is over

	target atomic.Int32 // rung that the viewer is to have
	key    atomic.Bool  // the viewer asks for a keyframe

	// Owned by the goroutine of the program, or by who joins.
	rung     int       // that it gets; noRung: none yet
	skip     bool      // to the next keyframe
	replayed time.Time // last

	// Owned by the goroutine of Run.
	pacer    pacer
	estimate *estimator
	number   uint16 // transport-wide
	outbox   []outgoing
}

const noRung = -2

// outgoing is a packet on its way.
type outgoing struct {
	sender    *sender
	timestamp uint32
	marker    bool
	payload   []byte
	due       media.Time // of a frame's last packet, its PTS; else 0
}

// newViewer answers an offer.
func newViewer(p *Program, r rtc.Request, offer *rtc.Offer) (*viewer, error) {
	choices, err := p.choose(offer)
	if err != nil {
		return nil, err
	}
	v := &viewer{
		program: p, rung: noRung, queue: make(chan *frame, queueLength), feedback: make(chan rtcp.Packet, feedbackLength),
		gone: make(chan struct{}), estimate: newEstimator(p.bitrates()),
	}
	v.target.Store(int32(v.estimate.rung))
	v.pacer.follow(v.estimate.bitrate())
	v.peer, err = p.server.config.Transport.NewPeer(rtc.PeerConfig{
		Request: r, Offer: offer, Choices: choices, Extensions: []string{congestionURI},
		Prepare: func(pc *webrtc.PeerConnection) error { return v.prepare(pc, offer) },
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// bitrates are those of the rungs, ascending.
func (p *Program) bitrates() []int {
	var list []int
	for _, r := range p.rungs {
		list = append(list, r.Bitrate)
	}
	return list
}

// prepare adds the tracks that the viewer wants and the program has.
func (v *viewer) prepare(pc *webrtc.PeerConnection, offer *rtc.Offer) error {
	for _, m := range offer.Media {
		s := newSender(webrtc.RTPCodecTypeAudio)
		switch {
		case m.Kind == media.Video && len(v.program.rungs) > 0:
			s.kind = webrtc.RTPCodecTypeVideo
			v.video = s
		case m.Kind == media.Audio && v.program.config.Audio != nil:
			v.audio = s
		default:
			continue
		}
		if _, err := pc.AddTransceiverFromTrack(s, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			return err
		}
	}
	return nil
}

// Peer is rtc.Session's.
func (v *viewer) Peer() *rtc.Peer { return v.peer }

// see takes a frame of any rung, in the program's goroutine, without waiting.
// deaf: its encoder makes no keyframes when asked. wants: the viewer needs a
// keyframe of this rung.
func (v *viewer) see(f *frame, deaf bool) (wants bool) {
	if v.video == nil {
		return false
	}
	target := int(v.target.Load())
	if f.rung == target && f.key {
		if v.rung != target && v.rung != noRung {
			v.program.server.counters.switches.Add(1)
		}
		v.rung, v.skip = target, false
		v.key.Store(false)
	}
	switch {
	case v.program.config.Replay:
		wants = v.key.Load()
		if deaf && v.key.Load() && v.program.replayTo(v) {
			return false // this frame is in it
		}
	case f.rung == target && (v.rung == noRung || target < v.rung || v.key.Swap(false)):
		wants = true
	} // who is too slow waits for the next: the others would pay for one of his own (F37)
	if f.rung != v.rung || v.skip {
		return wants
	}
	select {
	case v.queue <- f:
		v.program.server.counters.frames.Add(1)
	default:
		v.skip = true
		v.program.server.counters.dropped.Add(1)
	}
	return wants
}

// hear takes a packet of sound.
func (v *viewer) hear(f *frame) {
	if v.audio == nil {
		return
	}
	select {
	case v.queue <- f:
	default:
		v.program.server.counters.dropped.Add(1)
	}
}

// Run is rtc.Session's.
func (v *viewer) Run(ctx context.Context) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	defer v.peer.Close()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-v.peer.Connected():
	}
	for _, s := range []*sender{v.video, v.audio} {
		if s != nil && s.bound {
			readers.Go(func() { v.listen(s) })
		}
	}
	if !v.program.join(v) {
		return errOver
	}
	defer v.program.part(v)
	return v.serve(ctx)
}

func (v *viewer) serve(ctx context.Context) error {
	reports := time.NewTicker(reportInterval)
	defer reports.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		queue := v.queue
		if len(v.outbox) > 0 {
			queue = nil // first what is on its way
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-v.gone:
			return errOver
		case f := <-queue:
			v.pack(f)
		case p := <-v.feedback:
			v.hearBack(p, time.Now())
		case <-timer.C:
		case now := <-reports.C:
			v.report()
			v.adapt(now)
		}
		now := time.Now()
		if len(v.outbox) > 1 {
			v.peer.Together(func() { v.send(now) })
		} else {
			v.send(now)
		}
		if len(v.outbox) > 0 {
			timer.Reset(v.pacer.wait(now, len(v.outbox[0].payload)))
		}
	}
}

// pack puts a frame's packets into the outbox.
func (v *viewer) pack(f *frame) {
	for _, earlier := range f.replay {
		v.pack(earlier)
	}
	s := v.video
	if f.rung == soundRung {
		s = v.audio
	}
	if !s.bound {
		return
	}
	timestamp := s.stamp(f.timestamp)
	for i, payload := range f.payloads {
		o := outgoing{sender: s, timestamp: timestamp, payload: payload}
		if f.rung != soundRung && i == len(f.payloads)-1 {
			o.marker, o.due = true, f.due
		}
		v.outbox = append(v.outbox, o)
	}
}

// send sends as much of the outbox as the pace allows.
func (v *viewer) send(now time.Time) {
	sent, size := 0, 0
	for _, o := range v.outbox {
		if !v.pacer.allow(now, len(o.payload)) {
			break
		}
		v.number++
		v.estimate.sent(v.number, len(o.payload), now)
		_ = o.sender.write(o.timestamp, o.marker, o.payload, v.number) // lost, as on the wire
		v.program.measure(o.due)
		sent++
		size += len(o.payload)
	}
	if sent == 0 {
		return
	}
	left := copy(v.outbox, v.outbox[sent:])
	clear(v.outbox[left:])
	v.outbox = v.outbox[:left]
	c := &v.program.server.counters
	c.packets.Add(uint64(sent))
	c.bytes.Add(uint64(size))
}

// report tells the viewer which instant of the timeline each stream's clock
// shows, so that it plays picture and sound together (RFC 3550 §6.4.1).
func (v *viewer) report() {
	now := v.program.server.config.Clock.Now()
	var reports []rtcp.Packet
	for _, s := range []*sender{v.video, v.audio} {
		if s == nil || !s.begun {
			continue
		}
		rate := int64(videoRate)
		if s == v.audio {
			rate = opusRate
		}
		reports = append(reports, &rtcp.SenderReport{
			SSRC: s.header.SSRC, NTPTime: ntpTime(now), RTPTime: uint32(now.Ticks(rate)), PacketCount: s.packets, OctetCount: s.octets,
		})
	}
	if len(reports) > 0 {
		_ = v.peer.WriteRTCP(reports...) // lost, as on the wire
	}
}

// ntpTime is an instant in NTP's 64-bit format.
func ntpTime(t media.Time) uint64 {
	const since1900 = 2_208_988_800 // seconds until the Unix epoch
	u := t.UTC()
	return uint64(u.Unix()+since1900)<<32 | uint64(u.Nanosecond())<<32/uint64(time.Second)
}

// adapt chooses the rung by what the network carries.
func (v *viewer) adapt(now time.Time) {
	v.estimate.tick(now)
	v.target.Store(int32(v.estimate.rung))
	v.pacer.follow(v.estimate.bitrate())
}
