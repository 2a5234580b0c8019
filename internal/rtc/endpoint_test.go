package rtc_test

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/rtc"
	"millrace/internal/rtc/rtctest"
)

func TestW01SessionIsMade(t *testing.T) {
	p := newPlace(t, func(c *rtc.Config) {
		c.Announce = []netip.AddrPort{netip.MustParseAddrPort("203.0.113.4:30189")}
	}, nil)
	response, answer := post(t, p, "/whip/cam1", offer(t))
	require.Equal(t, http.StatusCreated, response.StatusCode, answer)
	require.Equal(t, "application/sdp", response.Header.Get("Content-Type"))
	require.Equal(t, "application/trickle-ice-sdpfrag", response.Header.Get("Accept-Patch"))
	require.Regexp(t, `^/whip/cam1/sessions/[A-Za-z0-9_-]{43}$`, response.Header.Get("Location"))
	require.Regexp(t, `^"[A-Za-z0-9_-]{16}"$`, response.Header.Get("ETag"), "W12: a strong tag")
	require.Empty(t, response.Header.Values("Link"), "W17: none is configured")
	require.Equal(t, "cam1", p.asks[0].Resource)

	require.Equal(t, 2, strings.Count(answer, "a=recvonly"), "W03")
	require.Contains(t, answer, "a=group:BUNDLE 0 1", "W05")
	require.Equal(t, 2, strings.Count(answer, "a=rtcp-mux\r"), "W05")
	require.Contains(t, answer, "a=end-of-candidates", "W05: all candidates are there")
	require.Regexp(t, `a=candidate:.* 127\.0\.0\.1 \d+ typ host`, answer)
	require.Regexp(t, `a=candidate:.* 1 udp \d+ 203\.0\.113\.4 30189 typ host`, answer)
	require.Regexp(t, `a=candidate:.* 1 tcp \d+ 203\.0\.113\.4 30189 typ host tcptype passive`, answer)
	require.NotRegexp(t, `a=candidate:\S+ 2 `, answer, "RTCP shares the port")
	require.Equal(t, 2, strings.Count(answer, "a=setup:passive"))
}

func TestOffersAreJudged(t *testing.T) {
	p := newPlace(t, nil, nil)
	good := offer(t)
	video := good[strings.Index(good, "m=video"):]
	manyLines := "v=0\r\n" + strings.Repeat("a=x\r\n", 5000)
	cases := []struct {
		name, offer string
		status      int
	}{
		{"W02 no SDP", "hello", 400},
		{"W02 empty", "", 400},
		{"W02 broken off", good[:len(good)/4], 400},
		{"W02 garbage behind a good beginning", "v=0\r\no=x\r\nm=audio\r\n", 400},
		{"W02 no fingerprint", regexp.MustCompile(`a=fingerprint.*\r\n`).ReplaceAllString(good, ""), 400},
		{"W02 no credentials", regexp.MustCompile(`a=ice-pwd.*\r\n`).ReplaceAllString(good, ""), 400},
		{"W02 short credentials", regexp.MustCompile(`a=ice-pwd:.*\r\n`).ReplaceAllString(good, "a=ice-pwd:x\r\n"), 400},
		{"W02 malformed fingerprint", regexp.MustCompile(`a=fingerprint.*\r\n`).ReplaceAllString(good, "a=fingerprint:x\r\n"), 422},
		{"W03 recvonly", swap(t, good, "a=sendonly", "a=recvonly"), 422},
		{"W03 inactive", swap(t, good, "a=sendonly", "a=inactive"), 422},
		{"W04 two videos", good + video, 422},
		{"W04 no media", good[:strings.Index(good, "m=")], 422},
		{"W04 a data channel", good[:strings.Index(good, "m=video")] + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n", 422},
		{"W04 a section that is off", swap(t, good, "m=video 9 ", "m=video 0 "), 422},
		{"W04 without DTLS", swap(t, good, "UDP/TLS/RTP/SAVPF", "RTP/AVP"), 422},
		{"W04 without mid", swap(t, good, "a=mid:1", "a=x"), 422},
		{"W05 not bundled", swap(t, good, "a=group:BUNDLE 0 1", "a=group:BUNDLE 0"), 422},
		{"W05 without rtcp-mux", swap(t, good, "a=rtcp-mux\r\n", ""), 422},
		{"F23 10k sections", good + strings.Repeat("m=x\r\n", 10000), 400},
		{"F23 5k lines", manyLines, 400},
		{"W21 10 MB", strings.Repeat("x", 10<<20), 413},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			response, answer := post(t, p, "/whip/cam1", c.offer)
			require.Equal(t, c.status, response.StatusCode, answer)
			require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
			require.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"))
		})
	}
	response, _ := post(t, p, "/whip/cam1", good, "Content-Type", "text/plain")
	require.Equal(t, http.StatusUnsupportedMediaType, response.StatusCode, "W02")
	require.Zero(t, p.endpoint.Sessions())
	require.Zero(t, p.transport.Counters().Sessions, "no place is taken by what was refused")
}

func TestW18KeysComeFirst(t *testing.T) {
	p := newPlace(t, nil, nil)
	for _, authorization := range []string{"", "Bearer", "Bearer x", "Basic " + goodKey, goodKey} {
		response, _ := post(t, p, "/whip/cam1", "not even SDP", "Authorization", authorization)
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
		require.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"))
	}
	response, _ := post(t, p, "/whip/cam1", offer(t), "Authorization", "bearer "+goodKey)
	require.Equal(t, http.StatusCreated, response.StatusCode, "the scheme has no case")
	response, answer := post(t, p, "/whip/broken", offer(t))
	require.Equal(t, http.StatusInternalServerError, response.StatusCode)
	require.NotContains(t, answer, "disk", "what broke is not the client's to know")
}

