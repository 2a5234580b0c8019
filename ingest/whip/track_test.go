package whip

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/internal/rtc"
)

func codecOf(name, format string, feedback ...string) rtc.Codec {
	c := rtc.Codec{Name: name, PayloadType: 96, ClockRate: videoRate, Format: format, Feedback: feedback}
	if name == "OPUS" {
		c.ClockRate, c.Channels = opusRate, 2
	}
	return c
}

var testBegin = time.Unix(1000, 0)

// stand is a track with a clock of the test's.
type stand struct {
	*track
	now   time.Duration
	units []ingest.AccessUnit
	plis  int
	nacks []uint16
}

func newStand(c rtc.Codec) *stand {
	section := &rtc.Media{Kind: media.Video, Codecs: []rtc.Codec{c}}
	if c.Name == "OPUS" {
		section.Kind = media.Audio
	}
	return &stand{track: newTrack(section, c, 1)}
}

// step lets time pass and takes packets.
func (s *stand) step(d time.Duration, packets ...*rtp.Packet) {
	s.now += d
	now := testBegin.Add(s.now)
	for _, p := range packets {
		s.put(p, now)
	}
	s.drain(now, s.now, func(u ingest.AccessUnit) { s.units = append(s.units, u) })
	for _, f := range s.feedback(now) {
		switch f := f.(type) {
		case *rtcp.PictureLossIndication:
			s.plis++
		case *rtcp.TransportLayerNack:
			for _, pair := range f.Nacks {
				s.nacks = append(s.nacks, pair.PacketList()...)
			}
		}
	}
}

// wire numbers the packets of frames.
type wire struct {
	sequence  uint16
	timestamp uint32
}

func (w *wire) frame(payloader rtp.Payloader, data []byte) (packets []*rtp.Packet) {
	for _, payload := range payloader.Payload(1000, data) {
		packets = append(packets, &rtp.Packet{
			Header:  rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: w.sequence, Timestamp: w.timestamp, SSRC: 1},
			Payload: payload,
		})
		w.sequence++
	}
	packets[len(packets)-1].Marker = true
	w.timestamp += 3000
	return packets
}

func vp8Frame(w *wire, n int, key bool) []*rtp.Packet {
	data, _ := vp8Picture(n, key)
	return w.frame(&codecs.VP8Payloader{}, data)
}

func TestF10TimestampsAndNumbersWrap(t *testing.T) {
	s := newStand(codecOf("VP8", "", "nack", "nack pli"))
	w := &wire{sequence: 0xfff0, timestamp: 0xffffffff - 2*3000}
	for n := range 20 {
		s.step(time.Second/30, vp8Frame(w, n, n == 0)...)
	}
	require.Len(t, s.units, 20)
	for i := 1; i < len(s.units); i++ {
		require.InDelta(t, float64(time.Second/30), float64(s.units[i].PTS-s.units[i-1].PTS), 2)
	}
	require.Empty(t, s.nacks)
	require.Zero(t, s.counts().Late)
}

func TestPacketsAreReordered(t *testing.T) {
	s := newStand(codecOf("VP8", "", "nack", "nack pli"))
	w := &wire{}
	s.step(0, vp8Frame(w, 0, true)...)
	packets := vp8Frame(w, 1, false)
	s.step(time.Millisecond, packets[1:]...)
	require.Len(t, s.units, 1)
	s.step(time.Millisecond, packets[0], packets[0])
	require.Len(t, s.units, 2)
	_, want := vp8Picture(1, false)
	require.Equal(t, want, s.units[1].Data)
	require.Equal(t, uint64(1), s.counts().Late)
}

