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

	settleSpan   = time.Second             // after an anchor, better offsets apply at once
	slewLimit    = 20                      // thousandths: the steepest slide, 20 ms a second
	slewConstant = 1500 * time.Millisecond // an error shrinks to 1/e in this time
	lateSlack    = 100 * time.Millisecond  // beyond the latency: what comes later than this is late
	lateSpan     = time.Second             // nothing but late packets for so long is a step
	aheadSlack   = 500 * time.Millisecond
	aheadSpan    = 500 * time.Millisecond
	aheadLimit   = 2 * time.Second // the source is never shown further ahead than this
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
	o := &offset{settled: arrival.Add(settleSpan)}
	o.push(knot{s, value})
	return o
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
	target := o.window.least()
	ahead := o.head().value.Sub(target)
	switch {
	case arrival < o.settled:
		if ahead > 0 {
			o.step(target)
		}
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
	o.settled = arrival.Add(settleSpan)
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

// postpone steps up because arrivals are counted later by d from now on.
func (o *offset) postpone(d time.Duration) {
	o.window.postpone(d)
	o.lateSince, o.aheadSince = 0, 0
	o.settled = o.settled.Add(d)
	o.step(o.head().value.Add(d))
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
	way := time.Duration(float64(want) * min(1, float64(span)/float64(slewConstant)))
	limit := span / 1000 * slewLimit
	return max(-limit, min(limit, way))
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