func TestW06W07OtherMethods(t *testing.T) {
	p := newPlace(t, nil, func(c *rtc.EndpointConfig) { c.ICEServers = []rtc.ICEServer{{URL: "stun:stun.example.org"}} })
	client := rtctest.Connect(t, publisher(t, rtctest.Options{}), p.base, "/whip/cam1", goodKey)
	for url, patches := range map[string]bool{p.base + "/whip/cam1": false, client.URL: true} {
		response, body := rtctest.Do(t, http.MethodGet, url, "")
		require.Equal(t, http.StatusNoContent, response.StatusCode)
		require.Empty(t, body)
		response, _ = rtctest.Do(t, http.MethodPut, url, "")
		require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
		require.NotEmpty(t, response.Header.Get("Allow"))

		response, _ = rtctest.Do(t, http.MethodOptions, url, "", "Origin", "https://example.org", "Access-Control-Request-Method", "POST")
		require.Equal(t, http.StatusOK, response.StatusCode, "without a key")
		require.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, response.Header.Get("Access-Control-Allow-Headers"), "Authorization")
		require.Contains(t, response.Header.Get("Access-Control-Allow-Headers"), "If-Match")
		require.Empty(t, response.Header.Values("Link"), "W17: not on a preflight")
		if patches {
			require.Contains(t, response.Header.Get("Access-Control-Allow-Methods"), "PATCH")
			require.Contains(t, response.Header.Get("Access-Control-Allow-Methods"), "DELETE")
		} else {
			require.Equal(t, "application/sdp", response.Header.Get("Accept-Post"))
			require.Contains(t, response.Header.Get("Access-Control-Allow-Methods"), "POST")
		}
	}
	response, _ := rtctest.Do(t, http.MethodHead, p.base+"/whip/cam1", "")
	require.Equal(t, http.StatusOK, response.StatusCode, "E03")
	require.Equal(t, "application/sdp", response.Header.Get("Content-Type"))
	for _, path := range []string{"/whip/", "/other/cam1", "/whip/cam1%2Fx"} {
		response, _ = post(t, p, path, offer(t))
		require.Equal(t, http.StatusNotFound, response.StatusCode, path)
	}
}

func TestW09W19LimitsAreKept(t *testing.T) {
	p := newPlace(t, func(c *rtc.Config) { c.MaxSessions = 2 }, nil)
	good := offer(t)
	var location string
	for range 2 {
		response, _ := post(t, p, "/whip/cam1", good)
		require.Equal(t, http.StatusCreated, response.StatusCode)
		location = response.Header.Get("Location")
	}
	response, _ := post(t, p, "/whip/cam1", good)
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "5", response.Header.Get("Retry-After"))
	require.Equal(t, uint64(1), p.transport.Counters().Refused)

	public := rtc.NewEndpoint(rtc.EndpointConfig{Transport: p.transport, Prefix: "/whep/", Reserved: 0.5, Open: p.open})
	base := rtctest.Serve(t, public)
	rtctest.Do(t, http.MethodDelete, p.base+location, "")
	response, body := rtctest.Do(t, http.MethodPost, base+"/whep/main", good, "Content-Type", "application/sdp")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, "half of the places are not for these: %s", body)

	limited := false
	for range 1000 {
		response, _ = post(t, p, "/whip/cam1", "x")
		if limited = response.StatusCode == http.StatusTooManyRequests; limited {
			break
		}
	}
	require.True(t, limited, "a flood is limited")
	require.Equal(t, "1", response.Header.Get("Retry-After"))
	response, _ = rtctest.Do(t, http.MethodOptions, p.base+"/whip/cam1", "")
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestW17ServersAreNamed(t *testing.T) {
	p := newPlace(t, nil, func(c *rtc.EndpointConfig) {
		c.ICEServers = []rtc.ICEServer{{URL: "stun:stun.example.org"}, {URL: "turn:turn.example.org?transport=udp", Username: "u", Credential: `p"\`}}
	})
	response, _ := post(t, p, "/whip/cam1", offer(t))
	require.Equal(t, []string{
		`<stun:stun.example.org>; rel="ice-server"`,
		`<turn:turn.example.org?transport=udp>; rel="ice-server"; username="u"; credential="p\"\\"; credential-type="password"`,
	}, response.Header.Values("Link"))
}

func TestDownIsSaid(t *testing.T) {
	transport := rtc.New(rtc.Config{})
	endpoint := rtc.NewEndpoint(rtc.EndpointConfig{Transport: transport, Prefix: "/whip/"})
	base := rtctest.Serve(t, endpoint)
	response, _ := rtctest.Do(t, http.MethodPost, base+"/whip/cam1", offer(t), "Content-Type", "application/sdp")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, "not running")
	require.NotEmpty(t, response.Header.Get("Retry-After"))
}

func TestF20SlowBodyIsCutOff(t *testing.T) {
	t.Parallel() // it waits for 10 s
	p := newPlace(t, nil, nil)
	began := time.Now()
	response, _ := rtctest.Slow(t, p.base+"/whip/cam1", "application/sdp", goodKey)
	require.Equal(t, http.StatusBadRequest, response)
	require.Less(t, time.Since(began), 15*time.Second)
}
