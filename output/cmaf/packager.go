package cmaf

import (
	"fmt"
	"sync/atomic"

	"millrace/internal/media"
)

// Packager cuts the packets of a channel into chunks, one per part. A chunk is
// emitted from within the Write of its last frame or access unit, which the
// grid names: nothing is looked ahead. It is a media.Sink; Write and Close are
// called by one goroutine at a time.
type Packager struct {
	// Faults, when set before the first Write, is told of each break in a
	// rendition's packets, from within Write.
	Faults func(Fault)

	emit    func(*Chunk)
	streams map[string]*stream
}

// Fault is a break in what should be an unbroken row of packets.
type Fault struct {
	Rendition string
	Unit      int64 // frame or access unit, counted since the epoch, at which it was seen
	Missing   int64 // how many units before it never came; 0 where that is not the fault
	Reason    string
}

// Counts are what has gone through a rendition since the packager was made.
type Counts struct {
	Chunks  int64
	Gaps    int64 // breaks; each ends its segment early
	Missing int64 // units that never came, in those breaks
	Refused int64 // packets with a number that was written already, or beyond reason
	Skipped int64 // packets before the first segment start, or between a break and the next
}

type counters struct{ chunks, gaps, missing, refused, skipped atomic.Int64 }

// stream is the state of one rendition.
type stream struct {
	rendition *Rendition
	writer    *chunkWriter
	counts    counters

	open          bool // a segment is being written; else waiting for one to start
	next          int64
	end           int64 // the unit that begins the next part
	segment       int64
	part          int
	first         int64 // unit of samples[0]
	samples       []*media.Packet
	ready, filler bool
}

// NewPackager packages tracks whose ID is that of a rendition. Chunks of one
// rendition are emitted in order; emit must not block.
func NewPackager(renditions []*Rendition, emit func(*Chunk)) *Packager {
	p := &Packager{emit: emit, streams: make(map[string]*stream, len(renditions))}
	for _, r := range renditions {
		p.streams[r.ID] = &stream{rendition: r, writer: newChunkWriter(r)}
	}
	return p
}

// Counts are those of a rendition; safe from any goroutine.
func (p *Packager) Counts(rendition string) Counts {
	s := p.streams[rendition]
	if s == nil {
		return Counts{}
	}
	return Counts{
		Chunks: s.counts.chunks.Load(), Gaps: s.counts.gaps.Load(), Missing: s.counts.missing.Load(),
		Refused: s.counts.refused.Load(), Skipped: s.counts.skipped.Load(),
	}
}

// Write takes the next frame or access unit of a rendition; packets of other
// tracks are not for this sink. The row of a rendition begins with the first
// unit of a segment, an IDR where it is video. After a break, which ends the
// segment early, it begins again in the same way, so that every segment listed
// can be decoded and no decode time is wrong.
func (p *Packager) Write(packet *media.Packet) {
	s := p.streams[packet.Track.ID]
	if s == nil {
		return
	}
	unit := s.rendition.Unit(packet.PTS)
	if s.ready && unit < s.next || unit < 0 || len(packet.Data) == 0 {
		s.counts.refused.Add(1)
		p.report(Fault{s.rendition.ID, unit, 0, "packet out of order or empty"})
		return
	}
	if s.open && unit > s.next {
		missing := unit - s.next
		s.counts.gaps.Add(1)
		s.counts.missing.Add(missing)
		p.report(Fault{s.rendition.ID, unit, missing, "packets missing"})
		p.cut(s, true, false)
		s.open = false
	}
	if !s.open && !s.begin(unit, packet) {
		s.counts.skipped.Add(1)
		return
	}
	p.add(s, unit, packet)
}

// begin starts a segment with its first unit.
func (s *stream) begin(unit int64, packet *media.Packet) bool {
	k, part := s.rendition.Locate(unit)
	if part != 0 || unit != s.rendition.FirstUnit(k, 0) || !independent(packet) {
		return false
	}
	s.open, s.ready = true, true
	s.segment, s.part, s.first = k, 0, unit
	s.end = s.rendition.FirstUnit(k, 1)
	return true
}

func independent(p *media.Packet) bool { return p.Key || p.Track.Kind == media.Audio }

// add appends the expected unit, and cuts the part when it is the last of it.
func (p *Packager) add(s *stream, unit int64, packet *media.Packet) {
	if s.part == 0 && len(s.samples) == 0 && !independent(packet) {
		p.report(Fault{s.rendition.ID, unit, 0, "segment does not start with an IDR"})
	}
	s.samples = append(s.samples, packet)
	s.filler = s.filler || packet.Filler
	s.next = unit + 1
	if s.next == s.end {
		p.cut(s, s.part == s.rendition.Grid.Parts()-1, false)
	}
}

// cut emits what is held of the current part and moves to the next one. last
// says that the segment gets no other part, final that the presentation ends.
func (p *Packager) cut(s *stream, last, final bool) {
	if len(s.samples) == 0 {
		return
	}
	r, head := s.rendition, s.samples[0]
	start := s.first * r.UnitTicks()
	at := position{
		segment: s.part == 0, fragment: s.part > 0 && r.Track.Kind == media.Video && head.Key,
		filler: s.filler, last: final,
	}
	sequence := uint32(s.segment*int64(r.Grid.Parts()) + int64(s.part) + 1)
	data, keyBytes, err := s.writer.write(at, sequence, start, s.samples)
	if err != nil { // sizes are computed, so this is a fault of ours
		p.report(Fault{r.ID, s.first, 0, fmt.Sprintf("write chunk: %v", err)})
		s.open = false
	}
	if r.Track.Kind != media.Video || !head.Key {
		keyBytes = 0
	}
	chunk := &Chunk{
		Rendition: r.ID, Segment: s.segment, Part: s.part,
		Timescale: r.Timescale(), Start: start, Duration: int64(len(s.samples)) * r.UnitTicks(), Time: r.Time(start),
		Independent: independent(head), Filler: s.filler, Last: last, KeyBytes: keyBytes, Data: data,
	}
	s.advance()
	if err == nil {
		s.counts.chunks.Add(1)
		p.emit(chunk)
	}
}

// advance turns to the next part and lets go of the packets.
func (s *stream) advance() {
	clear(s.samples)
	s.samples, s.filler = s.samples[:0], false
	s.first = s.next
	if s.part++; s.part == s.rendition.Grid.Parts() {
		s.segment, s.part = s.segment+1, 0
	}
	s.end = s.rendition.FirstUnit(s.segment, s.part+1)
}

// Close emits the parts that are held as the last of their segments, marked as
// the end of the presentation. Packets that come later begin as after a break.
func (p *Packager) Close() {
	for _, s := range p.streams {
		if s.open {
			p.cut(s, true, true)
			s.open = false
		}
	}
}

func (p *Packager) report(f Fault) {
	if p.Faults != nil {
		p.Faults(f)
	}
}
