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

// First is the oldest segment that is held.
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
		return l.open.Number, len(l.open.Parts) - 1
	}
	if len(l.segments) == 0 {
		return -1, -1
	}
	last := l.segments[len(l.segments)-1]
	return last.Number, len(last.Parts) - 1
}

// Open is the segment in progress, or nil between two.
func (l *Listing) Open() *Segment { return l.open }

// Segment is segment k, complete, a gap or in progress, or nil when not listed.
func (l *Listing) Segment(k int64) *Segment {
	if l.open != nil && k == l.open.Number {
		return l.open
	}
	first := l.First()
	if k < first || k-first >= int64(len(l.segments)) {
		return nil
	}
	return l.segments[k-first]
}

// Range is the row of listed segments with numbers in [from, to), oldest
// first, read-only; the one in progress is among them if its number is.
func (l *Listing) Range(from, to int64) []*Segment {
	if l.Empty() {
		return nil
	}
	first := l.First()
	n := int64(len(l.segments))
	row := l.segments[min(max(from-first, 0), n):min(max(to-first, 0), n)]
	if l.open != nil && from <= l.open.Number && l.open.Number < to {
		row = append(slices.Clip(row), l.open)
	}
	return row
}

// Find is segment k of a rendition, complete or in progress, or ErrNever,
// ErrExpired or ErrLost.
func (e *Edge) Find(rendition string, k int64) (*Segment, error) {
	l := e.Listing(rendition)
	if l == nil || l.Empty() || k < e.Born {
		return nil, ErrNever
	}
	if k < l.First() {
		return nil, ErrExpired
	}
	g := l.Segment(k)
	switch {
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
	for _, g := range slices.Backward(l.segments) {
		if g.Rendition != nil && g.Rendition.InitName == name {
			return g.Rendition.Init, true
		}
	}
	return nil, false
}
