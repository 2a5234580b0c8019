package whip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/internal/rtc/rtctest"
)

func of(units []ingest.AccessUnit, kind media.Kind) (selected []ingest.AccessUnit) {
	for _, u := range units {
		if u.Track.Kind == kind {
			selected = append(selected, u)
		}
	}
	return selected
}

// atLeast wants so many units of each kind.
func atLeast(video, audio int) func([]ingest.AccessUnit) bool {
	return func(units []ingest.AccessUnit) bool {
		return len(of(units, media.Video)) >= video && len(of(units, media.Audio)) >= audio
	}
}

func TestPublishEachCodec(t *testing.T) {
	cases := []struct {
		codec         media.Codec
		mime, rfc6381 string
		picture       picture
		width, height int
	}{
		{media.H264, webrtc.MimeTypeH264, "avc1.64100a", h264Picture, 64, 64},
		{media.VP8, webrtc.MimeTypeVP8, "vp8", vp8Picture, 64, 48},
		{media.VP9, webrtc.MimeTypeVP9, "vp09.00.10.08", vp9Picture, 1920, 804},
		{media.AV1, webrtc.MimeTypeAV1, "av01.0.08M.08", av1Picture, 1920, 804},
	}
	for _, c := range cases {
		t.Run(string(c.codec), func(t *testing.T) {
			p := newPlace(t)
			publisher := newPublisher(t, c.mime, true, rtctest.Options{})
			client := rtctest.Connect(t, publisher.pc, p.base, "/whip/cam1", goodKey)
			client.UntilConnected(t)
			f := p.feed(t)
			publisher.send(t, c.picture, 0, 30, 10*time.Millisecond)
			units := f.until(t, atLeast(20, 20))

			video := of(units, media.Video)
			require.True(t, video[0].Key, "the first is a keyframe")
			track := video[0].Track
			require.Equal(t, c.codec, track.Codec)
			require.Equal(t, c.rfc6381, track.MIME)
			require.Equal(t, []int{c.width, c.height}, []int{track.Width, track.Height})
			for i, u := range video {
				require.Same(t, track, u.Track)
				require.True(t, slices.ContainsFunc(numbers(), func(n int) bool {
					_, want := c.picture(n, u.Key)
					return bytes.Equal(want, u.Data)
				}), "picture %d is one that was sent, whole", i)
				if i > 0 {
					require.InDelta(t, float64(time.Second/30), float64(u.PTS-video[i-1].PTS), float64(20*time.Millisecond))
					require.Greater(t, u.DTS, video[i-1].DTS)
				}
			}
			audio := of(units, media.Audio)
			require.Equal(t, media.Opus, audio[0].Track.Codec)
			require.Equal(t, opusPacket(0), audio[0].Data)
			require.LessOrEqual(t, publisher.plis.Load(), int64(2), "one request a second at most")

			response, _ := rtctest.Do(t, http.MethodDelete, client.URL, "")
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.NoError(t, f.end(t), "W15: a goodbye")
		})
	}
}

