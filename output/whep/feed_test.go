package whep

import (
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/internal/rtc/rtctest"
)

// publication is what a publisher of one codec sends: a keyframe each ten
// pictures.
type publication struct {
	track *media.Track
	sound *media.Track
	frame int64
}

func (p *publication) data(n int64) []byte {
	body := make([]byte, 3000)
	for i := range body {
		body[i] = byte(n) + byte(i%7) + 1
	}
	switch p.track.Codec {
	case media.H264:
		return picture(n, 0, n%10 == 0)
	case media.AV1: // a sequence header and a frame, both with their sizes
		unit := append(binary.AppendUvarint([]byte{0x32}, uint64(len(body))), body...)
		if n%10 == 0 {
			unit = append([]byte{0x0a, 3, 1, 2, 3}, unit...)
		}
		return unit
	}
	return body
}

// write sends the next picture, and sound with it.
func (p *publication) write(sink media.Sink) {
	n := p.frame
	p.frame++
	at := rate.At(n + 53_000_000_000)
	sink.Write(&media.Packet{Track: p.track, PTS: at, DTS: at, Key: n%10 == 0, Data: p.data(n)})
	if p.sound != nil {
		sink.Write(&media.Packet{Track: p.sound, PTS: at, DTS: at, Key: true, Data: []byte{0xfc, byte(n), 1}})
	}
}

// seen is one picture as a viewer has it.
type seen struct {
	data      []byte
	timestamp uint32
}

// depacketize puts a viewer's pictures together by the library's rules.
func depacketize(track *webrtc.TrackRemote, take func(seen)) {
	var open []byte
	var format interface{ Unmarshal([]byte) ([]byte, error) }
	renew := func() {
		switch track.Codec().MimeType {
		case webrtc.MimeTypeVP8:
			format = &codecs.VP8Packet{}
		case webrtc.MimeTypeVP9:
			format = &codecs.VP9Packet{}
		case webrtc.MimeTypeAV1:
			format = &codecs.AV1Depacketizer{}
		default:
			format = &codecs.H264Packet{IsAVC: true}
		}
	}
	renew()
	for {
		var p *rtp.Packet
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		part, err := format.Unmarshal(p.Payload)
		if err != nil {
			continue
		}
		open = append(open, part...)
		if p.Marker {
			take(seen{open, p.Timestamp})
			open = nil
			renew()
		}
	}
}

func TestViewersOfASourceBeginAtItsLastKeyframe(t *testing.T) {
	for _, codec := range []media.Codec{media.H264, media.VP8, media.VP9, media.AV1} {
		t.Run(string(codec), func(t *testing.T) {
			p := newPlace(t)
			feed := p.NewFeed("source/cam1", unasked)
			rtctest.Run(t, feed.Run)
			sent := &publication{track: &media.Track{ID: "video", Kind: media.Video, Codec: codec}, sound: soundTrack}
			if codec == media.H264 {
				sent.track = videoTrack("video")
			}
			for range 16 {
				sent.write(feed)
			}
			require.Eventually(t, func() bool { return len(feed.inbox) == 0 && p.Server.program("source/cam1") != nil }, rtctest.Wait, time.Millisecond)

			var mu sync.Mutex
			var got []seen
			w := watch(t, rtctest.Options{})
			w.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
				if track.Kind() == webrtc.RTPCodecTypeAudio {
					return
				}
				depacketize(track, func(s seen) {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, s)
				})
			})
			client := rtctest.Connect(t, w.pc, p.base, "/whep/source/cam1", "")
			require.Contains(t, w.pc.RemoteDescription().SDP, strings.ToUpper(string(codec))+"/90000")
			client.UntilConnected(t)
			require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= 6 }, rtctest.Wait, time.Millisecond)
			sent.write(feed)
			require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= 7 }, rtctest.Wait, time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			for i, s := range got[:7] {
				n := int64(10 + i)
				want := sent.data(n)
				if codec == media.H264 {
					require.True(t, strings.HasSuffix(string(s.data), string(want)), "picture %d", n)
				} else {
					require.Equal(t, want, s.data, "picture %d", n)
				}
			}
			require.Equal(t, got[5].timestamp-5, got[0].timestamp, "what is over takes no time")
			require.Equal(t, got[5].timestamp+3000, got[6].timestamp)
		})
	}
}

func TestWhatOfASourceIsNotSent(t *testing.T) {
	video := func(c media.Codec) *media.Track { return &media.Track{ID: "video", Kind: media.Video, Codec: c} }
	aac := &media.Track{ID: "audio", Kind: media.Audio, Codec: media.AAC}
	p := newPlace(t)
	offer := rtctest.Offer(t, watch(t, rtctest.Options{}).pc)
	cases := []struct {
		name         string
		video, audio *media.Track
		status       int
		says         []string
	}{
		{"aac", videoTrack("video"), aac, 201, []string{"a=inactive", "i=the source's sound is aac, which is not sent over WebRTC: Opus is", "a=sendonly"}},
		{"hevc", video(media.HEVC), soundTrack, 201, []string{"a=inactive", "i=the source's picture is hevc", "a=sendonly"}},
		{"silent", video(media.VP8), nil, 201, []string{"i=the source has no sound"}},
		{"neither", video(media.HEVC), aac, 422, []string{"picture is hevc", "sound is aac"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			feed := p.NewFeed("source/"+c.name, unasked)
			rtctest.Run(t, feed.Run)
			(&publication{track: c.video, sound: c.audio}).write(feed)
			require.Eventually(t, func() bool { return len(feed.inbox) == 0 && p.Server.program("source/"+c.name) != nil }, rtctest.Wait, time.Millisecond)
			response, body := rtctest.Do(t, http.MethodPost, p.base+"/whep/source/"+c.name, offer, "Content-Type", "application/sdp")
			require.Equal(t, c.status, response.StatusCode, body)
			for _, text := range c.says {
				require.Contains(t, body, text)
			}
		})
	}
}

