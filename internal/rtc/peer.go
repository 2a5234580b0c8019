package rtc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// PeerConfig is what a Peer is made of.
type PeerConfig struct {
	Request Request
	Offer   *Offer
	Choices []Choice // one for each section of the offer, in its order
	// Extensions are the URIs of RTP header extensions that are used where the
	// client offers them.
	Extensions   []string
	Interceptors []interceptor.Factory

	// Prepare adds tracks and callbacks before the offer is applied.
	Prepare func(*webrtc.PeerConnection) error
}

// Peer is one connection. Its methods may be called from any goroutine.
type Peer struct {
	transport *Transport
	config    PeerConfig
	port      int
	pc        *webrtc.PeerConnection
	gathered  chan struct{} // one for each end of gathering

	connected, gone chan struct{}
	connect         func()
	once            sync.Once
	why             error // set before gone is closed

	socket *socket
	route  atomic.Pointer[batch] // to the client over UDP; nil: unknown, or over TCP

	mu          sync.Mutex
	credentials credentials // the client's
	version     uint64      // of the offer that pion has
	answer      string
	heard       int // candidates taken
	streams     []Stream
}

// Stream is an RTP stream that a client sends in a section.
type Stream struct {
	MID  string
	SSRC uint32
}

const gatherTimeout = 5 * time.Second

// NewPeer answers an offer. Its errors are Refusals where the offer is at
// fault. The caller closes the peer.
func (t *Transport) NewPeer(config PeerConfig) (*Peer, error) {
	ports, certificate, err := t.running()
	if err != nil {
		return nil, err
	}
	pc, err := t.connection(ports, certificate, config)
	if err != nil {
		return nil, err
	}
	p := &Peer{
		transport: t, config: config, pc: pc, socket: ports.socket, port: portOf(ports.socket.LocalAddr().String()),
		gathered: make(chan struct{}, 1), connected: make(chan struct{}), gone: make(chan struct{}),
		credentials: config.Offer.credentials,
	}
	p.connect = sync.OnceFunc(func() { close(p.connected) })
	pc.OnConnectionStateChange(p.changed)
	pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(p.follow)
	pc.OnICEGatheringStateChange(func(s webrtc.ICEGatheringState) {
		if s == webrtc.ICEGatheringStateComplete {
			select {
			case p.gathered <- struct{}{}:
			default:
			}
		}
	})
	if err := p.begin(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// connection makes pion's side.
func (t *Transport) connection(ports *ports, certificate webrtc.Certificate, config PeerConfig) (*webrtc.PeerConnection, error) {
	e, err := engine(config.Choices, config.Extensions)
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	for _, factory := range config.Interceptors {
		registry.Add(factory)
	}
	settings, err := t.settings(ports, config.Offer.passive)
	if err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(e), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{certificate}, BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return nil, fmt.Errorf("make peer connection: %w", err)
	}
	return pc, nil
}

func (t *Transport) settings(ports *ports, passive bool) (webrtc.SettingEngine, error) {
	const srtpWindow = 1024 // packets: a retransmission comes a round trip late
	e := webrtc.SettingEngine{LoggerFactory: t.log}
	e.SetICEUDPMux(ports.udp)
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if ports.tcp != nil {
		e.SetICETCPMux(ports.tcp)
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	e.SetNetworkTypes(networks)
	e.DisableActiveTCP(true)
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetIncludeLoopbackCandidate(ports.loopback())
	disconnected := t.config.Consent / 3
	e.SetICETimeouts(disconnected, t.config.Consent-disconnected, min(2*time.Second, disconnected/2))
	e.SetSRTPReplayProtectionWindow(srtpWindow)
	e.SetReceiveMTU(receiveMTU)
	if passive {
		return e, nil
	}
	// The client speaks first, and it can only once its address is validated.
	if err := e.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return e, fmt.Errorf("set DTLS role: %w", err)
	}
	return e, nil
}

// receiveMTU is the longest packet that is read whole, bytes.
const receiveMTU = 1600

// loopback says whether the port is reached over the loopback interface only.
func (p *ports) loopback() bool {
	a, err := netip.ParseAddrPort(p.socket.LocalAddr().String())
	return err == nil && (a.Addr().IsLoopback() || !hasAddress())
}

// begin applies the offer and writes the answer.
func (p *Peer) begin() error {
	if p.config.Prepare != nil {
		if err := p.config.Prepare(p.pc); err != nil {
			return err
		}
	}
	if err := p.negotiate(p.credentials, nil); err != nil {
		return err
	}
	p.hear(p.config.Offer.candidates)
	return nil
}

// negotiate takes the client's offer with the credentials and makes an answer.
// The caller holds mu or is alone.
func (p *Peer) negotiate(c credentials, known []Stream) error {
	text, err := p.config.Offer.description(withStreams(p.config.Choices, known), p.config.Extensions, c, p.version)
	if err != nil {
		return err
	}
	select {
	case <-p.gathered: // of the time before
	default:
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return unprocessable("offer not applicable: %v", err)
	}
	answer, err := p.pc.CreateAnswer(&webrtc.AnswerOptions{OfferAnswerOptions: webrtc.OfferAnswerOptions{ICETricklingSupported: true}})
	if err != nil {
		return unprocessable("offer not answerable: %v", err)
	}
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return unprocessable("answer not applicable: %v", err)
	}
	timer := time.NewTimer(gatherTimeout)
	defer timer.Stop()
	select {
	case <-p.gathered:
	case <-timer.C:
		return fmt.Errorf("gather candidates: nothing after %v", gatherTimeout)
	}
	local := p.pc.LocalDescription()
	if local == nil {
		return ErrLeft
	}
	p.answer, err = p.complete(local.SDP)
	return err
}

