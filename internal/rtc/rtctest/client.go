// Package rtctest is the other end for tests: a transport on loopback and a
// WHIP or WHEP client.
package rtctest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"millrace/internal/rtc"
)

// Wait is how long a test waits for what must happen.
const Wait = 20 * time.Second

// Transport runs a transport on a free port of loopback until the test ends.
func Transport(t testing.TB, change func(*rtc.Config)) *rtc.Transport {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	config := rtc.Config{UDP: udp, TCP: tcp}
	if change != nil {
		change(&config)
	}
	transport := rtc.New(config)
	stops.Store(transport, Run(t, transport.Run))
	require.Eventually(t, func() bool { return transport.Running() }, Wait, time.Millisecond)
	return transport
}

// stops holds how each transport is stopped.
var stops sync.Map

// Stop ends a transport before the test ends.
func Stop(t testing.TB, transport *rtc.Transport) {
	t.Helper()
	stop, ok := stops.Load(transport)
	require.True(t, ok)
	stop.(func())()
}

// Run runs something until the test ends, and wants it to end well.
func Run(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	ended := false
	stop = func() {
		cancel()
		if ended {
			return
		}
		ended = true
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(Wait):
			t.Error("Run did not return")
		}
	}
	t.Cleanup(stop)
	return stop
}

// Serve serves a handler on loopback and gives its address.
func Serve(t testing.TB, handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// Do makes a request; header is pairs of names and values.
func Do(t testing.TB, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Wait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response, string(answer)
}

// Options of a client.
type Options struct {
	Codecs       []webrtc.RTPCodecParameters // video and Opus; nil: pion's own
	Interceptors []interceptor.Factory       // nil: pion's own
	Congestion   bool                        // the interceptors want transport-wide numbers
	TCP          bool                        // over ICE-TCP only
	Role         webrtc.DTLSRole             // that it wants; 0: either
}

// NewPeer is a client's peer connection, closed when the test ends.
func NewPeer(t testing.TB, o Options) *webrtc.PeerConnection {
	t.Helper()
	m := &webrtc.MediaEngine{}
	registry := &interceptor.Registry{}
	if o.Codecs == nil {
		require.NoError(t, m.RegisterDefaultCodecs())
	}
	for _, c := range o.Codecs {
		kind := webrtc.RTPCodecTypeVideo
		if strings.HasPrefix(c.MimeType, "audio/") {
			kind = webrtc.RTPCodecTypeAudio
		}
		require.NoError(t, m.RegisterCodec(c, kind))
	}
	for _, f := range o.Interceptors {
		registry.Add(f)
	}
	if o.Congestion {
		require.NoError(t, webrtc.ConfigureTWCCHeaderExtensionSender(m, registry))
	}
	require.NoError(t, webrtc.RegisterDefaultInterceptors(m, registry))
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	if o.TCP {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	} else {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(s)).
		NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pc.GracefulClose()) })
	return pc
}

// Client is a WHIP or WHEP client with a session.
type Client struct {
	*webrtc.PeerConnection
	URL, ETag string // of the session
	connected chan struct{}
}

// Offer is the peer's complete offer.
func Offer(t testing.TB, pc *webrtc.PeerConnection) string {
	t.Helper()
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(t, pc.SetLocalDescription(offer))
	<-gathered
	return pc.LocalDescription().SDP
}

// Connect makes a session at the URL.
func Connect(t testing.TB, pc *webrtc.PeerConnection, base, path, key string) *Client {
	t.Helper()
	return ConnectWith(t, pc, Offer(t, pc), base, path, key)
}

// ConnectWith is Connect with another offer than the peer's.
func ConnectWith(t testing.TB, pc *webrtc.PeerConnection, offer, base, path, key string) *Client {
	t.Helper()
	return connect(t, pc, offer, base, path, key, func(answer string) string { return answer })
}

func connect(t testing.TB, pc *webrtc.PeerConnection, offer, base, path, key string, change func(string) string) *Client {
	t.Helper()
	c := &Client{PeerConnection: pc, connected: make(chan struct{})}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			select {
			case <-c.connected:
			default:
				close(c.connected)
			}
		}
	})
	response, answer := Do(t, http.MethodPost, base+path, offer, "Content-Type", "application/sdp", "Authorization", "Bearer "+key)
	require.Equal(t, http.StatusCreated, response.StatusCode, answer)
	require.Equal(t, "application/sdp", response.Header.Get("Content-Type"))
	c.URL, c.ETag = base+response.Header.Get("Location"), response.Header.Get("ETag")
	require.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: change(answer)}), answer)
	return c
}

// UntilConnected waits until media can flow.
func (c *Client) UntilConnected(t testing.TB) {
	t.Helper()
	select {
	case <-c.connected:
	case <-time.After(Wait):
		require.Fail(t, "not connected", "%v", c.ICEConnectionState())
	}
}

// Slow posts one byte of a body that never ends, and gives the answer's status.
func Slow(t testing.TB, url, kind, key string) (status int, header http.Header) {
	t.Helper()
	reader, writer := io.Pipe()
	defer writer.Close()
	go func() { _, _ = writer.Write([]byte("v")) }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, reader)
	require.NoError(t, err)
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Wait}).Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, response.Header
}
