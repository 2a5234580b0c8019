package record

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// Pin keeps segments [From, To) of every rendition: as long as it is set, no
// retention removes a block that holds one of them.
type Pin struct{ From, To int64 }

// Forever is the To of a pin that goes on with the channel.
const Forever = math.MaxInt64

// Retention says what a store keeps. Blocks are kept whole while a pin touches
// them. Pinned blocks do not count against MaxBytes, which is the budget of
// the rest. ReserveBytes is kept free at the cost of what is not pinned; when
// only pinned blocks are left and the volume is full, new segments are not
// stored (State.Dropped), and nothing that is pinned is touched.
type Retention struct {
	Window       time.Duration // back from the newest segment; 0 keeps everything
	MaxBytes     int64         // on disk, whole blocks; 0 for no bound of its own
	ReserveBytes int64         // left free on each volume
	Pins         []Pin
}

// retention is a Retention in force; it is immutable.
type retention struct {
	Retention
	pins pins
}

func newRetention(r Retention) *retention { return &retention{Retention: r, pins: newPins(r.Pins)} }

// pins are disjoint and in rising order.
type pins []Pin

func newPins(all []Pin) pins {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b Pin) int { return cmp.Compare(a.From, b.From) })
	var merged pins
	for _, p := range sorted {
		if p.From >= p.To {
			continue
		}
		if n := len(merged); n > 0 && p.From <= merged[n-1].To {
			merged[n-1].To = max(merged[n-1].To, p.To)
			continue
		}
		merged = append(merged, p)
	}
	return merged
}

// find is the index of the first pin that ends after segment k.
func (p pins) find(k int64) int {
	return sort.Search(len(p), func(i int) bool { return p[i].To > k })
}

// until is the first segment from k on that is not pinned: k itself where it is not.
func (p pins) until(k int64) int64 {
	if i := p.find(k); i < len(p) && p[i].From <= k {
		return p[i].To
	}
	return k
}

func (p pins) cover(k int64) bool { return p.until(k) > k }

// touch says that some segment in [from, to) is pinned.
func (p pins) touch(from, to int64) bool {
	i := p.find(from)
	return i < len(p) && p[i].From < to
}

// pinned cuts a row without holes into the runs that are pinned.
func (p pins) pinned(row []*Segment) (runs [][]*Segment) {
	for len(row) > 0 {
		first := row[0].Number
		end := min(p.until(first), row[len(row)-1].Number+1)
		if end > first {
			runs = append(runs, row[:end-first:end-first])
			row = row[end-first:]
			continue
		}
		row = row[1:]
	}
	return runs
}

// Retain changes what is kept. While Run is on, blocks go with the next group;
// else at once.
func (s *Store) Retain(r Retention) {
	s.retention.Store(newRetention(r))
	if !s.running.TryLock() {
		return
	}
	defer s.running.Unlock()
	w, c := s.newRun()
	newest := int64(-1)
	for _, l := range s.Edge().listings {
		k, _ := l.Newest()
		newest = max(newest, k)
	}
	if l := c.layout; l != nil {
		w.expireBefore(newest, l.Grid.SegmentDuration())
	}
	c.expire(w.floor)
	c.state.DiskBytes = w.total
	s.resume = w.leave(c)
	c.publish()
}
