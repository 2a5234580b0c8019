package whip

import (
	"slices"
	"time"

	"millrace/ingest"
)

// role is what becomes of a layer.
type role int

const (
	passing role = iota // it is the source's picture; what is no layer always is
	coming              // it will be, from its next keyframe on
	resting             // it is received, put together, and let go
)

const (
	layerSilence = time.Second // a layer that was silent for so long has been switched off
	layerShort   = 0.9         // of the size asked for is enough
)

// layers chooses among the streams of a simulcast (RFC 8853): the smallest that
// fills the cell that the source is shown in passes. Another takes its place
// at a keyframe of its own, which is asked for, on the same clock. It belongs to
// the session's goroutine.
type layers struct {
	list  []*track
	clock *trackClock // of the layer that passed last; nil before the first
}

// add makes a layer known that the publisher begins to send, or to send again.
func (l *layers) add(t *track) {
	l.list = slices.DeleteFunc(l.list, func(older *track) bool { return older.over })
	t.role = resting
	l.list = append(l.list, t)
	t.settle()
}

// choose lets the layer come that is the best for the size.
func (l *layers) choose(now time.Time, size ingest.Size) {
	if len(l.list) == 0 {
		return
	}
	live, best := l.live(), l.best(now, size)
	for _, t := range l.list {
		was := t.role
		switch {
		case t == live:
			t.role = passing
		case t == best:
			t.role = coming
		default:
			t.role = resting
		}
		if t.role == coming && l.clock != nil {
			t.clock.join(l.clock)
		}
		if t.role != was {
			t.settle()
		}
	}
}

// live is the layer that passes, or nil.
func (l *layers) live() *track {
	for _, t := range l.list {
		if t.role == passing && !t.over {
			return t
		}
	}
	return nil
}

// best is the smallest layer that is large enough, or the largest of all; nil
// while none is known. No size asks for the largest.
func (l *layers) best(now time.Time, size ingest.Size) (best *track) {
	for _, t := range l.list {
		switch {
		case t.over, t.width == 0, now.Sub(t.heard) > layerSilence:
		case best == nil:
			best = t
		case t.fills(size) && (!best.fills(size) || t.width < best.width):
			best = t
		case !best.fills(size) && t.width > best.width:
			best = t
		}
	}
	return best
}

func (t *track) fills(size ingest.Size) bool {
	return size != ingest.Size{} && float64(t.width) >= layerShort*float64(size.Width) && float64(t.height) >= layerShort*float64(size.Height)
}

// pass hands on what a layer gives if it is, or now becomes, the source's
// picture.
func (l *layers) pass(t *track, u ingest.AccessUnit, write func(ingest.AccessUnit)) {
	live := l.live()
	if t != live && u.Key && (t.role == coming || live == nil) {
		if live != nil {
			live.role = resting
			live.settle()
		}
		t.role = passing
		t.settle()
		live, l.clock = t, &t.clock
	}
	if t == live {
		write(u)
	}
}

// settle waits for lost packets only of layers that matter.
func (t *track) settle() { t.jitter.repairs = t.repairs && t.role != resting }
