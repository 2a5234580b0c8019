package record

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// returned is what a disk holds that was away when the store was opened.
type returned struct {
	disk  *disk
	found *recovered
}

// missing are the disks that were away when the store was opened, and still are.
func (s *Store) missing() []*disk {
	return slices.DeleteFunc(slices.Clone(s.disks), func(d *disk) bool { return !d.absent.Load() })
}

// awaitMissing looks for disks until they are back or the context ends, reads what
// they hold beside everything else, and gives it to the committer. Until that has
// taken it nothing is written there.
func (s *Store) awaitMissing(ctx context.Context, disks []*disk, give chan<- *returned) {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for len(disks) > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		disks = slices.DeleteFunc(slices.Clone(disks), func(d *disk) bool {
			if d.suspect() {
				return false
			}
			found, err := recoverBlocks([]*disk{d}, s.retention.Load().pins, s.log)
			if err != nil {
				s.log.Warn("volume is back and cannot be read yet", "volume", d.name, "err", err)
				return false
			}
			select {
			case give <- &returned{d, found}:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}
}

// readmit lists what a disk holds that is back, and has the writer use it. Until the
// first layout is in force it waits: the grid is not known.
func (c *committer) readmit(r *returned) {
	if c.layout == nil {
		c.early = append(c.early, r)
		return
	}
	switch {
	case r.found.layout != nil && r.found.layout.Grid != c.layout.Grid:
		c.store.log.Warn("volume is back; what it holds is of another frame rate and is not listed", "volume", r.disk.name)
		r.found = &recovered{}
	default:
		c.store.log.Info("volume is back; what it holds is listed", "volume", r.disk.name, "blocks", len(r.found.blocks))
	}
	keep := c.store.retention.Load().pins
	for id, found := range r.found.series {
		for g := range found.all {
			if g.body != nil {
				g.body.report = c.store.report
			}
		}
		s := c.store.series[id]
		if s == nil {
			s = &series{id: id}
			c.store.series[id] = s
		}
		s.readmit(found, keep)
	}
	if len(r.found.blocks) > 0 && r.found.born >= 0 && (c.born < 0 || r.found.born < c.born) {
		c.born = r.found.born
	}
	b := &batch{returned: r, handed: time.Now(), listed: true}
	c.batches = append(c.batches, b)
	c.queue.push(b)
}

// readmit takes the blocks of a disk that is back among the others.
func (w *writer) readmit(r *returned) {
	w.blocks = append(w.blocks, r.found.blocks...)
	slices.SortStableFunc(w.blocks, func(a, b *block) int {
		if w.current != nil && (a == w.current.block) != (b == w.current.block) { // the newest is what is written
			if a == w.current.block {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.name, b.name)
	})
	w.total += r.found.bytes()
	r.disk.absent.Store(false)
}

// readmit lists what was found on a disk that is back: in the place of gaps, and
// before what is listed.
func (s *series) readmit(found *series, keep pins) {
	first := int64(math.MaxInt64)
	if len(s.segments) > 0 {
		first = s.segments[0].Number
	} else if s.open != nil {
		first = s.open.Number
	}
	rows := append(slices.Clone(s.kept), s.segments)
	cloned := make([]bool, len(rows))
	var before row
	for g := range found.all {
		i := slices.IndexFunc(rows, func(r row) bool { return len(r) > 0 && r[0].Number <= g.Number && g.Number <= r[len(r)-1].Number })
		switch {
		case g.empty():
		case i < 0 && g.Number < first:
			before = append(before, g)
		case i >= 0 && rows[i][g.Number-rows[i][0].Number].empty():
			if !cloned[i] {
				rows[i], cloned[i] = slices.Clone(rows[i]), true
			}
			rows[i][g.Number-rows[i][0].Number] = g
		}
	}
	s.kept, s.segments = rows[:len(rows)-1], rows[len(rows)-1]
	s.precede(before, first, keep)
	for i, r := range s.kept {
		s.kept[i] = rejoin(r)
	}
	s.segments, s.dirty = rejoin(s.segments), true
}

// precede lists segments before the first one. What lies before or among older ones
// that are kept for a recording, or too far back, is listed as far as it is pinned too.
func (s *series) precede(before row, first int64, keep pins) {
	oldest := int64(-1) // that may join the first
	if first < math.MaxInt64 {
		oldest = first - maxGap
	}
	for _, r := range s.kept {
		oldest = max(oldest, r[len(r)-1].Number+1)
	}
	apart := slices.IndexFunc(before, func(g *Segment) bool { return g.Number >= oldest })
	if apart < 0 {
		apart = len(before)
	}
	joined := make(row, 0, len(before)-apart)
	for _, g := range before[apart:] {
		for n := len(joined); n > 0 && joined[n-1].Number+1 < g.Number; n++ {
			joined = append(joined, joined[n-1].gap(joined[n-1].Number+1))
		}
		joined = append(joined, g)
	}
	for n := len(joined); n > 0 && first < math.MaxInt64 && joined[n-1].Number+1 < first; n++ {
		joined = append(joined, joined[n-1].gap(joined[n-1].Number+1))
	}
	s.segments = append(joined, s.segments...)
	for _, g := range before[:apart] {
		if n := len(s.kept); n > 0 && s.kept[n-1][len(s.kept[n-1])-1].Number+1 == g.Number {
			s.kept[n-1] = append(slices.Clip(s.kept[n-1]), g)
			continue
		}
		s.kept = append(s.kept, row{g})
	}
	slices.SortStableFunc(s.kept, func(a, b row) int { return cmp.Compare(a[0].Number, b[0].Number) })
	s.unpin(keep)
}

// rejoin is a row in which each segment says whether its init section is another
// than that of the one before.
func rejoin(r row) row {
	r = slices.Clone(r)
	for i := 1; i < len(r); i++ {
		if other := r[i-1].Changes != r[i].Changes; r[i].Discontinuity != other {
			changed := *r[i]
			changed.Discontinuity = other
			r[i] = &changed
		}
	}
	return r
}
