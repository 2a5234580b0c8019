package ingest

import (
	"sort"
	"time"

	"millrace/internal/media"
)

const (
	knotCount = 512

	settleSpan = time.Second            // after an anchor, better offsets apply at once
	coarseSpan = 3 * time.Second        // and those that the sound cannot be bent to for so long
	coarse     = 40 * time.Millisecond  // what the sound cannot be bent to: it is cut there
	lateSlack  = 100 * time.Millisecond // beyond the latency: what comes later than this is late
	lateSpan   = time.Second            // nothing but late packets for so long is a step
	aheadSlack = 500 * time.Millisecond
	aheadSpan  = 500 * time.Millisecond
	aheadLimit = 2 * time.Second        // the source is never shown further ahead than this
	aheadTalk  = 300 * time.Millisecond // nor than this, where somebody answers; what a flood piled up would play on when it is over

	// A slide changes the pitch. An error of up to gentle is slid away at no
	// more than 1 ms a second, which nobody hears; a greater one is a clock that
	// drifts, whose pitch is its own. What measures of one path differ by is no
	// error. A cushion that falls is followed as fast as it falls.
	deadBand   = 2 * time.Millisecond
	gentle     = 22 * time.Millisecond
	gentleSlew = 0.001           // seconds a second
	gentleTime = 4 * time.Second // a small error shrinks to 1/e in this time
	steepTime  = time.Second     // what exceeds gentle does in this
	steepSlew  = 0.020           // seconds a second
)

// offset is one source clock's place on the channel timeline: the function of
// source time that is added to it. It follows the windowed minimum of (arrival
// - source time), the path with the least queueing, plus the cushion of a
// publisher that has one, and is fixed for every source time it was once asked
// for: audio and video that ask for the same instant get the same answer
// whenever they ask, so a slide or a step never takes them apart.
type offset struct {
	window  minimum
	cushion time.Duration
	fall    float64         // speed at which a cushion falls, seconds a second; 0: there is none
	knots   [knotCount]knot // ring, ascending in source time
	first   int
	count   int
	settled media.Time // until then a better minimum applies at once
	coarse  media.Time // until then one that is better by more than coarse does
	newest  media.Time // arrival

	lateSince, aheadSince media.Time // 0: not so
	lateLeast             media.Time // the least measure since lateSince
	steps                 uint64
}

// knot is a corner of the piecewise linear function.
type knot struct {
	at    time.Duration // source clock
	value media.Time    // to add to it
}

// newOffset begins at source time s with the given value, on top of which the
// cushion comes.
func newOffset(s time.Duration, value, arrival media.Time, cushion time.Duration) *offset {
	o := &offset{cushion: cushion}
	if cushion > 0 {
		o.fall = soundFall
	}
	o.open(arrival)
	o.push(knot{s, value.Add(cushion)})
	return o
}

// base is the newest value without the cushion: what a measure compares with.
func (o *offset) base() media.Time { return o.head().value.Add(-o.cushion) }

// target is where the value slides to.
func (o *offset) target() media.Time { return o.window.least().Add(o.cushion) }

// soften changes the cushion: at once, or with the value sliding after it at
// the speed at which cushions fall.
func (o *offset) soften(cushion time.Duration, fall float64, atOnce bool) {
	if atOnce {
		o.step(o.head().value.Add(cushion - o.cushion))
	}
	o.cushion, o.fall = cushion, fall
}

// open lets better minima apply at once, for a while.
func (o *offset) open(arrival media.Time) {
	o.settled, o.coarse = arrival.Add(settleSpan), arrival.Add(coarseSpan)
}

// settle makes the present value that of all source time before, and ends the
// time in which a better minimum applies at once.
func (o *offset) settle() {
	head := o.head()
	o.first, o.count = 0, 0
	o.push(head)
	o.settled = 0
}

func (o *offset) head() knot { return o.knots[(o.first+o.count-1)%knotCount] }

func (o *offset) push(k knot) {
	if o.count == knotCount {
		o.first = (o.first + 1) % knotCount
		o.count--
	}
	o.knots[(o.first+o.count)%knotCount] = k
	o.count++
}