// F18: with a round trip of 300 ms, a packet that took two requests is still
// waited for.
func TestF18WaitingFollowsTheRoundTrip(t *testing.T) {
	s := newStand(codecOf("VP8", "", "nack", "nack pli"))
	s.jitter.floor = 300 * time.Millisecond
	w := &wire{}
	s.step(0, vp8Frame(w, 0, true)...)
	lost := vp8Frame(w, 1, false)
	s.step(33*time.Millisecond, lost[1:]...)
	require.Equal(t, []uint16{lost[0].SequenceNumber}, s.nacks, "asked for at once")
	for n := 2; n < 22; n++ {
		s.step(33*time.Millisecond, vp8Frame(w, n, false)...)
	}
	require.Equal(t, 2, len(s.nacks), "asked again after a round trip, not at each packet")
	require.Len(t, s.units, 1)
	s.step(time.Millisecond, lost[0])
	require.Len(t, s.units, 22, "none was thrown away")
	require.Zero(t, s.plis)
}

func TestUndecodableAsksForAKeyframe(t *testing.T) {
	s := newStand(codecOf("VP8", "", "nack", "nack pli"))
	s.jitter.floor = 10 * time.Millisecond
	w := &wire{}
	s.step(0, vp8Frame(w, 0, true)...)
	vp8Frame(w, 1, false) // lost whole
	for n := 2; n < 50; n++ {
		s.step(33*time.Millisecond, vp8Frame(w, n, false)...)
	}
	require.Len(t, s.units, 1)
	require.Equal(t, 2, s.plis, "one a second at most")
	s.step(33*time.Millisecond, vp8Frame(w, 50, true)...)
	s.step(33*time.Millisecond, vp8Frame(w, 51, false)...)
	require.Len(t, s.units, 3, "and goes on from there")
	require.NotZero(t, s.counts().Lost)
	require.NotZero(t, s.counts().Dropped)
}

func TestKeyframesAreAskedForNowAndThen(t *testing.T) {
	s := newStand(codecOf("VP8", "", "nack", "nack pli"))
	w := &wire{}
	for n := range 30 * 10 {
		s.step(time.Second/30, vp8Frame(w, n, n == 0)...)
	}
	require.InDelta(t, 6, s.plis, 1, "4 s after a keyframe, then each second")
}

// However often viewers ask for a keyframe, the publisher is asked once a second.
func TestViewersMayWantAKeyframe(t *testing.T) {
	s := newStand(codecOf("VP8", "", "nack", "nack pli"))
	w := &wire{}
	s.step(0, vp8Frame(w, 0, true)...)
	for n := 1; n < 60; n++ {
		s.wanted = true
		s.step(time.Second/30, vp8Frame(w, n, false)...)
	}
	require.Equal(t, 2, s.plis)
	s.wanted = true
	s.step(time.Second/30, vp8Frame(w, 60, true)...)
	for n := 61; n < 120; n++ {
		s.step(time.Second/30, vp8Frame(w, n, false)...)
	}
	require.Equal(t, 2, s.plis, "one has come")
}

func TestAStreamThatBeginsAgainElsewhere(t *testing.T) {
	s := newStand(codecOf("VP8", "", "nack", "nack pli"))
	w := &wire{}
	s.step(0, vp8Frame(w, 0, true)...)
	w.sequence += 20000
	s.step(33*time.Millisecond, vp8Frame(w, 1, false)...)
	require.Len(t, s.units, 1)
	require.Equal(t, 1, s.plis)
	s.step(time.Second, vp8Frame(w, 2, true)...)
	require.Len(t, s.units, 2)
	require.Empty(t, s.nacks, "20000 packets are not asked for")
}

func TestSoundDoesNotWait(t *testing.T) {
	s := newStand(codecOf("OPUS", ""))
	for n := range 10 {
		if n == 3 {
			continue
		}
		s.step(20*time.Millisecond, &rtp.Packet{
			Header:  rtp.Header{PayloadType: 96, SequenceNumber: uint16(n), Timestamp: uint32(n * 960)},
			Payload: opusPacket(n),
		})
	}
	require.Len(t, s.units, 9)
	require.Equal(t, 40*time.Millisecond, s.units[3].PTS-s.units[2].PTS, "the gap is in the time")
	require.Zero(t, s.plis)
	require.Empty(t, s.nacks, "not agreed to")
}

