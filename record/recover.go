package record

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/output/cmaf"
)

// recovered is what the folders held when the store was opened.
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
func recoverBlocks(disks []*disk, keep pins, log *slog.Logger) (*recovered, error) {
	blocks, err := listBlocks(disks)
	if err != nil {
		return nil, err
	}
	r := &recovered{series: map[string]*series{}, born: -1}
	layouts := map[string]*Layout{}
	pinned := true // all blocks so far: what is missing after them has expired
	loads, stop := loadAll(blocks)
	defer stop()
	for i, b := range blocks {
		<-loads[i].done
		l, err := loads[i].found, loads[i].err
		switch {
		case errors.Is(err, errNoBlock):
			log.Warn("block holds nothing and is removed", "block", b.name)
			if err := b.disk.volume.Remove(b.name); err != nil {
				log.Warn("block stays", "block", b.name, "err", err)
			}
			continue
		case l == nil:
			log.Warn("block cannot be read", "block", b.name, "err", err)
			continue
		case err != nil:
			log.Warn("block stays as it is", "block", b.name, "err", err)
		}
		b.size = l.size
		if n := len(r.blocks); n > 0 {
			pinned = pinned && keep.touch(r.blocks[n-1].first-1, b.first+1)
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

// loaders is how many blocks are loaded at once: disks answer several questions as
// soon as one.
const loaders = 8

// load is a block that is being loaded; found and err hold once done is closed.
type load struct {
	done  chan struct{}
	found *loaded
	err   error
}

// loadAll recovers the blocks side by side, in their order. Stop waits until none
// is being loaded.
func loadAll(blocks []*block) (loads []load, stop func()) {
	loads = make([]load, len(blocks))
	for i := range loads {
		loads[i].done = make(chan struct{})
	}
	var next atomic.Int64
	var cache layoutCache
	var loading sync.WaitGroup
	for range min(loaders, len(blocks)) {
		loading.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(blocks)); i = next.Add(1) - 1 {
				loads[i].found, loads[i].err = recoverBlock(blocks[i], &cache)
				close(loads[i].done)
			}
		})
	}
	return loads, loading.Wait
}

// layoutCache knows layouts that were read: the blocks of a channel have the same
// one, and reading JSON takes longer than reading the rest of a block's index. Nil
// knows none.
type layoutCache struct {
	mu    sync.Mutex
	known map[string]*Layout // by payload
}

func (c *layoutCache) parse(payload []byte) (*Layout, error) {
	if c == nil {
		return parseLayout(payload)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.known[string(payload)]; l != nil {
		return l, nil
	}
	l, err := parseLayout(payload)
	if err == nil {
		if c.known == nil {
			c.known = map[string]*Layout{}
		}
		c.known[string(payload)] = l
	}
	return l, err
}

// listBlocks are the blocks of all disks, in the order in which they were
// written. A disk that is away has none.
func listBlocks(disks []*disk) ([]*block, error) {
	var blocks []*block
	for _, d := range disks {
		if d.away.Load() {
			continue
		}
		names, err := d.volume.Names()
		if err != nil && (len(disks) == 1 || !d.suspect()) {
			return nil, fmt.Errorf("list blocks: %w", err)
		}
		for _, name := range names {
			if first, _, ok := parseBlockName(name); ok {
				blocks = append(blocks, &block{name: name, first: first, disk: d})
			}
		}
	}
	slices.SortStableFunc(blocks, func(a, b *block) int { return cmp.Compare(a.name, b.name) })
	return blocks, nil
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
func recoverBlock(b *block, cache *layoutCache) (*loaded, error) {
	f, err := b.disk.volume.Open(b.name)
	if err != nil {
		return nil, fmt.Errorf("open block: %w", err)
	}
	l, err := loadBlock(f, cache)
	if err == nil && !l.index.chunks() {
		l, err = nil, errNoBlock
	}
	if err == nil && !l.sealed {
		if err = l.repair(f); err != nil {
			err = fmt.Errorf("repair block: %w", err)
		}
		l.index.pack()
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
	space := make([]restored, len(x.entries)) // in one piece: opening a store is mostly allocation otherwise
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
		space[i].stored.pieces = space[i].pieces[:0]
		s.restore(b, e, rendition, l.changes, &space[i])
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
func (s *series) restore(b *block, e *indexEntry, r *cmaf.Rendition, changes int64, space *restored) {
	var newest *Segment
	if n := len(s.segments); n > 0 {
		newest = s.segments[n-1]
	}
	if newest == nil || newest.Number < e.segment {
		if e.from != 0 || e.count() == 0 && !e.gap {
			return
		}
		s.fill(e.segment)
		newest = &space.segment
		*newest = *s.begin(e.segment, r, changes, &space.body)
		newest.Complete, newest.stored = true, &space.stored
		s.segments = append(s.segments, newest)
	}
	switch {
	case e.gap:
		s.lose(e.segment)
	case newest.Number == e.segment && newest.body != nil && int(e.from) <= newest.Len():
		newest.stored.extend(piece{block: b, packed: e.packed, start: e.start}, newest.Len()-int(e.from))
		newest.Rendition = r
	}
}

// restored is room for a segment that was found on disk.
type restored struct {
	segment Segment
	body    body
	stored  stored
	pieces  [1]piece
}

// stored is what a block's index says of a segment. It is unpacked when the
// segment is first asked for: opening a store does not wait for that.
type stored struct {
	pieces      []piece
	count       int    // parts
	first, last *block // of the pieces

	once  sync.Once
	parts []cmaf.Part
}

// piece is a run of parts in one block.
type piece struct {
	block  *block
	packed []byte // as in the index; the part before it, if any, is that of another piece
	start  int64  // decode time of the first
}

// extend appends what a piece has beyond the parts that are known. The segment
// is not published yet.
func (t *stored) extend(p piece, known int) {
	if known*entryPartSize >= len(p.packed) {
		return
	}
	for ; known > 0; known-- {
		p.start += int64(parsePart(p.packed).duration)
		p.packed = p.packed[entryPartSize:]
	}
	t.pieces, t.last = append(t.pieces, p), p.block
	if t.first == nil {
		t.first = p.block
	}
	t.count += len(p.packed) / entryPartSize
}

// unpack fills in the parts, and where they lie.
func (t *stored) unpack(b *body) {
	parts, extents := make([]cmaf.Part, 0, t.count), make([]extent, 0, t.count)
	for _, piece := range t.pieces {
		start := piece.start
		for packed := piece.packed; len(packed) > 0; packed = packed[entryPartSize:] {
			p := parsePart(packed)
			parts = append(parts, cmaf.Part{
				Start: start, Duration: int64(p.duration), Independent: p.flags&flagIndependent != 0,
				Bytes: int(p.length), KeyBytes: int(p.keyBytes),
			})
			extents = append(extents, extent{block: piece.block, offset: p.offset, crc: p.crc})
			start += int64(p.duration)
		}
	}
	t.parts, t.pieces = parts, nil
	b.disk.Store(&extents)
}

// trim drops what lies below the oldest block, and what cannot be listed at the
// head.
func (s *series) trim(floor int64) {
	for len(s.segments) > 0 && (s.segments[0].Number < floor || s.segments[0].empty()) {
		s.segments = s.segments[1:]
	}
}
