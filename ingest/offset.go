package ingest

import (
	"sort"
	"time"

	"millrace/internal/media"
)

const (
	bucketSpan  = 250 * time.Millisecond
	bucketCount = 16 // a window of 4 s
	knotCount   = 512

	settleSpan = time.Second            // after an anchor, better offsets apply at once
	coarseSpan = 3 * time.Second        // and those that the sound cannot be bent to for so long
	coarse     = 40 * time.Millisecond  // what the sound cannot be bent to: it is cut there
	lateSlack  = 100 * time.Millisecond // beyond the latency: what comes later than this is late
	lateSpan   = time.Second            // nothing but late packets for so long is a step
	aheadSlack = 500 * time.Millisecond
	aheadSpan  = 500 * time.Millisecond
	aheadLimit = 2 * time.Second // the source is never shown further ahead than this

	// A slide changes the pitch. An error of up to gentle is slid away at no
	// more than 1 ms a second, which nobody hears; a greater one is a clock that
	// drifts, whose pitch is its own. What measures of one path differ by is no
	// error.
	deadBand   = 2 * time.Millisecond
	gentle     = 22 * time.Millisecond
	gentleSlew = 0.001           // seconds a second
	gentleTime = 4 * time.Second // a small error shrinks to 1/e in this time
	steepTime  = time.Second     // what exceeds gentle does in this
	steepSlew  = 0.020           // seconds a second
)

// offset is one source clock's place on the channel timeline: the function of
// source time that is added to it. It follows the windowed minimum of (arrival
// - source time), the path with the least queueing, and is fixed for every
// source time it was once asked for: audio and video that ask for the same
// instant get the same answer whenever they ask, so a slide or a step never
// takes them apart.
type offset struct {
	window  minimum
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

// newOffset begins at source time s with the given value.
func newOffset(s time.Duration, value, arrival media.Time) *offset {
	o := &offset{}
	o.open(arrival)
	o.push(knot{s, value})
	return o
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
// where sliding would take too long to be of use.
func (o *offset) measure(s time.Duration, arrival media.Time, latency time.Duration) {
	raw := arrival.Add(-s)
	o.window.add(arrival, raw)
	o.newest = max(o.newest, arrival)
	target := o.window.least()
	ahead := o.head().value.Sub(target)
	switch {
	case arrival < o.settled:
		if ahead > 0 {
			o.step(target)
		}
	case arrival < o.coarse && ahead > coarse:
		o.step(target)
	case ahead > aheadLimit, o.persists(&o.aheadSince, ahead > aheadSlack, arrival, aheadSpan):
		o.step(target)
		o.steps++
		o.aheadSince = 0
	}
	o.judgeLate(raw, arrival, latency)
}

// judgeLate steps up when every packet of a second came after it was due.
func (o *offset) judgeLate(raw, arrival media.Time, latency time.Duration) {
	late := raw.Sub(o.head().value) > latency+lateSlack
	if o.lateSince == 0 || raw < o.lateLeast {
		o.lateLeast = raw
	}
	if !o.persists(&o.lateSince, late, arrival, lateSpan) {
		return
	}
	o.window = minimum{}
	o.window.add(arrival, o.lateLeast)
	o.step(o.lateLeast)
	o.steps++
	o.lateSince = 0
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
	return gentle - o.window.least().Sub(o.head().value)
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
		slid := o.slide(s-head.at, o.window.least().Sub(head.value))
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
	speed := min(distance.Seconds()/gentleTime.Seconds(), gentleSlew)
	if more := want.Abs() - gentle; more > 0 {
		speed = min(speed+more.Seconds()/steepTime.Seconds(), steepSlew)
	}
	way := min(time.Duration(speed*float64(span)), distance)
	if want < 0 {
		return -way
	}
	return way
}

// minimum is the least of the measures of the last 4 s, in steps of 250 ms.
type minimum struct {
	buckets [bucketCount]struct {
		number int64 // arrival / bucketSpan; 0: empty
		least  media.Time
	}
	value media.Time // of a window that holds nothing: the last one known
	now   int64
}

func (m *minimum) add(arrival, raw media.Time) {
	m.now = max(m.now, int64(arrival)/int64(bucketSpan))
	b := &m.buckets[((m.now%bucketCount)+bucketCount)%bucketCount]
	if b.number != m.now || raw < b.least {
		b.number, b.least = m.now, raw
	}
	m.value = raw
	for _, b := range m.buckets {
		if b.number > m.now-bucketCount && b.number != 0 {
			m.value = min(m.value, b.least)
		}
	}
}

// postpone makes every measure so much greater.
func (m *minimum) postpone(d time.Duration) {
	for i := range m.buckets {
		m.buckets[i].least += media.Time(d)
	}
	m.value += media.Time(d)
}

// least is meaningful after the first add.
func (m *minimum) least() media.Time { return m.value }

// spans reports whether the window holds measures that lie so far apart.
func (m *minimum) spans(d time.Duration) bool {
	for _, b := range m.buckets {
		if b.number != 0 && b.number > m.now-bucketCount && b.number <= m.now-int64(d/bucketSpan) {
			return true
		}
	}
	return false
}
