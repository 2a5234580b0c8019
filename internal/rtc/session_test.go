package rtc_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"millrace/internal/rtc"
	"millrace/internal/rtc/rtctest"
)

const fragmentType = "application/trickle-ice-sdpfrag"

func ends(t *testing.T, p *place, want ...error) {
	t.Helper()
	select {
	case got := <-p.over:
		require.Contains(t, want, got)
	case <-time.After(rtctest.Wait):
		require.Fail(t, "the session did not end")
	}
	require.Eventually(t, func() bool { return p.transport.Counters().Sessions == 0 && p.endpoint.Sessions() == 0 },
		rtctest.Wait, time.Millisecond, "its place is free")
}

// connected waits until both ends are.
func (p *place) connected(t *testing.T, client *rtctest.Client) {
	t.Helper()
	client.UntilConnected(t)
	select {
	case <-(<-p.peers).Connected():
	case <-time.After(rtctest.Wait):
		require.Fail(t, "the server's end is not connected")
	}
}

func TestSessionsConnect(t *testing.T) {
	cases := []struct {
		name   string
		client rtctest.Options
		change func(*testing.T, string) string
		answer string
	}{
		{name: "UDP"},
		{name: "ICE-TCP", client: rtctest.Options{TCP: true}},
		{name: "W20 setup:active", change: func(t *testing.T, o string) string { return swap(t, o, "a=setup:actpass", "a=setup:active") }},
		{name: "no candidates at all", change: func(_ *testing.T, o string) string {
			lines := strings.Split(o, "\r\n")
			kept := lines[:0]
			for _, line := range lines {
				if !strings.HasPrefix(line, "a=candidate") {
					kept = append(kept, line)
				}
			}
			return strings.Join(kept, "\r\n")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, func(c *rtc.Config) { c.Consent = 3 * time.Second }, nil)
			pc := publisher(t, c.client)
			text := rtctest.Offer(t, pc)
			if c.change != nil {
				text = c.change(t, text)
			}
			client := rtctest.ConnectWith(t, pc, text, p.base, "/whip/cam1", goodKey)
			p.connected(t, client)
			require.NoError(t, pc.GracefulClose())
			if c.client.TCP { // what was said last may be gone with the connection
				ends(t, p, rtc.ErrLeft, rtc.ErrConsent)
				return
			}
			ends(t, p, rtc.ErrLeft)
		})
	}
}

func TestW15DeleteEnds(t *testing.T) {
	p := newPlace(t, nil, nil)
	client := rtctest.Connect(t, publisher(t, rtctest.Options{}), p.base, "/whip/cam1", goodKey)
	p.connected(t, client)
	response, _ := rtctest.Do(t, http.MethodDelete, client.URL, "", "Authorization", "Bearer wrong")
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	response, _ = rtctest.Do(t, http.MethodDelete, strings.Replace(client.URL, "cam1", "cam2", 1), "")
	require.Equal(t, http.StatusNotFound, response.StatusCode, "another source's address")
	response, _ = rtctest.Do(t, http.MethodDelete, client.URL, "", "If-Match", `"stale"`)
	require.Equal(t, http.StatusOK, response.StatusCode, "If-Match is ignored")
	ends(t, p, rtc.ErrLeft)
	for _, method := range []string{http.MethodDelete, http.MethodPatch, http.MethodGet} {
		response, _ = rtctest.Do(t, method, client.URL, "")
		require.Equal(t, http.StatusNotFound, response.StatusCode, method)
	}
}

func TestW16ConsentExpires(t *testing.T) {
	p := newPlace(t, func(c *rtc.Config) { c.Consent = 1500 * time.Millisecond }, nil)
	proxy := rtctest.NewRelay(t)
	pc := publisher(t, rtctest.Options{})
	client := proxy.Connect(t, pc, p.base, "/whip/cam1", goodKey)
	p.connected(t, client)
	proxy.Cut()
	ends(t, p, rtc.ErrConsent)
	require.Equal(t, uint64(1), p.transport.Counters().Expired)
}

func TestF20WhatNeverConnectsIsEnded(t *testing.T) {
	p := newPlace(t, func(c *rtc.Config) { c.Connect = 100 * time.Millisecond }, nil)
	response, _ := post(t, p, "/whip/cam1", offer(t))
	require.Equal(t, http.StatusCreated, response.StatusCode)
	ends(t, p, rtc.ErrUnconnected)
	require.Equal(t, uint64(1), p.transport.Counters().Unconnected)
}

func TestF40DownEndsSessions(t *testing.T) {
	p := newPlace(t, nil, nil)
	client := rtctest.Connect(t, publisher(t, rtctest.Options{}), p.base, "/whip/cam1", goodKey)
	p.connected(t, client)
	rtctest.Stop(t, p.transport)
	require.ErrorIs(t, <-p.over, rtc.ErrDown)
	response, _ := post(t, p, "/whip/cam1", offer(t))
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
}

