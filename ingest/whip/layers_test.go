package whip

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/internal/rtc"
	"millrace/internal/rtc/rtctest"
)

// sizedPicture is a VP8 frame of which only the header makes sense.
func sizedPicture(n, width, height int, key bool) []byte {
	if !key {
		return append([]byte{0x11, 0, 0}, noise(n, 1500)...)
	}
	head := []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a}
	head = binary.LittleEndian.AppendUint16(head, uint16(width))
	head = binary.LittleEndian.AppendUint16(head, uint16(height))
	return append(head, noise(n, 3000)...)
}

// layer is one stream of a test's simulcast.
type layer struct {
	rid           string
	width, height int
	track         *webrtc.TrackLocalStaticRTP
	wire          wire
	asked         atomic.Int64 // keyframes, since the beginning
	keys          atomic.Bool  // one is to be sent
	off           atomic.Bool  // it sends nothing
}

// simulcaster publishes three layers as browsers do.
type simulcaster struct {
	pc       *webrtc.PeerConnection
	layers   []*layer
	mid, rid uint8 // header extensions
}

func newSimulcaster(t *testing.T) *simulcaster {
	// Without RTX: pion's retransmissions bear the rid of what they repeat, which
	// is not theirs (RFC 8852 §3.2), so that another stream takes the layer's place.
	s := &simulcaster{pc: rtctest.NewPeer(t, rtctest.Options{Codecs: []webrtc.RTPCodecParameters{{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{
			{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"},
		}}, PayloadType: 96,
	}}})}
	for i, rid := range []string{"q", "h", "f"} {
		l := &layer{rid: rid, width: 160 << i, height: 90 << i, wire: wire{sequence: uint16(rand.Uint32()), timestamp: rand.Uint32()}}
		l.keys.Store(true)
		var err error
		l.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "guest", webrtc.WithRTPStreamID(rid))
		require.NoError(t, err)
		s.layers = append(s.layers, l)
	}
	transceiver, err := s.pc.AddTransceiverFromTrack(s.layers[0].track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(t, err)
	sender := transceiver.Sender()
	for _, l := range s.layers[1:] {
		require.NoError(t, sender.AddEncoding(l.track))
	}
	for _, l := range s.layers {
		go l.listen(sender)
	}
	return s
}

func (l *layer) listen(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadSimulcastRTCP(l.rid)
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, ok := packet.(*rtcp.PictureLossIndication); ok {
				l.asked.Add(1)
				l.keys.Store(true)
			}
		}
	}
}

// connect publishes to a place.
func (s *simulcaster) connect(t *testing.T, p *place) *rtctest.Client {
	t.Helper()
	client := rtctest.Connect(t, s.pc, p.base, "/whip/cam1", goodKey)
	answer := client.RemoteDescription().SDP
	require.Contains(t, answer, "a=simulcast:recv q;h;f")
	client.UntilConnected(t)
	for _, e := range s.pc.GetSenders()[0].GetParameters().HeaderExtensions {
		switch e.URI {
		case sdp.SDESMidURI:
			s.mid = uint8(e.ID)
		case sdp.SDESRTPStreamIDURI:
			s.rid = uint8(e.ID)
		}
	}
	require.NotZero(t, s.mid)
	require.NotZero(t, s.rid)
	return client
}

// run sends pictures until the test ends.
func (s *simulcaster) run(t *testing.T) {
	rtctest.Run(t, func(ctx context.Context) error {
		ticker := time.NewTicker(time.Second / 30)
		defer ticker.Stop()
		for n := 0; ; n++ {
			for _, l := range s.layers {
				packets := l.wire.frame(&codecs.VP8Payloader{}, sizedPicture(n, l.width, l.height, l.keys.Swap(false)))
				if l.off.Load() {
					continue
				}
				for _, p := range packets {
					s.write(l, p)
				}
			}
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
		}
	})
}

func (s *simulcaster) write(l *layer, p *rtp.Packet) {
	mid := s.pc.GetTransceivers()[0].Mid()
	if p.SetExtension(s.mid, []byte(mid)) == nil && p.SetExtension(s.rid, []byte(l.rid)) == nil {
		_ = l.track.WriteRTP(p) // the connection ends before the test does
	}
}

// TestTheLayerOfTheCellIsTaken: each size is answered by the layer for it, from
// a keyframe on, without a break in the source's time, and the others are not
// asked for keyframes.
func TestTheLayerOfTheCellIsTaken(t *testing.T) {
	p := newPlace(t)
	s := newSimulcaster(t)
	client := s.connect(t, p)
	f := p.feed(t)
	f.wanted.Store(&ingest.Size{Width: 320, Height: 180})
	s.run(t)

	width := func(units []ingest.AccessUnit) int {
		if video := of(units, media.Video); len(video) > 0 {
			return video[len(video)-1].Track.Width
		}
		return 0
	}
	shows := func(want int) {
		t.Helper()
		f.until(t, func(units []ingest.AccessUnit) bool { return width(units) == want })
	}
	shows(320)
	f.wanted.Store(&ingest.Size{Width: 640, Height: 360})
	shows(640)
	restart(t, client) // W14: an ICE restart takes no layer for gone
	f.wanted.Store(&ingest.Size{Width: 1, Height: 1})
	shows(160)
	f.wanted.Store(&ingest.Size{Width: 1280, Height: 720})
	shows(640)
	s.layers[2].off.Store(true) // as browsers do that lack bandwidth
	shows(320)

	units := of(f.until(t, atLeast(1, 0)), media.Video)
	for i, u := range units {
		require.Equal(t, videoID, u.Track.ID)
		if i == 0 || u.Track != units[i-1].Track {
			require.True(t, u.Key, "a layer begins with a keyframe")
		}
		if i > 0 {
			// The switch may wait for a keyframe, and a busy machine for anything; back it goes by no picture.
			require.Greater(t, u.PTS-units[i-1].PTS, -time.Second/60, "unit %d of %d", i, len(units))
		}
	}
	require.LessOrEqual(t, s.layers[0].asked.Load(), int64(6))
}