// complete puts all candidates, and those that are announced, into the first
// section, which the others are bundled with.
func (p *Peer) complete(answer string) (string, error) {
	var s sdp.SessionDescription
	if err := s.UnmarshalString(answer); err != nil {
		return "", fmt.Errorf("read own answer: %w", err)
	}
	var candidates []string
	for i, section := range s.MediaDescriptions {
		kept := section.Attributes[:0]
		for _, a := range section.Attributes {
			switch {
			case a.Key == "candidate" && i == 0:
				if fields := strings.Fields(a.Value); len(fields) > 1 && fields[1] == "1" { // RTCP needs none of its own
					candidates = append(candidates, a.Value)
				}
			case a.Key != "candidate" && a.Key != "end-of-candidates":
				kept = append(kept, a)
			}
		}
		section.Attributes = kept
		if idle := p.config.Choices[i].Idle; idle != "" {
			title := sdp.Information(idle)
			section.MediaTitle = &title
			section.Attributes = append(slices.DeleteFunc(section.Attributes, isDirection), sdp.Attribute{Key: "inactive"})
		}
	}
	candidates = append(candidates, announced(p.transport.config.Announce, p.port, p.transport.config.TCP != nil)...)
	first := s.MediaDescriptions[0]
	for _, c := range candidates {
		first.WithValueAttribute("candidate", c)
	}
	first.WithPropertyAttribute("end-of-candidates")
	text, err := s.Marshal()
	return string(text), err
}

// Answer is the SDP for the client.
func (p *Peer) Answer() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer
}

// changed follows pion's connection state.
func (p *Peer) changed(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateConnected:
		p.connect()
	case webrtc.PeerConnectionStateFailed:
		p.leave(ErrConsent)
	case webrtc.PeerConnectionStateClosed:
		p.leave(ErrLeft)
	}
}

// leave says that the connection is over; the first reason counts.
func (p *Peer) leave(why error) {
	p.once.Do(func() {
		p.why = why
		close(p.gone)
	})
}

// watch ends a session's context when the peer is gone or never came.
func (p *Peer) watch(ctx context.Context, s *seat, end context.CancelCauseFunc) {
	timer := time.NewTimer(p.transport.config.Connect)
	defer timer.Stop()
	select {
	case <-p.connected:
		s.settle()
	case <-p.gone:
		p.transport.counters.unconnected.Add(1)
		end(ErrUnconnected)
		return
	case <-timer.C:
		p.transport.counters.unconnected.Add(1)
		end(ErrUnconnected)
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-p.gone:
		if errors.Is(p.why, ErrConsent) {
			p.transport.counters.expired.Add(1)
		}
		end(p.why)
	case <-ctx.Done():
	}
}

// follow learns where the client is.
func (p *Peer) follow(pair *webrtc.ICECandidatePair) {
	p.route.Store(nil)
	if pair == nil || pair.Remote == nil || pair.Remote.Protocol != webrtc.ICEProtocolUDP {
		return
	}
	a, err := netip.ParseAddr(pair.Remote.Address)
	if err == nil {
		p.route.Store(&batch{to: netip.AddrPortFrom(a.Unmap(), pair.Remote.Port)})
	}
}

// Together sends what write sends in as few system calls as can be. Only one
// goroutine of a peer may be in it.
func (p *Peer) Together(write func()) {
	b := p.route.Load()
	if b == nil || !p.socket.hold(b) {
		write()
		return
	}
	defer p.socket.release(b)
	write()
}

// Connected is closed once media can flow.
func (p *Peer) Connected() <-chan struct{} { return p.connected }

// Declare says which streams the client was found to send, so that an ICE
// restart does not take them for gone.
func (p *Peer) Declare(s Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams = append(p.streams, s)
}

// WriteRTCP sends feedback or reports.
func (p *Peer) WriteRTCP(packets ...rtcp.Packet) error { return p.pc.WriteRTCP(packets) }

// RTT is the round trip of the connection as ICE measures it; 0: unknown.
func (p *Peer) RTT() time.Duration {
	transport := p.pc.SCTP().Transport().ICETransport()
	stats, ok := transport.GetSelectedCandidatePairStats()
	if !ok {
		return 0
	}
	return time.Duration(stats.CurrentRoundTripTime * float64(time.Second))
}

// Close ends the connection and waits for what serves it.
func (p *Peer) Close() {
	_ = p.pc.GracefulClose() // of a connection that is broken there is nothing to report
}