func numbers() []int {
	list := make([]int, 100)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestParameterSetsBecomeTheConfig(t *testing.T) {
	f := newH264Format(codecOf("H264", ""))
	_, want := h264Picture(0, true)
	sps, pps := unhex(testSPS), unhex(testPPS)
	u, err := f.unit([][]byte{sps, pps, want[4+len(sps)+4+len(pps)+4:]})
	require.NoError(t, err)
	require.Equal(t, want, u.data)
	expected := append([]byte{1, 0x64, 0x10, 0x0a, 0xff, 0xe1, 0, byte(len(sps))}, sps...)
	expected = append(append(expected, 1, 0, byte(len(pps))), pps...)
	require.Equal(t, append(expected, 0xfd, 0xf8, 0xf8, 0), u.track.Config)
}

func TestOneTrackIsEnough(t *testing.T) {
	for _, sound := range []bool{true, false} {
		t.Run(fmt.Sprintf("sound %v", sound), func(t *testing.T) {
			p := newPlace(t)
			mime := webrtc.MimeTypeVP8
			if sound {
				mime = ""
			}
			publisher := newPublisher(t, mime, sound, rtctest.Options{})
			rtctest.Connect(t, publisher.pc, p.base, "/whip/cam1", goodKey).UntilConnected(t)
			publisher.send(t, vp8Picture, 0, 20, 5*time.Millisecond)
			if sound {
				p.feed(t).until(t, atLeast(0, 15))
			} else {
				p.feed(t).until(t, atLeast(10, 0))
			}
		})
	}
}

// Who watches the source and has lost its picture gets a keyframe.
func TestThePublisherIsAskedForKeyframesOfViewers(t *testing.T) {
	p := newPlace(t)
	publisher := newPublisher(t, webrtc.MimeTypeVP8, false, rtctest.Options{})
	rtctest.Connect(t, publisher.pc, p.base, "/whip/cam1", goodKey).UntilConnected(t)
	publisher.send(t, vp8Picture, 0, 5, 5*time.Millisecond)
	f := p.feed(t)
	f.until(t, atLeast(1, 0))
	before := publisher.plis.Load()
	f.key.Store(true)
	deadline := time.Now().Add(rtctest.Wait)
	for n := 5; publisher.plis.Load() == before; n++ {
		require.True(t, time.Now().Before(deadline), "nobody asked the publisher")
		publisher.send(t, vp8Picture, n, 1, 5*time.Millisecond)
	}
	require.False(t, f.key.Load())
}

// A browser whose offer has several layers names no stream (RFC 8853); the
// answer has no simulcast, so one layer comes, under a number not named before.
func TestStreamsThatTheOfferDidNotName(t *testing.T) {
	p := newPlace(t)
	publisher := newPublisher(t, webrtc.MimeTypeVP8, true, rtctest.Options{})
	offer := rtctest.Offer(t, publisher.pc)
	offer = regexp.MustCompile(`a=(ssrc|ssrc-group):.*\r\n`).ReplaceAllString(offer, "")
	offer += "a=rid:h send\r\na=rid:l send\r\na=simulcast:send h;l\r\n"
	client := rtctest.ConnectWith(t, publisher.pc, offer, p.base, "/whip/cam1", goodKey)
	require.NotContains(t, client.RemoteDescription().SDP, "simulcast")
	client.UntilConnected(t)
	f := p.feed(t)
	publisher.send(t, vp8Picture, 0, 40, 10*time.Millisecond)
	f.until(t, atLeast(10, 10))

	restart(t, client) // W14: and the same streams go on
	f.mu.Lock()
	video, audio := len(of(f.units, media.Video)), len(of(f.units, media.Audio))
	f.mu.Unlock()
	publisher.send(t, vp8Picture, 40, 150, 10*time.Millisecond)
	f.until(t, atLeast(video+15, audio+15))
}

// restart restarts ICE as a client does.
func restart(t *testing.T, client *rtctest.Client) {
	t.Helper()
	before := client.RemoteDescription().SDP
	offer, err := client.PeerConnection.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	require.NoError(t, err)
	require.NoError(t, client.PeerConnection.SetLocalDescription(offer))
	credentials := func(text string) (lines []string) {
		for _, key := range []string{"a=ice-ufrag:", "a=ice-pwd:"} {
			_, rest, _ := strings.Cut(text, key)
			line, _, _ := strings.Cut(rest, "\r\n")
			lines = append(lines, key+line)
		}
		return lines
	}
	response, body := rtctest.Do(t, http.MethodPatch, client.URL, strings.Join(credentials(offer.SDP), "\r\n")+"\r\n",
		"Content-Type", "application/trickle-ice-sdpfrag", "If-Match", "*")
	require.Equal(t, http.StatusOK, response.StatusCode, body)
	after := before
	for i, line := range credentials(before) {
		after = strings.ReplaceAll(after, line, credentials(body)[i])
	}
	require.NoError(t, client.PeerConnection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: after}))
}

