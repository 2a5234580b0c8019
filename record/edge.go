package record

import (
	"slices"
)

// Edge is an immutable snapshot of everything that is listed.
type Edge struct {
	// Layout of the run that writes, or wrote last; nil in an empty store.
	Layout *Layout
	// Changed is closed when a newer Edge is there.
	Changed <-chan struct{}
	// Version rises with every Edge of a store.
	Version uint64
	// Born is the first segment ever held; negative in an empty store.
	Born int64

	listings []*Listing // in the order of the layout, then those of earlier layouts
	changed  chan struct{}
}

// Listing is what an Edge lists of one rendition.
type Listing struct {
	ID string
	// Changed is closed when an Edge with a newer listing of this rendition is
	// there; it stays open while only other renditions change.
	Changed <-chan struct{}

	segments []*Segment // without holes; shared with older and newer listings
	kept     []row      // older ones that are pinned, oldest first
	open     *Segment   // follows segments; nil, or incomplete with at least one part
	changed  chan struct{}
}

// Listing is that of a rendition, of this or an earlier layout, or nil.
func (e *Edge) Listing(rendition string) *Listing {
	i := slices.IndexFunc(e.listings, func(l *Listing) bool { return l.ID == rendition })
	if i < 0 {
		return nil
	}
	return e.listings[i]
}

// Listings are all of them, those of the layout first and in its order.
func (e *Edge) Listings() []*Listing { return e.listings }

// Empty says that nothing is listed yet.
func (l *Listing) Empty() bool { return l.open == nil && len(l.segments) == 0 }

// First is the oldest segment that is held, but for pinned ones that what lay
// after them has expired.
func (l *Listing) First() int64 {
	if len(l.segments) > 0 {
		return l.segments[0].Number
	}
	if l.open != nil {
		return l.open.Number
	}
	return -1
}

// Last is the newest segment that is complete or a gap; below First when there
// is none.
func (l *Listing) Last() int64 {
	if len(l.segments) > 0 {
		return l.segments[len(l.segments)-1].Number
	}
	return l.First() - 1
}

// Newest is the newest listed part: the number of its segment, complete or not,
// and of the part in it; part is below 0 when the segment is a gap.
func (l *Listing) Newest() (segment int64, part int) {
	if l.open != nil {
		return l.open.Number, l.open.Len() - 1
	}
	newest := l.segments
	if n := len(l.kept); n > 0 && len(newest) == 0 {
		newest = l.kept[n-1]
	}
	if len(newest) == 0 {
		return -1, -1
	}
	last := newest[len(newest)-1]
	return last.Number, last.Len() - 1
}

// Open is the segment in progress, or nil between two.
func (l *Listing) Open() *Segment { return l.open }

// Segment is segment k, complete, a gap or in progress, or nil when not listed.
func (l *Listing) Segment(k int64) *Segment {
	if l.open != nil && k == l.open.Number {
		return l.open
	}
	if row := cut(l.rowOf(k+1), k, k+1); len(row) > 0 {
		return row[0]
	}
	return nil
}

// All are the listed segments, oldest first, with what is kept of older times
// and the one in progress.
func (l *Listing) All(yield func(*Segment) bool) {
	for _, r := range append(slices.Clip(l.kept), l.segments) {
		for _, g := range r {
			if !yield(g) {
				return
			}
		}
	}
	if l.open != nil {
		yield(l.open)
	}
}

// rowOf is the newest row that begins before segment k.
func (l *Listing) rowOf(k int64) row {
	if len(l.segments) > 0 && l.segments[0].Number < k {
		return l.segments
	}
	for _, r := range slices.Backward(l.kept) {
		if r[0].Number < k {
			return r
		}
	}
	return nil
}

// cut is what a row holds of [from, to).
func cut(r row, from, to int64) row {
	if len(r) == 0 {
		return nil
	}
	first, n := r[0].Number, int64(len(r))
	return r[min(max(from-first, 0), n):min(max(to-first, 0), n)]
}

// Range is the row of listed segments with numbers in [from, to), oldest
// first, read-only; the one in progress is among them if its number is. Where
// something between them has expired, it is what comes after that.
func (l *Listing) Range(from, to int64) []*Segment {
	row := cut(l.rowOf(to), from, to)
	if l.open != nil && from <= l.open.Number && l.open.Number < to {
		row = append(slices.Clip(row), l.open)
	}
	return row
}

// Find is segment k of a rendition, complete or in progress, or ErrNever,
// ErrExpired or ErrLost.
func (e *Edge) Find(rendition string, k int64) (*Segment, error) {
	l := e.Listing(rendition)
	if l == nil || l.Empty() && len(l.kept) == 0 || k < e.Born {
		return nil, ErrNever
	}
	g := l.Segment(k)
	switch {
	case g == nil && k < l.First():
		return nil, ErrExpired
	case g == nil:
		return nil, ErrNever
	case g.Gap() || g.body != nil && g.body.bad.Load():
		return nil, ErrLost
	}
	return g, nil
}

// Init is an init section that a listed segment needs, by its name.
func (e *Edge) Init(rendition, name string) ([]byte, bool) {
	if e.Layout != nil {
		if i, ok := e.Layout.index(rendition); ok && e.Layout.Renditions[i].InitName == name {
			return e.Layout.Renditions[i].Init, true
		}
	}
	l := e.Listing(rendition)
	if l == nil {
		return nil, false
	}
	if init, ok := initOf(l.segments, name); ok {
		return init, true
	}
	for _, r := range slices.Backward(l.kept) {
		if init, ok := initOf(r, name); ok {
			return init, true
		}
	}
	return nil, false
}

func initOf(r row, name string) ([]byte, bool) {
	for _, g := range slices.Backward(r) {
		if g.Rendition != nil && g.Rendition.InitName == name {
			return g.Rendition.Init, true
		}
	}
	return nil, false
}
