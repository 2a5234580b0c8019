package ingest

import (
	"time"

	"millrace/internal/media"
)

const (
	leastCushion = 20 * time.Millisecond
	firstCushion = 100 * time.Millisecond // before anything is known of the path
	decodeMargin = 12 * time.Millisecond  // from the arrival of a packet to its picture being decoded
	cushionSpan  = 1500 * time.Millisecond
	fallPerSpan  = 10 // of peakSpan: 1 ms a second, which nobody hears or sees
	peakSpan     = time.Second
	peakCount    = 10 // seconds that a late packet is remembered
)

// cushion is how long the packets of an interactive publisher wait: as long as
// the latest of the last 10 s was late, 20 ms at least. It rises at once when a
// packet comes late, and falls by 1 ms a second. When a publisher begins, it
// starts high and falls once to what was seen until then, before there is
// sound that could break.
type cushion struct {
	most   time.Duration // the source's latency setting
	value  time.Duration
	opened media.Time // arrival of the first packet; 0: none yet
	open   bool       // the fall at once is yet to come
	fallen media.Time
	peaks  [peakCount]struct {
		second int64
		need   time.Duration
	}
}

func newCushion(most time.Duration) *cushion {
	c := &cushion{open: true}
	c.limit(most)
	c.value = min(firstCushion, c.most)
	return c
}

// limit sets the most that is waited.
func (c *cushion) limit(most time.Duration) { c.most = max(most, leastCushion) }

// present is the cushion; 0 where there is none.
func (c *cushion) present() time.Duration {
	if c == nil {
		return 0
	}
	return c.value
}

// measure takes how much later than the least delayed a packet came. changed:
// the cushion is another; atOnce: from now on.
func (c *cushion) measure(late time.Duration, arrival media.Time) (changed, atOnce bool) {
	if c.opened == 0 {
		c.opened, c.fallen = arrival, arrival
	}
	second := int64(arrival) / int64(peakSpan)
	peak := &c.peaks[((second%peakCount)+peakCount)%peakCount]
	if peak.second != second {
		peak.second, peak.need = second, 0
	}
	need := min(max(late+decodeMargin, leastCushion), c.most)
	peak.need = max(peak.need, need)
	switch {
	case need > c.value, c.value > c.most:
		c.value = max(need, min(c.value, c.most))
		return true, true
	case c.open && arrival.Sub(c.opened) >= cushionSpan:
		return c.close(arrival), true
	case !c.open && arrival.Sub(c.fallen) >= peakSpan/fallPerSpan:
		return c.fall(arrival), false
	}
	return false, false
}

// close ends the beginning.
func (c *cushion) close(arrival media.Time) (changed bool) {
	c.open, c.fallen = false, arrival
	before := c.value
	c.value = min(c.value, c.peak(arrival))
	return c.value != before
}

func (c *cushion) fall(arrival media.Time) (changed bool) {
	step := min(arrival.Sub(c.fallen), peakSpan) / 1000
	c.fallen = arrival
	before := c.value
	c.value = max(c.value-step, min(c.value, c.peak(arrival)))
	return c.value != before
}

// peak is what was needed in the last 10 s.
func (c *cushion) peak(arrival media.Time) time.Duration {
	second := int64(arrival) / int64(peakSpan)
	most := min(leastCushion, c.most)
	for _, p := range c.peaks {
		if p.second > second-peakCount {
			most = max(most, p.need)
		}
	}
	return most
}

// Adapt makes the publisher that begins now an interactive one, whose packets
// wait as long as its network asks for and not longer, or an ordinary one.
func (t *Timeline) Adapt(interactive bool) {
	t.cushion = nil
	if interactive {
		t.cushion = newCushion(t.latency)
	}
}

// fixed is the latency that does not follow the network.
func (t *Timeline) fixed() time.Duration {
	if t.cushion != nil {
		return 0
	}
	return t.latency
}

// soften lets the cushion follow a packet that came so late.
func (t *Timeline) soften(late time.Duration, arrival media.Time) {
	if t.cushion == nil {
		return
	}
	if changed, atOnce := t.cushion.measure(late, arrival); changed {
		t.spread(atOnce)
	}
}

// spread gives the cushion to every source clock.
func (t *Timeline) spread(atOnce bool) {
	for o := range t.offsets() {
		o.soften(t.cushion.value, atOnce)
	}
}