// Browsers show pictures in the order in which they come.
func TestBFramesAreRefused(t *testing.T) {
	p := newPlace(t)
	feed := p.NewFeed("source/cam1", unasked)
	rtctest.Run(t, feed.Run)
	sent := &publication{track: videoTrack("video")}
	sent.write(feed)
	require.Eventually(t, func() bool { return p.Server.program("source/cam1") != nil }, rtctest.Wait, time.Millisecond)
	w := watch(t, rtctest.Options{})
	rtctest.Connect(t, w.pc, p.base, "/whep/source/cam1", "").UntilConnected(t)
	for i, shown := range []int64{4, 2, 3} {
		feed.Write(&media.Packet{Track: sent.track, PTS: rate.At(53_000_000_000 + shown), DTS: rate.At(53_000_000_001 + int64(i)), Data: sent.data(shown)})
	}
	require.Eventually(t, func() bool { return w.pc.ConnectionState() == webrtc.PeerConnectionStateClosed }, rtctest.Wait, time.Millisecond)
	response, body := rtctest.Do(t, http.MethodPost, p.base+"/whep/source/cam1", rtctest.Offer(t, watch(t, rtctest.Options{}).pc), "Content-Type", "application/sdp")
	require.Equal(t, http.StatusUnprocessableEntity, response.StatusCode, body)
	require.Contains(t, body, "bf=0")
}

func TestFeedsFollowTheirPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		feed := s.NewFeed("source/cam1", unasked)
		rtctest.Run(t, feed.Run)
		sent := &publication{track: videoTrack("video")}
		sent.write(feed)
		synctest.Wait()
		first := s.program("source/cam1")
		require.NotNil(t, first)
		sent.write(feed)
		synctest.Wait()
		require.Same(t, first, s.program("source/cam1"))
		sent.track = &media.Track{ID: "video", Kind: media.Video, Codec: media.VP8}
		sent.write(feed)
		synctest.Wait()
		require.NotSame(t, first, s.program("source/cam1"), "another codec is another agreement")
		require.True(t, first.over)
		time.Sleep(feedSilence * 2)
		synctest.Wait()
		require.Nil(t, s.program("source/cam1"), "E02: nobody publishes")
	})
}

// unasked is a publisher that makes no keyframes when asked.
func unasked() bool { return false }

// A publisher that makes keyframes when asked is asked, once a second however many
// ask, and nothing is replayed.
func TestViewersWithoutAPictureAskThePublisher(t *testing.T) {
	s := newStage()
	s.config.Replay = true
	s.rungs = s.rungs[:1]
	late := s.seat(0)
	require.True(t, late.key.Load(), "there is nothing to begin with yet")
	for range 5 {
		s.tick()
	}
	v, w := s.seat(0), s.seat(0)
	require.Len(t, v.pictures()[0].replay, 5)
	s.keys = nil
	for range 60 { // two seconds
		v.key.Store(true)
		w.key.Store(true)
		s.tick()
		require.Empty(t, slices.DeleteFunc(v.pictures(), func(f *frame) bool { return f.replay == nil }))
		w.pictures()
	}
	require.Len(t, s.keys, 2)
	s.tick(s.keys[0])
	require.False(t, v.key.Load(), "it has come")
	require.True(t, v.pictures()[0].key)
}

func TestViewersWithoutAPictureGetTheReplayAgain(t *testing.T) {
	s := newStage()
	s.config.Replay, s.config.RequestKey = true, func(string) bool { return unasked() }
	s.rungs = s.rungs[:1]
	for range 5 {
		s.tick()
	}
	v := s.seat(0)
	require.Len(t, v.pictures()[0].replay, 5)
	v.key.Store(true)
	s.tick()
	require.Empty(t, slices.DeleteFunc(v.pictures(), func(f *frame) bool { return f.replay == nil }), "not at once")
	s.now = s.now.Add(replayAgain)
	v.replayed = s.now.Add(-replayAgain)
	s.tick() // the publisher is asked, in vain
	s.tick()
	again := v.pictures()
	require.Len(t, again, 2, "once")
	require.Len(t, again[1].replay, 8)
	require.False(t, v.key.Load())
}

func TestLongGroupsAreNotReplayed(t *testing.T) {
	var r replay
	sent := &publication{track: videoTrack("video")}
	packet := func(n int64, key bool) *media.Packet {
		return &media.Packet{Track: sent.track, PTS: rate.At(n), DTS: rate.At(n), Key: key, Data: []byte{0, 0, 0, 1, 1}}
	}
	r.keep(packet(0, false))
	require.Empty(t, r.packets, "nothing to begin with")
	for n := range int64(301) {
		r.keep(packet(n, n == 0))
	}
	require.Len(t, r.packets, 301)
	r.keep(packet(301, false))
	require.Empty(t, r.packets)
	r.keep(packet(302, true))
	require.Len(t, r.packets, 1)
}