// measure takes note of a packet of source time s that arrived, and steps
// where sliding would take too long to be of use. rise is by how much the
// window's minimum has grown.
func (o *offset) measure(s time.Duration, arrival media.Time, latency time.Duration) (rise time.Duration) {
	raw, least := arrival.Add(-s), o.window.least()
	o.window.add(arrival, raw)
	o.newest = max(o.newest, arrival)
	target := o.target()
	ahead := o.head().value.Sub(target)
	switch {
	case arrival < o.settled:
		if ahead > 0 {
			o.step(target)
		}
	case arrival < o.coarse && ahead > coarse:
		o.step(target)
	case ahead > aheadLimit, ahead > aheadTalk && o.fall > 0, o.persists(&o.aheadSince, ahead > aheadSlack, arrival, aheadSpan):
		o.step(target)
		o.steps++
		o.aheadSince = 0
	}
	o.judgeLate(raw, arrival, latency)
	if least == 0 {
		return 0 // there was none
	}
	return o.window.least().Sub(least)
}

// judgeLate steps up when every packet of a second came after it was due.
func (o *offset) judgeLate(raw, arrival media.Time, latency time.Duration) {
	late := raw.Sub(o.base()) > o.cushion+latency+lateSlack
	if o.lateSince == 0 || raw < o.lateLeast {
		o.lateLeast = raw
	}
	if !o.persists(&o.lateSince, late, arrival, lateSpan) {
		return
	}
	o.restart(o.lateLeast, arrival)
}

// restart takes the value for everything after the newest source time, and
// forgets all measures before.
func (o *offset) restart(raw, arrival media.Time) {
	o.window = minimum{}
	o.window.add(arrival, raw)
	o.step(raw.Add(o.cushion))
	o.steps++
	o.lateSince, o.aheadSince = 0, 0
	o.open(arrival)
}

// persists reports whether a condition has held for the span.
func (o *offset) persists(since *media.Time, holds bool, now media.Time, span time.Duration) bool {
	switch {
	case !holds:
		*since = 0
	case *since == 0:
		*since = now
	}
	return holds && now.Sub(*since) >= span
}

// postpone moves up because arrivals are counted later by d from now on: at
// once, unless it is to glide there.
func (o *offset) postpone(d time.Duration, glide bool) {
	o.window.postpone(d)
	o.lateSince, o.aheadSince = 0, 0
	if !glide {
		o.step(o.head().value.Add(d))
	}
	o.settled, o.coarse = o.settled.Add(d), o.coarse.Add(d)
}

// room is by how much it can be postponed now so that nobody hears it glide.
func (o *offset) room() time.Duration {
	return gentle - o.target().Sub(o.head().value)
}

// step changes the value for everything after the newest source time.
func (o *offset) step(value media.Time) {
	if head := o.head(); head.value != value {
		o.push(knot{head.at + 1, value})
	}
}

// at is the value at source time s, sliding towards the window's minimum when
// s is the newest yet.
func (o *offset) at(s time.Duration) media.Time {
	head := o.head()
	if s > head.at {
		slid := o.slide(s-head.at, o.target().Sub(head.value))
		head = knot{s, head.value.Add(slid)}
		o.push(head)
		return head.value
	}
	n := sort.Search(o.count, func(i int) bool { return o.knots[(o.first+i)%knotCount].at >= s })
	after := o.knots[(o.first+n)%knotCount]
	if n == 0 || after.at == s {
		return after.value
	}
	before := o.knots[(o.first+n-1)%knotCount]
	part := float64(s-before.at) / float64(after.at-before.at)
	return before.value + media.Time(part*float64(after.value-before.value))
}

// slide is how far the value moves over span of source time, want being the
// whole way.
func (o *offset) slide(span, want time.Duration) time.Duration {
	distance := want.Abs() - deadBand
	if distance <= 0 || want > 0 && !o.window.spans(settleSpan) {
		return 0 // a path that looks longer after a pause is only catching up
	}
	speed, small := min(distance.Seconds()/gentleTime.Seconds(), gentleSlew), gentle
	if want < 0 && o.fall > 0 {
		speed, small = o.fall, coarse
	}
	if more := want.Abs() - small; more > 0 {
		speed = max(speed, min(speed+more.Seconds()/steepTime.Seconds(), steepSlew))
	}
	way := min(time.Duration(speed*float64(span)), distance)
	if want < 0 {
		return -way
	}
	return way
}
