package record

import (
	"slices"

	"millrace/output/cmaf"
)

// series is what is listed of one rendition. It belongs to the committer.
type series struct {
	id       string
	segments []*Segment // complete ones and gaps, without holes
	kept     []row      // older ones that are pinned; what lay between has expired
	open     *Segment   // newest version of the one in progress
	tail     []*held    // those whose bytes are in memory, oldest first
	floor    int64      // below it nothing is on disk but what is pinned
	admitted struct {   // what may come next: admission runs ahead of listing
		held *held
		next int64 // lowest segment that may begin
		part int
	}

	listing *Listing
	dirty   bool // listing is not the newest
}

// row is a run of segments without holes.
type row = []*Segment

// all are the segments of a series, oldest first, but the one in progress.
func (s *series) all(yield func(*Segment) bool) {
	for _, r := range s.kept {
		for _, g := range r {
			if !yield(g) {
				return
			}
		}
	}
	for _, g := range s.segments {
		if !yield(g) {
			return
		}
	}
}

// held is a segment whose bytes are in memory.
type held struct {
	series    *series
	rendition int // in layout
	layout    *Layout
	segment   int64
	body      *body
	extents   []extent // as far as written, without holes
	parts     int
	closed    bool // no part will be added
	dropped   bool // will not be whole on disk: a gap once it leaves memory
}

// next is the lowest number that a new segment may have.
func (s *series) next() int64 {
	if s.open != nil {
		return s.open.Number + 1
	}
	if len(s.segments) == 0 {
		return 0
	}
	return s.segments[len(s.segments)-1].Number + 1
}

// admit places a chunk in its segment, before it is listed. It is refused (nil)
// when it is not the next part of its segment, or its segment is over.
func (s *series) admit(i *item, report func(*body)) *held {
	c := i.chunk
	if c.Part == 0 && c.Segment >= max(s.next(), s.admitted.next) && i.layout.covers(c.Segment, i.layout.Renditions[i.rendition], c.Start) {
		s.admitted.held = &held{
			series: s, layout: i.layout, rendition: i.rendition, segment: c.Segment, body: &body{report: report},
		}
		s.admitted.next, s.admitted.part = c.Segment+1, 0
	}
	h := s.admitted.held
	if h == nil || c.Segment != h.segment || c.Part != s.admitted.part {
		return nil
	}
	s.admitted.part++
	if c.Last {
		s.admitted.held = nil
	}
	return h
}

// add lists a chunk that was admitted.
func (s *series) add(i *item) {
	c, h := i.chunk, i.held
	if s.open != nil && c.Segment > s.open.Number {
		s.close()
	}
	if s.open == nil {
		r := i.layout.Renditions[i.rendition]
		s.fill(c.Segment)
		s.open = s.begin(c.Segment, r, i.layout.changes, h.body)
		s.tail = append(s.tail, h)
	}
	var memory [][]byte
	if old := h.body.memory.Load(); old != nil {
		memory = *old
	}
	memory = append(memory, c.Data) // beyond what readers of the old header see
	h.body.memory.Store(&memory)
	h.parts++
	grown := *s.open
	grown.Segment.Parts = append(grown.Segment.Parts, c.Describe())
	s.open, s.dirty = &grown, true
	if c.Last {
		s.close()
	}
}

// begin is a segment without parts that follows what is listed.
func (s *series) begin(k int64, r *cmaf.Rendition, changes int64, b *body) *Segment {
	g := &Segment{Segment: cmaf.Segment{Number: k}, Rendition: r, Changes: changes, body: b}
	if n := len(s.segments); n > 0 {
		g.Discontinuity = s.segments[n-1].Changes != changes
	}
	return g
}

// close ends the segment in progress, whole or short.
func (s *series) close() {
	if s.open == nil {
		return
	}
	whole := *s.open
	whole.Complete = true
	s.segments = append(s.segments, &whole)
	if n := len(s.tail); n > 0 && s.tail[n-1].segment == whole.Number {
		s.tail[n-1].closed = true
	}
	s.open, s.dirty = nil, true
}

// fill lists gaps up to, not including, segment k.
func (s *series) fill(k int64) {
	if len(s.segments) == 0 {
		return
	}
	if k-s.next() > maxGap {
		s.detach(len(s.segments)) // what of it is not pinned goes with the next expiry
		return
	}
	before := s.segments[len(s.segments)-1]
	for n := s.next(); n < k; n++ {
		s.segments = append(s.segments, before.gap(n))
	}
}

