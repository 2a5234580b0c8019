package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

const (
	offerType    = "application/sdp"
	fragmentType = "application/trickle-ice-sdpfrag"
	connectLimit = 15 * time.Second
)

// peer is a WHIP or WHEP client of our own.
type peer struct {
	*webrtc.PeerConnection
	socket    *cuttable
	offer     string
	session   string // URL; empty: none
	etag      string
	answer    string
	connected chan struct{}
	arrived   atomic.Int64                   // RTP packets that came, or of those sent, that the server says came
	delays    delays                         // of what came
	sound     *webrtc.TrackLocalStaticSample // that is sent; nil: none
}

// cuttable is a UDP socket whose path can be cut.
type cuttable struct {
	net.PacketConn
	cut atomic.Bool
}

func (c *cuttable) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil || !c.cut.Load() {
			return n, from, err
		}
	}
}

func (c *cuttable) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.cut.Load() {
		return len(b), nil
	}
	return c.PacketConn.WriteTo(b, to)
}

// newPeer makes an offer of audio and video, complete with its candidates.
func newPeer(sends bool) (*peer, error) {
	conn, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return nil, fmt.Errorf("open port: %w", err)
	}
	p := &peer{socket: &cuttable{PacketConn: conn}, connected: make(chan struct{})}
	settings := webrtc.SettingEngine{LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}}
	settings.SetICEUDPMux(ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: p.socket, Logger: settings.LoggerFactory.NewLogger("udp")}))
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetIncludeLoopbackCandidate(true)
	codecs := &webrtc.MediaEngine{}
	if err := codecs.RegisterDefaultCodecs(); err != nil {
		return nil, fmt.Errorf("register codecs: %w", err)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(codecs), webrtc.WithSettingEngine(settings))
	if p.PeerConnection, err = api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle}); err != nil {
		return nil, fmt.Errorf("make peer: %w", err)
	}
	p.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			select {
			case <-p.connected:
			default:
				close(p.connected)
			}
		}
	})
	if sends {
		err = p.publish()
	} else {
		err = p.receive()
	}
	if err == nil {
		p.offer, err = p.describe(nil)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *peer) describe(options *webrtc.OfferOptions) (string, error) {
	offer, err := p.CreateOffer(options)
	if err != nil {
		return "", fmt.Errorf("make offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.PeerConnection)
	if err := p.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("take own offer: %w", err)
	}
	<-gathered
	return p.LocalDescription().SDP, nil
}

// publish adds a microphone and a camera that shows nothing.
func (p *peer) publish() error {
	for _, mime := range []string{webrtc.MimeTypeOpus, webrtc.MimeTypeVP8} {
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, strings.SplitN(mime, "/", 2)[0], "conformance")
		if err != nil {
			return fmt.Errorf("make track: %w", err)
		}
		transceiver, err := p.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return fmt.Errorf("add track: %w", err)
		}
		if mime == webrtc.MimeTypeOpus {
			p.sound = track
			go p.hearReports(transceiver.Sender()) // ends with the peer
		}
	}
	return nil
}

// hearReports counts what the server says that it got.
func (p *peer) hearReports(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if report, ok := packet.(*rtcp.ReceiverReport); ok {
				for _, block := range report.Reports {
					p.arrived.Store(int64(block.LastSequenceNumber))
				}
			}
		}
	}
}

// receive wants audio and video.
func (p *peer) receive() error {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := p.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return fmt.Errorf("add transceiver: %w", err)
		}
	}
	p.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		video := track.Kind() == webrtc.RTPCodecTypeVideo
		if video {
			go p.delays.hear(receiver) // ends with the peer
		}
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			p.arrived.Add(1)
			if video && packet.Marker {
				p.delays.see(packet.Timestamp, time.Now())
			}
		}
	})
	return nil
}

// say sends sound until the context ends: 20 ms of silence each.
func (p *peer) say(ctx context.Context) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if p.sound.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}) != nil {
				return
			}
		}
	}
}

// accept applies the answer and waits for the connection.
func (p *peer) accept(ctx context.Context) error {
	if err := p.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: p.answer}); err != nil {
		return fmt.Errorf("take answer: %w", err)
	}
	timer := time.NewTimer(connectLimit)
	defer timer.Stop()
	select {
	case <-p.connected:
		return nil
	case <-timer.C:
		return fmt.Errorf("no connection within %v", connectLimit)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *peer) close() {
	_ = p.PeerConnection.Close() // of a test's client there is nothing to save
	_ = p.socket.Close()
}

// delays are how long pictures took, from the time that sender reports give
// them.
type delays struct {
	mu     sync.Mutex
	ntp    time.Time
	rtp    uint32
	values []time.Duration
}

func (d *delays) hear(receiver *webrtc.RTPReceiver) {
	for {
		packets, _, err := receiver.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if report, ok := packet.(*rtcp.SenderReport); ok {
				const since1900 = 2_208_988_800
				seconds, fraction := int64(report.NTPTime>>32)-since1900, int64(report.NTPTime&0xffffffff)
				d.mu.Lock()
				d.ntp, d.rtp = time.Unix(seconds, fraction*int64(time.Second)>>32), report.RTPTime
				d.mu.Unlock()
			}
		}
	}
}

func (d *delays) see(timestamp uint32, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ntp.IsZero() {
		at := d.ntp.Add(time.Duration(int32(timestamp-d.rtp)) * time.Second / 90000)
		d.values = append(d.values, now.Sub(at))
	}
}

// send makes a request with a body.
func (c *Client) send(ctx context.Context, method, url, body string, headers ...string) *Answer {
	a := &Answer{URL: url, Asked: time.Now()}
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		a.Err = fmt.Errorf("make request: %w", err)
		return a
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] != "" {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := c.http.Do(request)
	a.First, a.Done = time.Now(), time.Now()
	if err != nil {
		a.Err = fmt.Errorf("ask: %w", err)
		return a
	}
	defer response.Body.Close()
	a.Status, a.Header, a.Proto = response.StatusCode, response.Header, response.Proto
	a.read(response.Body)
	a.Done = time.Now()
	return a
}