func TestW10W11W12W13Patch(t *testing.T) {
	p := newPlace(t, nil, nil)
	pc := publisher(t, rtctest.Options{})
	client := rtctest.Connect(t, pc, p.base, "/whip/cam1", goodKey)
	p.connected(t, client)
	candidate := "a=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
	strange := "a=candidate:1 1 sctp 2130706431 192.0.2.1 9 typ host\r\na=candidate:garbage\r\n"
	same := "a=ice-ufrag:" + value(t, pc.LocalDescription().SDP, "a=ice-ufrag:") + "\r\na=ice-pwd:" + value(t, pc.LocalDescription().SDP, "a=ice-pwd:") + "\r\n"
	cases := []struct {
		name, body, kind, match string
		status                  int
	}{
		{"W13 trickle", candidate, fragmentType, client.ETag, 204},
		{"W13 trickle in a list of tags", candidate, fragmentType, `"x", ` + client.ETag, 204},
		{"W13 unknown transport", strange, fragmentType, client.ETag, 204},
		{"W13 with the same credentials", same + candidate, fragmentType, client.ETag, 204},
		{"W13 end of candidates", "a=end-of-candidates\r\n", fragmentType, client.ETag, 204},
		{"W12 no If-Match", candidate, fragmentType, "", 428},
		{"W12 stale", candidate, fragmentType, `"stale"`, 412},
		{"W12 weak", candidate, fragmentType, "W/" + client.ETag, 412},
		{"W10 wrong type", candidate, "application/sdp", client.ETag, 415},
		{"W10 malformed", "hello", fragmentType, client.ETag, 400},
		{"W10 empty", "", fragmentType, client.ETag, 400},
		{"W10 half the credentials", "a=ice-ufrag:abcdefgh\r\n" + candidate, fragmentType, client.ETag, 400},
		{"W10 oversized", strings.Repeat("a=x\r\n", 4<<10), fragmentType, client.ETag, 413},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			header := []string{"Content-Type", c.kind}
			if c.match != "" {
				header = append(header, "If-Match", c.match)
			}
			response, body := rtctest.Do(t, http.MethodPatch, client.URL, c.body, header...)
			require.Equal(t, c.status, response.StatusCode, body)
			require.Empty(t, response.Header.Get("ETag"))
			if c.status == http.StatusNoContent {
				require.Empty(t, body)
			}
		})
	}
	require.Equal(t, 1, p.endpoint.Sessions())
}

func TestW14Restart(t *testing.T) {
	p := newPlace(t, nil, nil)
	pc := publisher(t, rtctest.Options{})
	client := rtctest.Connect(t, pc, p.base, "/whip/cam1", goodKey)
	p.connected(t, client)

	// One that is malformed does not end the session.
	response, _ := rtctest.Do(t, http.MethodPatch, client.URL, "a=ice-ufrag:x\r\na=ice-pwd:y\r\n", "Content-Type", fragmentType, "If-Match", "*")
	require.Equal(t, http.StatusBadRequest, response.StatusCode)

	before := pc.RemoteDescription().SDP
	checked := make(chan struct{})
	pc.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) {
		if s == webrtc.ICEConnectionStateConnected {
			close(checked)
		}
	})
	restart, err := pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	require.NoError(t, err)
	require.NoError(t, pc.SetLocalDescription(restart))
	fragment := "a=ice-ufrag:" + value(t, restart.SDP, "a=ice-ufrag:") + "\r\na=ice-pwd:" + value(t, restart.SDP, "a=ice-pwd:") + "\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
	response, body := rtctest.Do(t, http.MethodPatch, client.URL, fragment, "Content-Type", fragmentType, "If-Match", "*")
	require.Equal(t, http.StatusOK, response.StatusCode, body)
	require.Equal(t, fragmentType, response.Header.Get("Content-Type"))
	require.NotEqual(t, client.ETag, response.Header.Get("ETag"))
	require.NotEmpty(t, response.Header.Get("ETag"))
	require.Contains(t, body, "a=candidate:")

	after := before
	for _, key := range []string{"a=ice-ufrag:", "a=ice-pwd:"} {
		require.NotEqual(t, value(t, before, key), value(t, body, key))
		after = strings.ReplaceAll(after, key+value(t, before, key), key+value(t, body, key))
	}
	require.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: after}))
	select {
	case <-checked:
	case <-time.After(rtctest.Wait):
		require.Fail(t, "not connected again")
	}
	response, _ = rtctest.Do(t, http.MethodPatch, client.URL, "a=end-of-candidates\r\n", "Content-Type", fragmentType, "If-Match", client.ETag)
	require.Equal(t, http.StatusPreconditionFailed, response.StatusCode, "the old tag is stale")
	require.Empty(t, p.over)
}

// value is what stands behind the first key of an SDP.
func value(t *testing.T, sdp, key string) string {
	t.Helper()
	_, rest, found := strings.Cut(sdp, key)
	require.True(t, found, key)
	line, _, _ := strings.Cut(rest, "\r\n")
	return line
}