func TestRefusals(t *testing.T) {
	p := newPlace(t)
	publisher := newPublisher(t, webrtc.MimeTypeVP8, true, rtctest.Options{})
	offer := rtctest.Offer(t, publisher.pc)
	good := []string{"Content-Type", "application/sdp", "Authorization", "Bearer " + goodKey}
	cases := []struct {
		name, path, offer string
		header            []string
		accept            error
		status            int
	}{
		{"W18 no key", "/whip/cam1", offer, good[:2], nil, 401},
		{"W18 wrong key", "/whip/cam1", offer, []string{"Content-Type", "application/sdp", "Authorization", "Bearer x"}, nil, 401},
		{"W18 wrong key and no offer", "/whip/cam1", "", []string{"Authorization", "Bearer x"}, nil, 401},
		{"unknown source", "/whip/cam9", offer, good, nil, 404},
		{"key in the address", "/whip?streamKey=" + goodKey, offer, good[:2], nil, 404},
		{"forbidden", "/whip/cam1", offer, good, ingest.ErrForbidden, 403},
		{"busy", "/whip/cam1", offer, good, ingest.ErrBusy, 409},
		{"W09 overload", "/whip/cam1", offer, good, ingest.ErrOverload, 503},
		{"F40 going down", "/whip/cam1", offer, good, ingest.ErrDown, 503},
		{"W04 no codec that we know", "/whip/cam1", strings.ReplaceAll(offer, "opus/48000/2", "speex/8000"), good, nil, 422},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p.refuse.Store(nil)
			if c.accept != nil {
				p.refuse.Store(&c.accept)
			}
			response, body := rtctest.Do(t, http.MethodPost, p.base+c.path, c.offer, c.header...)
			require.Equal(t, c.status, response.StatusCode, body)
			if c.status == 503 || c.status == 409 {
				require.NotEmpty(t, response.Header.Get("Retry-After"))
			}
		})
	}
	require.Zero(t, p.Counters().Sessions)
	require.Zero(t, p.transport.Counters().Sessions)
	require.Empty(t, p.feeds)
}

func TestASourceMayEndItsPublisher(t *testing.T) {
	p := newPlace(t)
	publisher := newPublisher(t, webrtc.MimeTypeVP8, false, rtctest.Options{})
	client := rtctest.Connect(t, publisher.pc, p.base, "/whip/cam1", goodKey)
	client.UntilConnected(t)
	f := p.feed(t)
	f.why = ingest.ErrForbidden
	close(f.revoke)
	require.ErrorIs(t, f.end(t), ingest.ErrForbidden)
	require.Eventually(t, func() bool { return publisher.pc.ConnectionState() == webrtc.PeerConnectionStateClosed }, rtctest.Wait, time.Millisecond,
		"the client is told")
	require.Eventually(t, func() bool { return p.Counters().Sessions == 0 }, rtctest.Wait, time.Millisecond)
	response, _ := rtctest.Do(t, http.MethodDelete, client.URL, "")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
}

func TestF40PublishersAreEndedWhenWeGoDown(t *testing.T) {
	p := newPlace(t)
	publisher := newPublisher(t, webrtc.MimeTypeVP8, false, rtctest.Options{})
	rtctest.Connect(t, publisher.pc, p.base, "/whip/cam1", goodKey).UntilConnected(t)
	f := p.feed(t)
	rtctest.Stop(t, p.transport)
	require.ErrorIs(t, f.end(t), ingest.ErrDown)
}

// number is that of a VP8 picture.
func number(data []byte) int {
	offset := 3
	if data[0]&1 == 0 {
		offset = 10
	}
	return int(binary.BigEndian.Uint32(data[offset:]) &^ 0x01010101)
}
