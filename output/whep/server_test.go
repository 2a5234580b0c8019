package whep

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"millrace/internal/rtc"
	"millrace/internal/rtc/rtctest"
)

// annexB is what a watcher should have of a picture.
func annexB(frame int64, rung int, key bool) string {
	start := "\x00\x00\x00\x01"
	text := start + string(picture(frame, rung, key)[4:])
	if key {
		text = start + string(unhex(testSPS)) + start + string(unhex(testPPS)) + text
	}
	return text
}

func TestE01WatchTheProgram(t *testing.T) {
	for _, o := range []rtctest.Options{{}, {TCP: true}} {
		p := newPlace(t)
		w := watch(t, o)
		client := rtctest.Connect(t, w.pc, p.base, "/whep/main", "")
		answer := w.pc.RemoteDescription().SDP
		require.Equal(t, 2, strings.Count(answer, "a=sendonly"))
		require.Contains(t, answer, "profile-level-id=64001f", "as the track says")
		require.Contains(t, answer, "packetization-mode=1")
		require.NotContains(t, answer, "VP8")
		client.UntilConnected(t)
		p.air(t, 5*time.Millisecond, func() bool { pictures, sound := w.seen(); return pictures >= 60 && sound >= 60 })

		w.mu.Lock()
		first := int64(-1)
		for n := range int64(1000) {
			if w.pictures[0] != nil && string(w.pictures[0]) == annexB(n, 0, true) {
				first = n
				break
			}
		}
		require.NotEqual(t, int64(-1), first, "the first is a keyframe of the highest rung, with its parameter sets")
		for i, got := range w.pictures {
			n := first + int64(i)
			key := string(got) == annexB(n, 0, true)
			require.True(t, key || string(got) == annexB(n, 0, false), "picture %d", i)
			if i > 0 {
				require.Equal(t, uint32(3000), w.stamps[i]-w.stamps[i-1])
			}
		}
		require.Equal(t, byte(0xfc), w.sound[0][0])
		w.mu.Unlock()
		require.Equal(t, 1, p.Counters().Viewers)

		response, _ := rtctest.Do(t, http.MethodDelete, client.URL, "")
		require.Equal(t, http.StatusOK, response.StatusCode, "E05")
		require.Zero(t, p.Counters().Viewers)
		require.Empty(t, p.program.viewers)
	}
}

func TestWatchPictureOrSound(t *testing.T) {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		p := newPlace(t)
		w := watch(t, rtctest.Options{}, kind)
		rtctest.Connect(t, w.pc, p.base, "/whep/main", "").UntilConnected(t)
		p.air(t, 5*time.Millisecond, func() bool { pictures, sound := w.seen(); return pictures+sound >= 20 })
	}
}

func TestRefusals(t *testing.T) {
	p := newPlace(t)
	good := rtctest.Offer(t, watch(t, rtctest.Options{}).pc)
	cases := []struct {
		name, path, offer string
		status            int
	}{
		{"E02 nothing on air", "/whep/other", good, 409},
		{"E02 whatever the offer", "/whep/other", "x", 409},
		{"a publisher's offer", "/whep/main", strings.ReplaceAll(good, "a=recvonly", "a=sendonly"), 422},
		{"no H.264", "/whep/main", strings.ReplaceAll(good, "H264/90000", "H265/90000"), 422},
		{"no Opus", "/whep/main", strings.ReplaceAll(good, "opus/48000/2", "speex/16000"), 422},
		{"malformed", "/whep/main", "v=0", 422},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			response, body := rtctest.Do(t, http.MethodPost, p.base+c.path, c.offer, "Content-Type", "application/sdp")
			require.Equal(t, c.status, response.StatusCode, body)
			if c.status == http.StatusConflict {
				require.Equal(t, "2", response.Header.Get("Retry-After"))
			}
		})
	}
	response, _ := rtctest.Do(t, http.MethodHead, p.base+"/whep/main", "")
	require.Equal(t, http.StatusOK, response.StatusCode, "E03")
	require.Equal(t, "application/sdp", response.Header.Get("Content-Type"))
	response, _ = rtctest.Do(t, http.MethodGet, p.base+"/whep/main", "")
	require.Equal(t, http.StatusNoContent, response.StatusCode, "E04")
	response, _ = rtctest.Do(t, http.MethodOptions, p.base+"/whep/main", "")
	require.Equal(t, "application/sdp", response.Header.Get("Accept-Post"), "E04")

	denied := New(Config{Transport: p.transport, Authorize: func(r rtc.Request) error {
		if r.Token != "secret" {
			return rtc.Refuse(http.StatusUnauthorized, "a token is needed")
		}
		return nil
	}})
	base := rtctest.Serve(t, denied)
	response, _ = rtctest.Do(t, http.MethodPost, base+"/whep/main", good, "Content-Type", "application/sdp")
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	response, _ = rtctest.Do(t, http.MethodPost, base+"/whep/main", good, "Content-Type", "application/sdp", "Authorization", "Bearer secret")
	require.Equal(t, http.StatusConflict, response.StatusCode)
}

func TestNamesAreTakenOnce(t *testing.T) {
	p := newPlace(t)
	require.ErrorIs(t, p.NewProgram(ProgramConfig{Resource: "main"}).Run(context.Background()), errTaken)
	require.NotNil(t, p.Server.program("main"))
}

func TestViewersGoWithTheirProgram(t *testing.T) {
	p := newPlace(t)
	w := watch(t, rtctest.Options{})
	rtctest.Connect(t, w.pc, p.base, "/whep/main", "").UntilConnected(t)
	p.air(t, 5*time.Millisecond, func() bool { pictures, _ := w.seen(); return pictures > 0 })
	p.stop()
	require.Eventually(t, func() bool { return w.pc.ConnectionState() == webrtc.PeerConnectionStateClosed }, rtctest.Wait, time.Millisecond)
	require.Eventually(t, func() bool { return p.Counters().Viewers == 0 }, rtctest.Wait, time.Millisecond)
}

// F37: however many requests viewers make, an encoder gets one a second.
func TestF37KeyframeRequestsAreLimited(t *testing.T) {
	p := newPlace(t)
	w := watch(t, rtctest.Options{})
	rtctest.Connect(t, w.pc, p.base, "/whep/main", "").UntilConnected(t)
	p.air(t, 5*time.Millisecond, func() bool { pictures, _ := w.seen(); return pictures > 0 })
	began := time.Now()
	p.air(t, 10*time.Millisecond, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		_ = w.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: w.ssrc}})
		return time.Since(began) > 2500*time.Millisecond
	})
	c := p.Counters()
	require.Greater(t, c.PLIs, uint64(100))
	require.LessOrEqual(t, c.Keys, uint64(5))
	require.GreaterOrEqual(t, c.Keys, uint64(2))
}

// A program without sound answers an offer of both.
func TestWithoutSound(t *testing.T) {
	p := newPlace(t)
	silent := p.NewProgram(ProgramConfig{Resource: "silent", Rungs: p.ladder.rungs})
	rtctest.Run(t, silent.Run)
	require.Eventually(t, func() bool { return p.Server.program("silent") != nil }, rtctest.Wait, time.Millisecond)
	p.program = silent
	w := watch(t, rtctest.Options{})
	rtctest.Connect(t, w.pc, p.base, "/whep/silent", "").UntilConnected(t)
	p.air(t, 5*time.Millisecond, func() bool { pictures, _ := w.seen(); return pictures > 10 })
	_, sound := w.seen()
	require.Zero(t, sound)
}
