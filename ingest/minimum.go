package ingest

import (
	"time"

	"millrace/internal/media"
)

const (
	bucketSpan  = 250 * time.Millisecond
	bucketCount = 16    // a window of 4 s
	leastThird  = 2     // buckets
	leastRise   = 0.003 // seconds a second; what rises more slowly is followed well without
)

// minimum is the least of the measures of the last 4 s, in steps of 250 ms. Of
// a clock that runs slow the oldest measures are the least: where the minima
// keep rising, each is taken for what it would be now.
type minimum struct {
	buckets [bucketCount]bucket
	value   media.Time // of a window that holds nothing: the last one known
	now     int64      // number of the newest bucket
	slope   float64    // of the minima, seconds a second; averaged, taken once in each bucket
	rise    float64    // what of it counts
}

type bucket struct {
	number int64 // arrival / bucketSpan; 0: empty
	least  media.Time
	at     media.Time // arrival of the least
}

func (m *minimum) add(arrival, raw media.Time) {
	if number := int64(arrival) / int64(bucketSpan); number > m.now {
		m.now = number
		if m.slope = (m.slope + m.drift()) / 2; m.slope >= leastRise {
			m.rise = m.slope
		} else {
			m.rise = 0
		}
	}
	b := &m.buckets[((m.now%bucketCount)+bucketCount)%bucketCount]
	if b.number != m.now || raw < b.least {
		*b = bucket{m.now, raw, arrival}
	}
	m.value = raw
	for _, b := range m.buckets {
		if b.number > m.now-bucketCount && b.number != 0 {
			m.value = min(m.value, b.least.Add(time.Duration(m.rise*float64(arrival.Sub(b.at)))))
		}
	}
}

// drift is how fast the measures rise by all that the window holds, when they
// do alike from each third of it to the next; a path that became longer once is
// no clock that runs slow. The least of a third is looked for along the drift
// known so far: across it, the oldest few would decide.
func (m *minimum) drift() float64 {
	var oldest int64
	for _, b := range m.buckets {
		if age := m.now - b.number; b.number != 0 && age < bucketCount {
			oldest = max(oldest, age)
		}
	}
	span := oldest / 3 // of a third, in buckets; the newest bucket has no measure yet
	if span < leastThird {
		return 0
	}
	var thirds [3]media.Time
	var known [3]bool
	for _, b := range m.buckets {
		age := m.now - b.number
		if b.number == 0 || age > 3*span || age < 1 {
			continue
		}
		level := b.least.Add(-time.Duration(m.slope * float64(b.at.Sub(media.Time(m.now)*media.Time(bucketSpan)))))
		if i := 2 - (age-1)/span; !known[i] || level < thirds[i] {
			thirds[i], known[i] = level, true
		}
	}
	if known != [3]bool{true, true, true} {
		return 0
	}
	length := float64(span) * float64(bucketSpan)
	first, second := m.slope+float64(thirds[1].Sub(thirds[0]))/length, m.slope+float64(thirds[2].Sub(thirds[1]))/length
	if min(first, second) <= max(first, second)/2 {
		return 0
	}
	return (first + second) / 2
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

// late is how much later than the least a measure is.
func (m *minimum) late(raw media.Time) time.Duration { return max(raw.Sub(m.value), 0) }

// spans reports whether the window holds measures that lie so far apart.
func (m *minimum) spans(d time.Duration) bool {
	for _, b := range m.buckets {
		if b.number != 0 && b.number > m.now-bucketCount && b.number <= m.now-int64(d/bucketSpan) {
			return true
		}
	}
	return false
}
