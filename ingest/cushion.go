package ingest

import (
	"time"

	"millrace/internal/media"
)

const (
	leastCushion = 20 * time.Millisecond
	firstCushion = 100 * time.Millisecond  // before anything is known of the path
	cushionSpan  = 1500 * time.Millisecond // until something is
	blockSpan    = 500 * time.Millisecond

	// A picture that comes too late leaves the one before it on screen for a
	// tick: one in twenty may. Sound that comes too late is a gap: 19 of 20 half
	// seconds have to be without one, for as long as they are remembered.
	pictureShare = 0.95
	soundShare   = 0.95
	// From the arrival of a picture to its being decoded; and of sound, of which
	// a mixer takes a whole tick at once, 42 ms at 24 frames a second.
	pictureMargin = 12 * time.Millisecond
	soundMargin   = 45 * time.Millisecond

	// It falls by so many seconds a second, 1/20 of a semitone where there is
	// sound, once it is more than the slack above what is needed.
	soundFall    = 0.003
	pictureFall  = 0.100
	cushionSlack = 8 * time.Millisecond
)

// cushion is how long the packets of an interactive publisher wait, so that
// those that the network delays are in time too. It follows what packets were
// late by, as libwebrtc's NetEq does: a quantile of a histogram that forgets,
// with the latest packet of every half second in place of all for sound. It
// rises as soon as the quantile does, which takes more than one packet, and
// falls so slowly that nobody hears it. When a publisher begins, it starts high
// and falls once to what was seen until then, before there is sound that could
// break.
type cushion struct {
	most  time.Duration // the source's latency setting
	value time.Duration

	sound, pictures lateness
	latest          time.Duration // sound of this half second; negative: none came
	block           int64         // number of this half second
	risen           time.Duration // of the path, that the histograms are not shifted by yet

	opened  media.Time // arrival of the first packet; 0: none yet
	open    bool       // the fall at once is yet to come
	falling bool
	fallen  media.Time // arrival up to which it fell
}

func newCushion(most time.Duration) *cushion {
	c := &cushion{open: true, latest: -1}
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
func (c *cushion) measure(sound bool, late time.Duration, arrival media.Time) (changed, atOnce bool) {
	block := int64(arrival) / int64(blockSpan)
	if c.opened == 0 {
		c.opened, c.fallen, c.block = arrival, arrival, block
	}
	ended := block > c.block
	if ended {
		c.block = block
		c.endBlock()
	}
	if sound {
		c.latest = max(c.latest, late)
	} else {
		c.pictures.add(late)
	}
	switch need := c.need(); {
	case c.value > c.most:
		c.value = c.most
		return true, true
	case ended && need > c.value:
		c.value, c.falling = need, false
		return true, true
	case c.open && arrival.Sub(c.opened) >= cushionSpan:
		return c.close(arrival), true
	case !c.open && ended:
		return c.fall(need, arrival), false
	}
	return false, false
}

// endBlock remembers the half second that is over.
func (c *cushion) endBlock() {
	c.pictures.forget()
	c.sound.forget()
	if c.latest >= 0 {
		c.sound.add(c.latest)
	}
	c.latest = -1
}

// close ends the beginning.
func (c *cushion) close(arrival media.Time) (changed bool) {
	if c.latest >= 0 && !c.sound.known() {
		c.sound.add(c.latest)
	}
	c.open, c.fallen = false, arrival
	before := c.value
	c.value = min(c.value, c.need())
	return c.value != before
}

// need is what the cushion should be.
func (c *cushion) need() time.Duration {
	need := leastCushion
	if c.pictures.known() {
		need = max(need, c.pictures.quantile(pictureShare)+pictureMargin)
	}
	if c.sound.known() {
		need = max(need, c.sound.quantile(soundShare)+soundMargin)
	}
	return min(need, c.most)
}

func (c *cushion) fall(need time.Duration, arrival media.Time) (changed bool) {
	step := time.Duration(float64(min(arrival.Sub(c.fallen), time.Second)) * c.speed())
	c.fallen = arrival
	if c.falling = c.value > need && (c.falling || c.value > need+cushionSlack); !c.falling {
		return false
	}
	c.value = max(c.value-step, need)
	return true
}

// speed is how fast the cushion may fall, in seconds a second.
func (c *cushion) speed() float64 {
	if c.sound.known() || c.latest >= 0 {
		return soundFall
	}
	return pictureFall
}

// rise hears that the least delayed packet itself has become later. What was
// late because of that is no more, and the cushion gives back at once what it
// was given for it: the sum of both, at which everything is shown, stays.
func (c *cushion) rise(d time.Duration) (changed bool) {
	c.risen += d
	bins := int(c.risen / latenessBin)
	if bins == 0 {
		return false
	}
	c.risen -= time.Duration(bins) * latenessBin
	c.sound.shift(bins)
	c.pictures.shift(bins)
	if c.latest >= 0 {
		c.latest = max(c.latest-time.Duration(bins)*latenessBin, 0)
	}
	if c.open {
		return false
	}
	before := c.value
	c.value = max(c.value-time.Duration(bins)*latenessBin, min(c.value, c.need()))
	return c.value != before
}

// Adapt makes the publisher that begins now an interactive one, whose packets
// wait as long as its network asks for and not longer, or an ordinary one.
func (t *Timeline) Adapt(interactive bool) {
	t.cushion = nil
	if interactive {
		t.cushion = newCushion(t.latency)
	}
}

// Sound says that a track is sound, which breaks off where it comes too late,
// before its packets are mapped or noted.
func (t *Timeline) Sound(track string) { t.clock(track).sound = true }

// fixed is the latency that does not follow the network.
func (t *Timeline) fixed() time.Duration {
	if t.cushion != nil {
		return 0
	}
	return t.latency
}

// soften lets the cushion follow a packet of the track that came so late.
func (t *Timeline) soften(c *trackClock, late time.Duration, arrival media.Time) {
	if t.cushion == nil {
		return
	}
	if changed, atOnce := t.cushion.measure(c.sound, late, arrival); changed {
		t.spread(atOnce)
	}
}

// relieve tells the cushion that the least delayed packet has become later.
func (t *Timeline) relieve(rise time.Duration, atOnce bool) {
	if t.cushion != nil && t.cushion.rise(rise) {
		t.spread(atOnce)
	}
}

// spread gives the cushion to every source clock.
func (t *Timeline) spread(atOnce bool) {
	for o := range t.offsets() {
		o.soften(t.cushion.value, t.cushion.speed(), atOnce)
	}
}
