package record

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"millrace/output/cmaf"
)

// recovered is what a folder held when the store was opened.
type recovered struct {
	blocks []*block // oldest first
	series map[string]*series
	layout *Layout // newest
	born   int64   // negative when nothing was ever stored
}

func (r *recovered) bytes() (sum int64) {
	for _, b := range r.blocks {
		sum += b.size
	}
	return sum
}

// recoverBlocks reads the index of every block; a block that was not sealed is
// scanned, cut after its last good record, and sealed. A block that cannot be
// read is left alone and costs what it holds.
func recoverBlocks(v volume, h *handles, keep pins, log *slog.Logger) (*recovered, error) {
	names, err := v.Names()
	if err != nil {
		return nil, fmt.Errorf("list blocks: %w", err)
	}
	slices.Sort(names)
	r := &recovered{series: map[string]*series{}, born: -1}
	layouts := map[string]*Layout{}
	pinned := true // all blocks so far: what is missing after them has expired
	for _, name := range names {
		first, _, ok := parseBlockName(name)
		if !ok {
			continue
		}
		l, err := recoverBlock(v, name)
		switch {
		case errors.Is(err, errNoBlock):
			log.Warn("block holds nothing and is removed", "block", name)
			if err := v.Remove(name); err != nil {
				log.Warn("block stays", "block", name, "err", err)
			}
			continue
		case l == nil:
			log.Warn("block cannot be read", "block", name, "err", err)
			continue
		case err != nil:
			log.Warn("block stays as it is", "block", name, "err", err)
		}
		b := &block{name: name, first: first, size: l.size, handles: h}
		if n := len(r.blocks); n > 0 {
			pinned = pinned && keep.touch(r.blocks[n-1].first-1, first+1)
		}
		r.blocks = append(r.blocks, b)
		if pinned {
			r.detach(l.index, keep)
		}
		if l.header.Born >= 0 && (r.born < 0 || l.header.Born < r.born) {
			r.born = l.header.Born
		}
		r.merge(b, l.index, layouts)
	}
	for _, s := range r.series {
		s.trim(r.blocks[0].first)
		s.unpin(keep)
		if len(s.segments) > 0 && (r.born < 0 || s.segments[0].Number < r.born) {
			r.born = s.segments[0].Number
		}
	}
	return r, nil
}

// detach sets apart what is listed where it does not reach the block that comes
// next, unless a pin says that what lies between belongs together.
func (r *recovered) detach(x *blockIndex, keep pins) {
	if len(x.entries) == 0 {
		return
	}
	first := x.entries[0].segment
	for _, s := range r.series {
		if n := len(s.segments); n > 0 && s.next() < first-1 && keep.until(s.next()) < first {
			s.detach(n)
		}
	}
}

// recoverBlock loads a block and repairs it. With an error it gives what could
// be read all the same, if anything could.
func recoverBlock(v volume, name string) (*loaded, error) {
	f, err := v.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open block: %w", err)
	}
	l, err := loadBlock(f)
	if err == nil && !l.index.chunks() {
		l, err = nil, errNoBlock
	}
	if err == nil && !l.sealed {
		if err = l.repair(f); err != nil {
			err = fmt.Errorf("repair block: %w", err)
		}
	}
	return l, errors.Join(err, f.Close())
}

// repair cuts a scanned block after its last good record and seals it.
func (l *loaded) repair(f blockFile) error {
	if err := f.Truncate(l.end); err != nil {
		return err
	}
	l.size = l.end
	size, err := seal(f, l.header.ID, l.index, l.end)
	if err != nil {
		return err
	}
	l.size = size
	return nil
}

// merge lists what a block holds after what older blocks hold.
func (r *recovered) merge(b *block, x *blockIndex, layouts map[string]*Layout) {
	for i := range x.layouts {
		l := x.layouts[i].layout
		key := layoutKey(l)
		if known := layouts[key]; known != nil {
			x.layouts[i].layout = known
		} else {
			layouts[key] = l
		}
		r.layout = x.layouts[i].layout
	}
	room := newRoom(x)
	for i := range x.entries {
		e := &x.entries[i]
		l := x.layouts[e.layout].layout
		if int(e.rendition) >= len(l.Renditions) || !l.covers(e.segment, l.Renditions[e.rendition], e.start) {
			continue
		}
		rendition := l.Renditions[e.rendition]
		s := r.series[rendition.ID]
		if s == nil {
			s = &series{id: rendition.ID}
			r.series[rendition.ID] = s
		}
		s.restore(b, e, rendition, l.changes, room)
	}
}