// gap is a segment k that is not held, beside g.
func (g *Segment) gap(k int64) *Segment {
	return &Segment{Segment: cmaf.Segment{Number: k, Complete: true}, Rendition: g.Rendition, Changes: g.Changes}
}

// lose turns a listed segment into a gap. Older snapshots keep what they have.
func (s *series) lose(k int64) {
	if r, ok := lost(s.segments, k); ok {
		s.segments, s.dirty = r, true
		return
	}
	for i := range s.kept {
		if r, ok := lost(s.kept[i], k); ok {
			s.kept = slices.Clone(s.kept)
			s.kept[i], s.dirty = r, true
			return
		}
	}
}

// lost is a copy of the row with a gap in the place of segment k, where the row
// holds it.
func lost(r row, k int64) (row, bool) {
	if len(r) == 0 || k < r[0].Number || k > r[len(r)-1].Number || r[k-r[0].Number].empty() {
		return nil, false
	}
	r = slices.Clone(r)
	at := k - r[0].Number
	r[at] = r[at].gap(k)
	return r, true
}

// condemn turns the segment with this body into a gap.
func (s *series) condemn(b *body) bool {
	for g := range s.all {
		if g.body == b {
			s.lose(g.Number)
			return true
		}
	}
	return false
}

// expire lets go of segments below floor that are not in memory, and of gaps
// with nothing before them. Those that are pinned are set apart.
func (s *series) expire(floor int64, keep pins) {
	s.floor = max(s.floor, floor)
	for len(s.segments) > 0 {
		head := s.segments[0]
		if head.Number >= s.floor && !head.empty() || s.inMemory(head.Number) {
			return
		}
		end := keep.until(head.Number)
		if end > head.Number && !head.empty() {
			if end >= s.floor || end > s.segments[len(s.segments)-1].Number || s.inMemory(end-1) {
				return // what is pinned goes on into what is held anyway
			}
			s.detach(int(end - head.Number))
			continue
		}
		s.segments = s.segments[1:]
		s.dirty = true
	}
}

// detach sets the first n segments apart: what follows them expires.
func (s *series) detach(n int) {
	s.kept = append(slices.Clip(s.kept), s.segments[:n:n])
	s.segments = s.segments[n:]
	s.dirty = true
}

// unpin lets go of what was set apart and is no longer pinned.
func (s *series) unpin(keep pins) {
	var kept []row
	before, after := 0, 0
	for _, r := range s.kept {
		before += len(r)
		for _, run := range keep.pinned(r) {
			kept = append(kept, run)
			after += len(run)
		}
	}
	if before != after {
		s.kept, s.dirty = kept, true
	}
}

// inMemory says that segment k is, or one before it.
func (s *series) inMemory(k int64) bool { return len(s.tail) > 0 && k >= s.tail[0].segment }

// written notes that the next part of a segment is durable.
func (h *held) written(e extent) { h.extents = append(h.extents, e) }

// durable says that the segment can be read back as it is listed.
func (h *held) durable() bool { return h.closed && !h.dropped && len(h.extents) == h.parts }

// evict takes out of memory the segments that are more than keep behind the
// newest and durable, and those more than keepLost behind that will never be.
func (s *series) evict(keep, keepLost int64, pinned pins) {
	newest := s.next() - 1
	for len(s.tail) > 0 {
		h := s.tail[0]
		switch age := newest - h.segment; {
		case age >= keep && h.closed && h.segment < s.floor && !pinned.cover(h.segment):
		case age >= keep && h.durable():
			extents := h.extents
			h.body.disk.Store(&extents)
		case age >= keepLost && h.closed:
			h.dropped = true
			s.lose(h.segment)
		default:
			return
		}
		h.body.memory.Store(nil)
		s.tail = slices.Delete(s.tail, 0, 1)
	}
}

// publish makes a new listing if anything has changed, and returns the channel
// of the old one, which is to be closed when the new one can be seen.
func (s *series) publish() (superseded chan struct{}) {
	if !s.dirty && s.listing != nil {
		return nil
	}
	if s.listing != nil {
		superseded = s.listing.changed
	}
	changed := make(chan struct{})
	s.listing = &Listing{
		ID: s.id, Changed: changed, changed: changed, segments: slices.Clip(s.segments), kept: s.kept, open: s.open,
	}
	s.dirty = false
	return superseded
}
