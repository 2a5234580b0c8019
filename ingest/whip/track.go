package whip

import (
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/internal/rtc"
)

const (
	pliInterval = time.Second     // between requests for a keyframe, at least
	keyInterval = 4 * time.Second // without a keyframe: browsers send none unasked, and who joins needs one
)

// track is one stream of a publisher, from packets to access units. It belongs
// to one goroutine.
type track struct {
	section   *rtc.Media
	codec     rtc.Codec
	ssrc      uint32
	rid       string // of a layer of a simulcast; else empty
	role      role   // of a layer
	pli       bool   // the publisher makes keyframes when asked
	repairs   bool   // and sends lost packets again
	jitter    jitterBuffer
	assembler assembler
	clock     trackClock
	capture   uint8 // header extension that says when a packet was captured; 0: none

	heard         time.Time // last packet
	over          bool      // another stream took its place
	width, height int       // of the newest keyframe
	lost          int       // packets given up before the next one
	asked         time.Time // for a keyframe, last
	wanted        bool      // a keyframe, by somebody who watches
	keyed         time.Time // last keyframe
	plis          uint64
	count         uint64   // packets
	told          Counters // of these, what the server's counters have
}

func newTrack(section *rtc.Media, c rtc.Codec, ssrc uint32) *track {
	t := &track{section: section, codec: c, ssrc: ssrc, pli: slices.Contains(c.Feedback, "nack pli")}
	t.repairs = slices.Contains(c.Feedback, "nack")
	t.jitter.repairs = t.repairs
	t.clock = trackClock{rate: int64(c.ClockRate)}
	t.assembler = assembler{format: formatOf(c), waits: t.video(), packets: !t.video()}
	return t
}

func (t *track) video() bool { return t.section.Kind == media.Video }

func formatOf(c rtc.Codec) format {
	switch c.Name {
	case "H264":
		return newH264Format(c)
	case "VP8":
		return &vp8Format{}
	case "VP9":
		return &vp9Format{}
	case "AV1":
		return &av1Format{}
	}
	return newOpusFormat()
}

// put takes a packet as it arrives.
func (t *track) put(p *rtp.Packet, at time.Time) {
	t.count++
	t.heard = at
	t.heed(p)
	if !t.over && t.jitter.put(p, at) {
		t.lost++
	}
}

// heed takes what a packet says of its capture (abs-capture-time): by the clock
// of who captured it, which may differ from the sender's by an offset.
func (t *track) heed(p *rtp.Packet) {
	if t.capture == 0 {
		return
	}
	var stamp rtp.AbsCaptureTimeExtension
	if stamp.Unmarshal(p.GetExtension(t.capture)) != nil || stamp.Timestamp == 0 {
		return
	}
	at := stamp.Timestamp
	if stamp.EstimatedCaptureClockOffset != nil {
		at += uint64(*stamp.EstimatedCaptureClockOffset) // two's complement, in the same units
	}
	t.clock.report(report{ntp: ntpTime(at), rtp: p.Timestamp, exact: true})
}

// drain hands on every access unit that is whole. elapsed is the time since
// the session began.
func (t *track) drain(now time.Time, elapsed time.Duration, write func(ingest.AccessUnit)) {
	for {
		p, came, lost := t.jitter.take(now)
		t.lost += lost
		if p == nil {
			if t.lost > 0 && t.video() {
				t.assembler.waits = true // ask for a keyframe at once
			}
			return
		}
		if p.PayloadType != t.codec.PayloadType && !t.change(p.PayloadType) {
			continue
		}
		t.assembler.put(p, came, t.loss(), func(f frame) {
			if f.key {
				t.keyed, t.width, t.height, t.wanted = now, f.track.Width, f.track.Height, false
			}
			at, captured := t.clock.at(f.timestamp, elapsed)
			write(ingest.AccessUnit{Track: f.track, PTS: at, DTS: at, Received: f.began, Captured: captured, Key: f.key, Data: f.data})
		})
		t.lost = 0
	}
}

// change follows a publisher to another of the codecs that were agreed to.
func (t *track) change(payloadType uint8) bool {
	i := slices.IndexFunc(t.section.Codecs, func(c rtc.Codec) bool { return c.PayloadType == payloadType })
	if i < 0 || !supported(t.section.Kind, t.section.Codecs[i]) || int64(t.section.Codecs[i].ClockRate) != t.clock.rate {
		return false
	}
	t.codec = t.section.Codecs[i]
	t.assembler.abandon()
	t.assembler.format = formatOf(t.codec)
	return true
}

// loss is what the assembler is told: sound does not refer to what was lost.
func (t *track) loss() int {
	if !t.video() {
		return 0
	}
	return t.lost
}

// feedback is what to tell the publisher now.
func (t *track) feedback(now time.Time) (packets []rtcp.Packet) {
	if missing := t.jitter.ask(now); len(missing) > 0 {
		packets = append(packets, &rtcp.TransportLayerNack{MediaSSRC: t.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(missing)})
	}
	if t.wantsKey(now) {
		t.asked, t.wanted = now, false
		t.plis++
		packets = append(packets, &rtcp.PictureLossIndication{MediaSSRC: t.ssrc})
	}
	return packets
}

func (t *track) wantsKey(now time.Time) bool {
	if !t.video() || t.over || !t.pli || !t.jitter.begun || now.Sub(t.asked) < pliInterval {
		return false
	}
	switch t.role {
	case resting:
		return t.width == 0 // how large it is must be known
	case coming:
		return true
	}
	return t.assembler.waits || t.wanted || now.Sub(t.keyed) >= keyInterval
}

// counts is what happened so far.
func (t *track) counts() Counters {
	return Counters{
		Packets: t.count, Late: t.jitter.counts.late, Lost: t.jitter.counts.lost, NACKs: t.jitter.counts.nacks,
		PLIs: t.plis, Dropped: t.assembler.counts.dropped, Malformed: t.assembler.counts.malformed,
	}
}
