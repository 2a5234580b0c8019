package whip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	reports "github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/internal/rtc"
)

const (
	queueLength = 256         // events that wait for the session's goroutine
	measureTime = time.Second // between looks at ICE's round trip
	maxTracks   = 8
)

// errRevoked is what a session ends with that its source ended without a word.
var errRevoked = errors.New("ended by the server")

// session is one publisher.
type session struct {
	server *Server
	peer   *rtc.Peer
	feed   ingest.Session
	offer  *rtc.Offer

	events chan event
	done   chan struct{} // closed when nobody reads events any more

	// What follows is owned by the goroutine of Run.
	began  time.Time
	tracks []*track
	layers layers // of video, where they are several
}

// event is something that arrived; one of its parts is set.
type event struct {
	track  *track
	packet *rtp.Packet
	report *report
	remote *webrtc.TrackRemote // a new track
	source *webrtc.RTPReceiver // of it
	at     time.Time
}

// newSession answers an offer.
func newSession(server *Server, r rtc.Request, offer *rtc.Offer) (*session, error) {
	choices, extensions, err := choose(offer)
	if err != nil {
		return nil, err
	}
	factories, err := interceptors()
	if err != nil {
		return nil, err
	}
	s := &session{server: server, offer: offer, events: make(chan event, queueLength), done: make(chan struct{})}
	s.peer, err = server.config.Transport.NewPeer(rtc.PeerConfig{
		Request: r, Offer: offer, Choices: choices, Extensions: extensions, Interceptors: factories,
		Prepare: func(pc *webrtc.PeerConnection) error {
			pc.OnTrack(func(remote *webrtc.TrackRemote, source *webrtc.RTPReceiver) {
				s.send(event{remote: remote, source: source})
			})
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// interceptors report what arrived: RTCP receiver reports and the feedback by
// which senders estimate the bandwidth (F19).
func interceptors() ([]interceptor.Factory, error) {
	received, err := reports.NewReceiverInterceptor()
	if err != nil {
		return nil, fmt.Errorf("make receiver reports: %w", err)
	}
	congestion, err := twcc.NewSenderInterceptor(twcc.SendInterval(50 * time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("make congestion feedback: %w", err)
	}
	return []interceptor.Factory{received, congestion}, nil
}

// Peer is rtc.Session's.
func (s *session) Peer() *rtc.Peer { return s.peer }

// send hands an event to the session's goroutine; false: it is over.
func (s *session) send(e event) bool {
	e.at = time.Now()
	select {
	case s.events <- e:
		return true
	case <-s.done:
		return false
	}
}

// Run is rtc.Session's.
func (s *session) Run(ctx context.Context) error {
	s.began = time.Now()
	var readers sync.WaitGroup
	err := s.serve(ctx, &readers)
	s.feed.Close(reason(err))
	close(s.done)
	s.peer.Close()
	readers.Wait()
	s.count()
	return err
}

// serve takes events until the session is over, and says why it is.
func (s *session) serve(ctx context.Context, readers *sync.WaitGroup) error {
	var revoked <-chan struct{}
	source, revocable := s.feed.(ingest.Revocable)
	if revocable {
		revoked = source.Revoked()
	}
	measure := time.NewTicker(measureTime)
	defer measure.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-revoked:
			return cmp.Or(source.Reason(), errRevoked)
		case e := <-s.events:
			s.take(e, readers)
		case <-timer.C:
		case <-measure.C:
			rtt := s.peer.RTT()
			for _, t := range s.tracks {
				t.jitter.floor = rtt
			}
			s.count()
		}
		timer.Reset(s.advance(time.Now()))
	}
}

func (s *session) take(e event, readers *sync.WaitGroup) {
	switch {
	case e.remote != nil:
		s.begin(e.remote, e.source, readers)
	case e.report != nil:
		e.track.clock.report(*e.report)
	default:
		e.track.put(e.packet, e.at)
	}
}

// advance hands on what is whole, asks for what is missing, and says after
// what time to look again.
func (s *session) advance(now time.Time) time.Duration {
	wake := measureTime
	elapsed := now.Sub(s.began)
	if sized, ok := s.feed.(ingest.Sized); ok {
		s.layers.choose(now, sized.Wanted())
	} else {
		s.layers.choose(now, ingest.Size{})
	}
	s.heedViewers()
	for _, t := range s.tracks {
		if t.rid == "" {
			t.drain(now, elapsed, s.feed.Write)
		} else {
			t.drain(now, elapsed, func(u ingest.AccessUnit) { s.layers.pass(t, u, s.feed.Write) })
		}
		if feedback := t.feedback(now); len(feedback) > 0 {
			_ = s.peer.WriteRTCP(feedback...) // lost, as on the wire
		}
		if at := t.jitter.wake(); !at.IsZero() {
			wake = min(wake, at.Sub(now))
		}
	}
	return max(wake, time.Millisecond)
}

// heedViewers lets the picture that passes want a keyframe when somebody who
// watches does.
func (s *session) heedViewers() {
	viewed, ok := s.feed.(ingest.Keyed)
	i := slices.IndexFunc(s.tracks, func(t *track) bool { return t.video() && t.pli && !t.over && t.role == passing })
	if ok && i >= 0 && viewed.KeyWanted() {
		s.tracks[i].wanted = true
	}
}

// begin makes a track of what the publisher begins to send, and its readers.
func (s *session) begin(remote *webrtc.TrackRemote, source *webrtc.RTPReceiver, readers *sync.WaitGroup) {
	kind := media.Audio
	if remote.Kind() == webrtc.RTPCodecTypeVideo {
		kind = media.Video
	}
	section := s.offer.Find(kind)
	if section == nil || len(s.tracks) >= maxTracks {
		return
	}
	if remote.RID() == "" {
		s.peer.Declare(rtc.Stream{MID: section.MID, SSRC: uint32(remote.SSRC())})
	}
	t := s.trackFor(remote, section)
	if t == nil {
		return
	}
	repair := t.ssrc != uint32(remote.SSRC())
	t.capture = extensionID(source, captureTime)
	readers.Go(func() { s.readPackets(t, remote, repair) })
	if !repair {
		readers.Go(func() { s.readReports(t, source) })
	}
}

// trackFor is a new track, or the one that a stream of retransmissions is for.
func (s *session) trackFor(remote *webrtc.TrackRemote, section *rtc.Media) *track {
	payloadType := uint8(cmp.Or(remote.PayloadType(), remote.Codec().PayloadType)) // of a layer it is known with its first packet
	for _, c := range section.Codecs {
		if c.PayloadType == payloadType {
			for _, older := range s.tracks {
				older.over = older.over || older.section == section && older.rid == remote.RID() // the publisher began again
			}
			t := newTrack(section, c, uint32(remote.SSRC()))
			s.tracks = append(s.tracks, t)
			if t.rid = remote.RID(); t.rid != "" {
				s.layers.add(t)
			}
			return t
		}
		if c.RTX != payloadType {
			continue
		}
		if i := slices.IndexFunc(s.tracks, func(t *track) bool { return t.section == section && !t.over }); i >= 0 {
			return s.tracks[i]
		}
	}
	return nil
}

// readPackets reads a stream until it ends. repair: it is one of
// retransmissions, which the offer did not name, so that pion does not unpack
// them (RFC 4588 §4).
func (s *session) readPackets(t *track, remote *webrtc.TrackRemote, repair bool) {
	buffer := make([]byte, 2048)
	for {
		n, _, err := remote.Read(buffer)
		if errors.Is(err, webrtc.ErrCodecNotFound) {
			continue
		}
		if err != nil {
			return
		}
		p := &rtp.Packet{}
		if p.Unmarshal(slices.Clone(buffer[:n])) != nil {
			continue
		}
		if repair {
			if len(p.Payload) < 2 {
				continue
			}
			p.SequenceNumber = uint16(p.Payload[0])<<8 | uint16(p.Payload[1])
			p.PayloadType, p.SSRC, p.Payload = t.codec.PayloadType, t.ssrc, p.Payload[2:]
		}
		if !s.send(event{track: t, packet: p}) {
			return
		}
	}
}

// readReports reads a stream's sender reports until it ends.
func (s *session) readReports(t *track, source *webrtc.RTPReceiver) {
	read := source.ReadRTCP
	if t.rid != "" {
		read = func() ([]rtcp.Packet, interceptor.Attributes, error) { return source.ReadSimulcastRTCP(t.rid) }
	}
	for {
		packets, _, err := read()
		if err != nil {
			return
		}
		for _, p := range packets {
			sr, ok := p.(*rtcp.SenderReport)
			if !ok || sr.SSRC != t.ssrc || sr.NTPTime == 0 {
				continue
			}
			if !s.send(event{track: t, report: &report{ntp: ntpTime(sr.NTPTime), rtp: sr.RTPTime}}) {
				return
			}
		}
	}
}

// count adds what happened since the last time to the server's counters.
func (s *session) count() {
	c := &s.server.counters
	for _, t := range s.tracks {
		now, told := t.counts(), t.told
		t.told = now
		c.packets.Add(now.Packets - told.Packets)
		c.late.Add(now.Late - told.Late)
		c.lost.Add(now.Lost - told.Lost)
		c.nacks.Add(now.NACKs - told.NACKs)
		c.plis.Add(now.PLIs - told.PLIs)
		c.dropped.Add(now.Dropped - told.Dropped)
		c.malformed.Add(now.Malformed - told.Malformed)
	}
}