func TestCodecMayChange(t *testing.T) {
	s := newStand(codecOf("VP8", "", "nack", "nack pli"))
	vp9 := codecOf("VP9", "")
	vp9.PayloadType = 98
	s.section.Codecs = append(s.section.Codecs, vp9)
	w := &wire{}
	s.step(0, vp8Frame(w, 0, true)...)
	data, _ := vp9Picture(1, true)
	for _, p := range w.frame(&codecs.VP9Payloader{}, data) {
		p.PayloadType = 98
		s.step(time.Millisecond, p)
	}
	require.Len(t, s.units, 2)
	require.Equal(t, media.VP9, s.units[1].Track.Codec)
}

func TestClockReadsReports(t *testing.T) {
	const ntp = 3_900_000_000 * time.Second
	video, audio := trackClock{rate: videoRate}, trackClock{rate: opusRate}
	// Captured together, but the picture arrives 150 ms later than the sound.
	source, captured := audio.at(5000, 100*time.Millisecond)
	require.Equal(t, 100*time.Millisecond, source)
	require.Zero(t, captured, "nothing is known of the sender's clock")
	source, _ = video.at(7000, 250*time.Millisecond)
	require.Equal(t, 250*time.Millisecond, source)
	audio.report(report{ntp: ntp, rtp: 5000})
	video.report(report{ntp: ntp, rtp: 7000})
	source, captured = audio.at(5000+480, 0)
	require.Equal(t, []time.Duration{110 * time.Millisecond, ntp + 10*time.Millisecond}, []time.Duration{source, captured})
	source, captured = video.at(7000+900, 0)
	require.Equal(t, []time.Duration{260 * time.Millisecond, ntp + 10*time.Millisecond}, []time.Duration{source, captured})

	// What a packet says of its capture outweighs a report.
	video.report(report{ntp: ntp + time.Second, rtp: 7000, exact: true})
	video.report(report{ntp: ntp, rtp: 7000})
	_, captured = video.at(7000, 0)
	require.Equal(t, ntp+time.Second, captured)
}

func TestReportBeforeTheFirstPacket(t *testing.T) {
	audio := trackClock{rate: opusRate}
	audio.report(report{ntp: 10 * time.Second, rtp: 960})
	source, captured := audio.at(1920, time.Second)
	require.Equal(t, time.Second, source)
	require.Equal(t, 10*time.Second+20*time.Millisecond, captured)
}

func TestClockOfMonths(t *testing.T) {
	c := trackClock{rate: videoRate}
	c.at(0, 0)
	c.report(report{ntp: time.Hour, rtp: 0})
	var source, captured time.Duration
	for range 200 * 24 { // hours, in steps of 6 h: a wrap is 13.25 h
		source, captured = c.at(uint32(c.ticks+6*3600*videoRate), 0)
	}
	require.Equal(t, 200*24*6*time.Hour, source)
	require.Equal(t, 200*24*6*time.Hour+time.Hour, captured)
}

func TestPacketsSayWhenTheyWereCaptured(t *testing.T) {
	s := newStand(codecOf("VP8", ""))
	s.capture = 3
	w := &wire{}
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for n := range 3 {
		packets := vp8Frame(w, n, n == 0)
		if n == 0 {
			behind := int64(-1) << 32 // the clock of who captured it is a second ahead of the sender's
			stamp, err := rtp.AbsCaptureTimeExtension{
				Timestamp: rtp.NewAbsCaptureTimeExtension(at).Timestamp, EstimatedCaptureClockOffset: &behind,
			}.Marshal()
			require.NoError(t, err)
			require.NoError(t, packets[0].SetExtension(3, stamp))
		}
		s.step(time.Second/30, packets...)
	}
	require.Len(t, s.units, 3)
	since1900 := at.Add(-time.Second).Sub(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)) + 2208988800*time.Second
	for n, u := range s.units {
		require.InDelta(t, float64(since1900+time.Duration(n)*time.Second/30), float64(u.Captured), 1000)
	}
}