func TestTheNearestLayer(t *testing.T) {
	now := testBegin
	section := &rtc.Media{Kind: media.Video}
	of := func(width int, heard time.Duration) *track {
		t := newTrack(section, codecOf("VP8", "", "nack", "nack pli"), uint32(width))
		t.rid, t.width, t.height, t.heard = "x", width, width*9/16, now.Add(-heard)
		return t
	}
	small, middle, large := of(320, 0), of(640, 0), of(1280, 0)
	for _, c := range []struct {
		name   string
		layers []*track
		size   ingest.Size
		want   *track
	}{
		{"nobody said", []*track{small, middle, large}, ingest.Size{}, large},
		{"exact", []*track{large, middle, small}, ingest.Size{Width: 640, Height: 360}, middle},
		{"a little too small is near", []*track{small, middle, large}, ingest.Size{Width: 680, Height: 382}, middle},
		{"between two", []*track{small, middle, large}, ingest.Size{Width: 854, Height: 480}, large},
		{"larger than all", []*track{middle, small}, ingest.Size{Width: 854, Height: 480}, middle},
		{"not shown", []*track{large, small, middle}, ingest.Size{Width: 1, Height: 1}, small},
		{"the best is silent", []*track{small, of(640, 2*time.Second), large}, ingest.Size{Width: 640, Height: 360}, large},
		{"its size is unknown", []*track{of(0, 0), small}, ingest.Size{Width: 640, Height: 360}, small},
		{"none", nil, ingest.Size{}, nil},
	} {
		l := layers{list: c.layers}
		require.Same(t, c.want, l.best(now, c.size), c.name)
	}
}

// Two layers of the same pictures, their clocks far apart, one of them slower on
// its way: what is captured together has the same time.
func TestLayersShareAClock(t *testing.T) {
	for _, told := range []bool{true, false} {
		one, two := trackClock{rate: videoRate}, trackClock{rate: videoRate}
		if told {
			one.report(report{ntp: time.Hour, rtp: 1000})
			two.report(report{ntp: time.Hour, rtp: 777_000})
		}
		one.at(1000, time.Second)
		two.at(777_000, 1300*time.Millisecond) // late, by chance
		for n := range uint32(100) {
			at := time.Second + time.Duration(n)*time.Second/30
			one.at(1000+3000*n, at+time.Duration(n%3)*time.Millisecond)
			two.at(777_000+3000*n, at+time.Duration((n+1)%3)*time.Millisecond)
		}
		two.join(&one)
		first, _ := one.at(1000+3000*100, 0)
		second, _ := two.at(777_000+3000*100, 0)
		require.InDelta(t, float64(first), float64(second), float64(3*time.Millisecond), "told %v", told)
	}
}

func TestALayerTakesOver(t *testing.T) {
	now := testBegin
	section := &rtc.Media{Kind: media.Video}
	var l layers
	layer := func(width int, timestamp uint32, elapsed time.Duration) *track {
		t := newTrack(section, codecOf("VP8", "", "nack", "nack pli"), uint32(width))
		t.rid, t.width, t.height, t.heard, t.keyed, t.jitter.begun = "x", width, width*9/16, now, now, true
		t.clock.at(timestamp, elapsed)
		t.assembler.waits = false
		l.add(t)
		return t
	}
	small := layer(320, 1000, time.Second)
	large := layer(640, 5_000_000, 1400*time.Millisecond) // its first packet came late
	large.clock.report(report{ntp: time.Hour, rtp: 5_000_000})
	small.clock.report(report{ntp: time.Hour, rtp: 1000})
	var passed []bool // keyframes
	pass := func(t *track, key bool) {
		l.pass(t, ingest.AccessUnit{Key: key}, func(u ingest.AccessUnit) { passed = append(passed, u.Key) })
	}
	quarter, half := ingest.Size{Width: 320, Height: 180}, ingest.Size{Width: 640, Height: 360}

	l.choose(now, quarter)
	pass(small, true)
	require.Len(t, passed, 1)
	require.False(t, large.wantsKey(now.Add(2*time.Second)), "what rests is not asked for keyframes")
	require.False(t, large.jitter.repairs, "nor for lost packets")

	l.choose(now, half)
	require.True(t, large.wantsKey(now.Add(2*time.Second)), "what is to come is")
	require.True(t, large.jitter.repairs)
	pass(large, false)
	pass(small, false)
	require.Len(t, passed, 2, "until then the other goes on")
	pass(large, true)
	pass(small, false)
	pass(large, false)
	require.Equal(t, []bool{true, false, true, false}, passed)
	before, _ := small.clock.at(1000+9000, 0)
	after, _ := large.clock.at(5_000_000+9000, 0)
	require.Equal(t, before, after, "on the same clock")
	require.False(t, small.jitter.repairs)
}
