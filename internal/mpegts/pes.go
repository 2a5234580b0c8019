package mpegts

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/asticode/go-astits"

	"millrace/internal/media"
)

const (
	videoLimit = 8 << 20 // bytes of one PES packet
	audioLimit = 1 << 20

	wrap = int64(1) << 33 // ticks of 90 kHz
)

// parser turns the payload of whole PES packets into access units.
type parser interface {
	kind() media.Kind
	parse(u unit)
	reset() // bytes are missing before the next unit
}

// unit is one PES packet without its header. data is valid during the call.
type unit struct {
	pts, dts int64 // ticks, unwrapped
	timed    bool  // the header had a PTS
	data     []byte
}

// stream assembles the PES packets of one PID.
type stream struct {
	demuxer *Demuxer
	pid     uint16
	kind    astits.StreamType
	info    []byte // descriptors of the PMT
	parser  parser

	counter uint8
	seen    bool // counter is meaningful
	open    bool // a PES packet began and is whole so far
	buffer  []byte
	want    int // bytes; 0: until the next one begins

	dts  int64 // ticks, unwrapped, of the last PES packet
	step int64 // ticks between the last two
	when bool  // dts is meaningful
}

// trackID is unique within the transport stream.
func (s *stream) trackID() string { return fmt.Sprintf("pid%d", s.pid) }

// push takes the payload of one transport packet.
func (s *stream) push(payload []byte, start bool, counter uint8, discontinuity bool) {
	expected := (s.counter + 1) & 0x0f
	switch {
	case !s.seen || counter == expected || discontinuity && start:
	case counter == s.counter && !start && !discontinuity:
		return // sent twice (§2.4.3.3 allows it)
	default:
		s.demuxer.stats.Gaps++
		s.damage()
	}
	s.seen, s.counter = true, counter
	if start {
		if s.open {
			if s.want == 0 {
				s.finish()
			} else {
				s.damage()
			}
		}
		s.open, s.want = true, 0
	}
	if !s.open {
		return
	}
	limit := audioLimit
	if s.parser.kind() == media.Video {
		limit = videoLimit
	}
	if len(s.buffer)+len(payload) > limit || s.demuxer.held+len(payload) > heldLimit {
		s.damage()
		return
	}
	s.buffer = append(s.buffer, payload...)
	s.demuxer.held += len(payload)
	if s.want == 0 && len(s.buffer) >= 6 {
		if length := int(binary.BigEndian.Uint16(s.buffer[4:])); length > 0 {
			s.want = 6 + length
		}
	}
	if s.want > 0 && len(s.buffer) >= s.want {
		s.finish()
	}
}

// damage drops the PES packet in hand.
func (s *stream) damage() {
	if s.open {
		s.demuxer.stats.Damaged++
	}
	s.drop()
	s.parser.reset()
}

func (s *stream) drop() {
	s.demuxer.held -= len(s.buffer)
	s.open = false
	if cap(s.buffer) > videoLimit/4 {
		s.buffer = nil
	}
	s.buffer = s.buffer[:0]
}

// finish reads a whole PES packet.
func (s *stream) finish() {
	packet := s.buffer
	if s.want > 0 {
		packet = packet[:s.want]
	}
	u, ok := s.header(packet)
	if ok {
		s.parser.parse(u)
		s.drop()
		return
	}
	s.damage()
}

// header reads a PES packet's header (§2.4.3.6) and places it in time.
func (s *stream) header(p []byte) (unit, bool) {
	if len(p) < 9 || p[0] != 0 || p[1] != 0 || p[2] != 1 || p[6]>>6 != 2 || p[6]&0x30 != 0 {
		return unit{}, false
	}
	content := 9 + int(p[8])
	if content > len(p) {
		return unit{}, false
	}
	u := unit{data: p[content:], pts: s.dts + s.step, dts: s.dts + s.step}
	if p[7]&0x80 == 0 || p[8] < 5 {
		return u, s.when
	}
	u.timed = true
	pts := timestamp(p[9:])
	dts := pts
	if p[7]&0x40 != 0 && p[8] >= 10 {
		dts = timestamp(p[14:])
	}
	u.dts = unwrap(dts, s.reference(dts))
	u.pts = unwrap(pts, u.dts) // whether or not it has wrapped before its DTS
	s.time(u.dts)
	return u, true
}

// reference is the instant that a timestamp of this stream must be near: its
// own last one, at the beginning that of another stream.
func (s *stream) reference(dts int64) int64 {
	switch {
	case s.when:
		return s.dts
	case s.demuxer.timed:
		return s.demuxer.newest
	}
	return dts
}

func (s *stream) time(dts int64) {
	if s.when {
		if step := dts - s.dts; step > 0 && step < 90000 {
			s.step = step
		}
	}
	s.dts, s.when = dts, true
	s.demuxer.newest, s.demuxer.timed = dts, true
}

// timestamp reads 33 bits with their markers.
func timestamp(p []byte) int64 {
	return int64(p[0]&0x0e)<<29 | int64(p[1])<<22 | int64(p[2]&0xfe)<<14 | int64(p[3])<<7 | int64(p[4])>>1
}

// unwrap is the instant nearest to the reference that reads t in 33 bits.
func unwrap(t, reference int64) int64 {
	d := (t - reference) & (wrap - 1)
	if d >= wrap/2 {
		d -= wrap
	}
	return reference + d
}

// duration is ticks of 90 kHz as time.
func duration(ticks int64) time.Duration { return time.Duration(ticks * 100_000 / 9) }