// layoutKey makes equal layouts one in memory.
func layoutKey(l *Layout) string {
	var key strings.Builder
	fmt.Fprintf(&key, "%v %d", l.Grid, l.changes)
	for _, r := range l.Renditions {
		fmt.Fprintf(&key, "|%q %q %q %d %d %q %q", r.ID, r.InitName, r.Init, r.Bandwidth, r.AverageBandwidth, r.Language, r.Name)
	}
	return key.String()
}

// restore lists a run of parts that follows what is listed: the next parts of
// the newest segment, or the first of a later one.
func (s *series) restore(b *block, e *indexEntry, r *cmaf.Rendition, changes int64, space *room) {
	var newest *Segment
	if n := len(s.segments); n > 0 {
		newest = s.segments[n-1]
	}
	if newest == nil || newest.Number < e.segment {
		if e.from != 0 || len(e.parts) == 0 && !e.gap {
			return
		}
		s.fill(e.segment)
		newest = s.begin(e.segment, r, changes, space.body())
		newest.Complete = true
		s.segments = append(s.segments, newest)
	}
	switch {
	case e.gap:
		s.lose(e.segment)
	case newest.Number == e.segment && newest.body != nil && int(e.from) <= len(newest.Parts):
		newest.extend(b, e, r, space)
	}
}

// room is where the segments of one block go, in a few pieces: opening a store
// is mostly allocation otherwise.
type room struct {
	bodies  []body
	parts   []cmaf.Part
	extents []extent
	rows    [][]extent
}

func newRoom(x *blockIndex) *room {
	n := 0
	for i := range x.entries {
		n += len(x.entries[i].parts)
	}
	entries := len(x.entries)
	return &room{make([]body, entries), make([]cmaf.Part, n), make([]extent, n), make([][]extent, entries)}
}

func (m *room) body() *body {
	b := &m.bodies[0]
	m.bodies = m.bodies[1:]
	return b
}

// row keeps the extents of a segment.
func (m *room) row(extents []extent) *[]extent {
	r := &m.rows[0]
	m.rows = m.rows[1:]
	*r = extents
	return r
}

// take gives empty slices with room for n.
func (m *room) take(n int) ([]cmaf.Part, []extent) {
	parts, extents := m.parts[:0:n], m.extents[:0:n]
	m.parts, m.extents = m.parts[n:], m.extents[n:]
	return parts, extents
}

// extend appends the parts of an entry that the segment does not have yet. The
// segment is not published yet.
func (g *Segment) extend(b *block, e *indexEntry, r *cmaf.Rendition, space *room) {
	var extents []extent
	if disk := g.body.disk.Load(); disk != nil {
		extents = *disk
	}
	skip := len(g.Parts) - int(e.from)
	if len(g.Parts) == 0 {
		g.Parts, extents = space.take(len(e.parts))
	}
	start := e.start
	for i := range e.parts {
		p := &e.parts[i]
		if i >= skip {
			g.Parts = append(g.Parts, cmaf.Part{
				Start: start, Duration: int64(p.duration), Independent: p.flags&flagIndependent != 0,
				Bytes: int(p.length), KeyBytes: int(p.keyBytes),
			})
			extents = append(extents, extent{block: b, offset: p.offset, crc: p.crc})
		}
		start += int64(p.duration)
	}
	g.body.disk.Store(space.row(extents))
	g.Rendition = r
}

// trim drops what lies below the oldest block, and what cannot be listed at the
// head.
func (s *series) trim(floor int64) {
	for len(s.segments) > 0 && (s.segments[0].Number < floor || s.segments[0].Gap()) {
		s.segments = s.segments[1:]
	}
}
