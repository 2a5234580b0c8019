package rtc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/rtc"
	"millrace/internal/rtc/rtctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bare is a session that does nothing with its media, and tells its end.
type bare struct {
	peer *rtc.Peer
	over chan error
}

func (b *bare) Peer() *rtc.Peer { return b.peer }

func (b *bare) Run(ctx context.Context) error {
	<-ctx.Done()
	b.over <- context.Cause(ctx)
	return nil
}

// place is an endpoint with bare sessions.
type place struct {
	transport *rtc.Transport
	endpoint  *rtc.Endpoint
	base      string
	over      chan error
	peers     chan *rtc.Peer

	mu   sync.Mutex
	asks []rtc.Request
}

const goodKey = "abcdefghij0123456789"

func newPlace(t *testing.T, transport func(*rtc.Config), endpoint func(*rtc.EndpointConfig)) *place {
	t.Helper()
	p := &place{transport: rtctest.Transport(t, transport), over: make(chan error, 1000), peers: make(chan *rtc.Peer, 1000)}
	config := rtc.EndpointConfig{Transport: p.transport, Prefix: "/whip/", Authorize: p.authorize, Open: p.open}
	if endpoint != nil {
		endpoint(&config)
	}
	p.endpoint = rtc.NewEndpoint(config)
	p.base = rtctest.Serve(t, p.endpoint)
	return p
}

func (p *place) authorize(r rtc.Request) error {
	p.mu.Lock()
	p.asks = append(p.asks, r)
	p.mu.Unlock()
	switch {
	case r.Resource == "broken":
		return errors.New("the disk is full")
	case r.Token != goodKey:
		return rtc.Refuse(http.StatusUnauthorized, "wrong or missing key")
	}
	return nil
}

func (p *place) open(r rtc.Request, o *rtc.Offer) (rtc.Session, error) {
	config := rtc.PeerConfig{Request: r, Offer: o}
	for i := range o.Media {
		config.Choices = append(config.Choices, rtc.Choice{Media: &o.Media[i], Codecs: o.Media[i].Codecs})
	}
	peer, err := p.transport.NewPeer(config)
	if err != nil {
		return nil, err
	}
	p.peers <- peer
	return &bare{peer, p.over}, nil
}

// publisher is a client that would send audio and video.
func publisher(t *testing.T, o rtctest.Options) *webrtc.PeerConnection {
	t.Helper()
	pc := rtctest.NewPeer(t, o)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		mime := webrtc.MimeTypeOpus
		if kind == webrtc.RTPCodecTypeVideo {
			mime = webrtc.MimeTypeH264
		}
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, kind.String(), "stream")
		require.NoError(t, err)
		_, err = pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		require.NoError(t, err)
	}
	return pc
}

func offer(t *testing.T) string {
	t.Helper()
	return rtctest.Offer(t, publisher(t, rtctest.Options{}))
}

func post(t *testing.T, p *place, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	header = append([]string{"Content-Type", "application/sdp", "Authorization", "Bearer " + goodKey}, header...)
	return rtctest.Do(t, http.MethodPost, p.base+path, body, header...)
}

// swap replaces in an offer, and wants to.
func swap(t *testing.T, text, old, with string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.ReplaceAll(text, old, with)
}
