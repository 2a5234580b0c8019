package whep

import (
	"time"

	"github.com/pion/rtcp"
)

// leastRepeat is the time between two repetitions of one packet.
const leastRepeat = 20 * time.Millisecond

// listen reads what a viewer says of one stream until the stream ends.
func (v *viewer) listen(s *sender) {
	buffer := make([]byte, 2048)
	for {
		n, _, err := s.reader.Read(buffer, nil)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buffer[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			if !s.concerns(p) {
				continue
			}
			select {
			case v.feedback <- p:
			default: // a flood
			}
		}
	}
}

// concerns says whether a packet is for this stream: a compound comes once for
// each stream that it names.
func (s *sender) concerns(p rtcp.Packet) bool {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		return p.MediaSSRC == s.header.SSRC
	case *rtcp.PictureLossIndication:
		return p.MediaSSRC == s.header.SSRC
	case *rtcp.FullIntraRequest:
		return len(p.FIR) > 0 && p.FIR[0].SSRC == s.header.SSRC
	case *rtcp.TransportLayerCC:
		return p.MediaSSRC == s.header.SSRC
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		return len(p.SSRCs) > 0 && p.SSRCs[0] == s.header.SSRC
	case *rtcp.ReceiverReport:
		for _, r := range p.Reports {
			if r.SSRC == s.header.SSRC {
				return true
			}
		}
	}
	return false
}

// hearBack acts on what the viewer says.
func (v *viewer) hearBack(p rtcp.Packet, now time.Time) {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		v.repair(p, now)
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		v.program.server.counters.plis.Add(1)
		v.key.Store(true)
	case *rtcp.TransportLayerCC:
		v.estimate.congestion(p, now)
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		v.estimate.limit(int(p.Bitrate), now)
	case *rtcp.ReceiverReport:
		for _, r := range p.Reports {
			if v.video != nil && r.SSRC == v.video.header.SSRC {
				v.estimate.lost(float64(r.FractionLost)/256, now)
			}
		}
	}
}

// repair sends again what the viewer misses, at the stream's pace.
func (v *viewer) repair(p *rtcp.TransportLayerNack, now time.Time) {
	s := v.video
	if s == nil || s.history == nil || p.MediaSSRC != s.header.SSRC {
		return
	}
	for _, pair := range p.Nacks {
		pair.Range(func(number uint16) bool {
			found := s.history.take(number, now, leastRepeat)
			if found == nil {
				return true
			}
			if !v.pacer.allow(now, len(found.payload)) {
				return false
			}
			v.number++
			v.estimate.sent(v.number, len(found.payload), now)
			_ = s.again(*found, v.number) // lost, as on the wire
			v.program.server.counters.repaired.Add(1)
			return true
		})
	}
}
