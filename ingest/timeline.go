package ingest

import (
	"time"

	"millrace/internal/media"
)

const (
	jumpSlack   = 500 * time.Millisecond // a source clock that leaps further than this jumped
	jumpPackets = 3                      // a jump that so many packets in a row agree on is believed
	jumpSpan    = 500 * time.Millisecond // or one that has lasted so long
	commonBase  = 5 * time.Second        // tracks whose clocks read closer than this share one
	reorderSpan = 5 * time.Second        // a PTS further from its DTS is wrong
	speedSpan   = 2 * time.Second
	packLimit   = time.Second // a longer wait in a container is not made up for
)

// Timeline maps the source clock of one publisher to the channel timeline:
// source time s is shown at s + offset + latency, offset being the windowed
// minimum of (arrival - s), the same for audio and video (design §3,
// "Presentation, exactly"). Where the container packs access units, the arrival
// that counts is that of the first of a pack, which waited longest. A lone wrong timestamp is replaced by the expected
// one; a jump that lasts is followed without a break; a track whose clock has
// nothing to do with the others' is anchored by its own arrival. Every track's
// DTS ascends, whatever the source does.
//
// A packet is mapped when it comes, or noted then and placed later: so the
// sound of a publisher that joins waits until the offset has settled.
//
// It has no clock inside and belongs to one goroutine.
type Timeline struct {
	latency time.Duration
	cushion *cushion // in place of the latency, of an interactive publisher; else nil
	sender  senderClock
	packed  time.Duration // the longest wait in the publisher's container
	tracks  map[string]*trackClock
	stats   TimelineStats
	speed   speedometer
	moved   media.Time // arrival at which an offset last changed by what can be heard
}

// TimelineStats counts what a timeline had to put right.
type TimelineStats struct {
	Restamped uint64        // packets whose timestamp was replaced
	Jumps     uint64        // lasting jumps of the source clock that were followed
	Steps     uint64        // changes of the offset too large to slide
	Held      uint64        // packets moved to keep DTS ascending
	Speed     float64       // source seconds a second over the last 2 s; 0 while unknown
	Latency   time.Duration // that packets are given at present
	BySender  bool          // since they were captured, by their sender's clock
}

// trackClock is what the timeline knows of one track.
type trackClock struct {
	offset  *offset       // shared by the tracks with the same clock; nil before the first packet
	source  time.Duration // DTS of the last packet that was believed
	step    time.Duration // between its last two packets
	jump    jump
	capture capture
	sound   bool
	last    media.Time // DTS handed out; 0: none
}

// jump is a leap of a track's clock that is not believed yet.
type jump struct {
	count int
	last  time.Duration // source DTS
	since media.Time    // arrival of the first
	least media.Time    // minimum of (arrival - source time)
}

// NewTimeline shows packets latency after the least delayed of them arrived.
func NewTimeline(latency time.Duration) *Timeline {
	return &Timeline{latency: latency, tracks: map[string]*trackClock{}}
}

// SetLatency moves everything that follows. Of an interactive publisher it is
// the most that packets wait.
func (t *Timeline) SetLatency(d time.Duration) {
	t.latency = d
	if t.cushion != nil {
		t.cushion.limit(d)
	}
}

// offsets are the source clocks of the tracks.
func (t *Timeline) offsets() map[*offset]bool {
	offsets := map[*offset]bool{}
	for _, track := range t.tracks {
		if track.offset != nil {
			offsets[track.offset] = true
		}
	}
	return offsets
}

// Restart forgets the source's clock, for a new publisher; DTS still ascends.
func (t *Timeline) Restart() {
	for _, track := range t.tracks {
		*track = trackClock{last: track.last, sound: track.sound}
	}
	t.packed, t.moved = 0, 0
	t.speed = speedometer{}
	t.stats.Speed = 0
}

// Packed is told how long an access unit waited for those that came with it,
// before it is mapped. The longest wait yet delays everything: what waited so
// long would come after its time otherwise, again and again. A wait that grows
// by less than the latency bears is made up for without being heard.
func (t *Timeline) Packed(wait time.Duration) {
	grown := min(wait, packLimit) - t.packed
	if grown <= 0 {
		return
	}
	offsets := t.offsets()
	glide := grown <= max(coarse, t.latency/2)
	for o := range offsets {
		glide = glide && o.newest >= o.settled
	}
	if glide {
		for o := range offsets {
			grown = min(grown, o.room())
		}
	}
	if grown <= 0 {
		return // more when this has been made up for
	}
	t.packed += grown
	for o := range offsets {
		o.postpone(grown, glide)
		t.moved = max(t.moved, o.newest)
	}
}

// Forget drops a track that is gone for good.
func (t *Timeline) Forget(track string) { delete(t.tracks, track) }

// Stats may be asked for by the owner only.
func (t *Timeline) Stats() TimelineStats {
	stats := t.stats
	stats.Latency, stats.BySender = t.fixed()+t.cushion.present(), t.sender.used
	return stats
}

// Map is when a packet of the track that arrived at the given instant is
// decoded and shown.
func (t *Timeline) Map(track string, pts, dts time.Duration, arrival media.Time) (media.Time, media.Time) {
	c := t.clock(track)
	if t.note(c, dts+c.capture.shift, arrival) {
		return t.Place(track, pts, dts)
	}
	t.stats.Restamped++
	at := t.expected(c, arrival.Add(t.packed))
	return t.ascend(c, at.Add(reorder(pts, dts)), at)
}

// Note learns from a packet that arrived and is not placed before the timeline
// has settled. A packet that is not believed can not be placed.
func (t *Timeline) Note(track string, dts time.Duration, arrival media.Time) (believed bool) {
	c := t.clock(track)
	first := c.offset == nil
	believed = t.note(c, dts+c.capture.shift, arrival)
	if first && c.offset != nil {
		c.offset.open(arrival.Add(t.packed))
		t.moved = max(t.moved, arrival)
	}
	return believed
}

// Settled reports whether no offset has moved by what can be heard for the
// span.
func (t *Timeline) Settled(now media.Time, span time.Duration) bool { return now.Sub(t.moved) >= span }

// Settle ends the anchoring of all tracks: what was noted is placed by the
// offsets of this instant, and they slide from here on.
func (t *Timeline) Settle() {
	if t.cushion != nil && t.cushion.open && t.cushion.close(t.newest()) {
		t.spread(true)
	}
	for o := range t.offsets() {
		o.settle()
	}
}

// newest is the arrival of the newest packet.
func (t *Timeline) newest() (arrival media.Time) {
	for o := range t.offsets() {
		arrival = max(arrival, o.newest)
	}
	return arrival
}

// Place is when a packet that was noted is decoded and shown.
func (t *Timeline) Place(track string, pts, dts time.Duration) (media.Time, media.Time) {
	c := t.clock(track)
	s := dts + c.capture.shift
	return t.ascend(c, t.place(c, s+reorder(pts, dts)), t.place(c, s))
}

// reorder is how long after its decoding a packet is shown.
func reorder(pts, dts time.Duration) time.Duration {
	if pts < dts || pts-dts > reorderSpan {
		return 0
	}
	return pts - dts
}

func (t *Timeline) clock(track string) *trackClock {
	c := t.tracks[track]
	if c == nil {
		c = &trackClock{}
		t.tracks[track] = c
	}
	return c
}

// note takes a packet's measure, if its timestamp is believed.
func (t *Timeline) note(c *trackClock, dts time.Duration, arrival media.Time) (believed bool) {
	counted, turned := t.counted(c, dts, arrival)
	if !t.believe(c, dts, counted) {
		return false
	}
	steps, value := c.offset.steps, c.offset.head().value
	if turned {
		c.offset.restart(counted.Add(-dts), counted)
	}
	rise := c.offset.measure(dts, counted, t.fixed())
	stepped := c.offset.steps != steps
	if t.stats.Steps += c.offset.steps - steps; rise > 0 {
		t.relieve(rise, stepped)
	}
	if c.offset.head().value.Sub(value).Abs() > deadBand {
		t.moved = max(t.moved, arrival)
	}
	t.soften(c, c.offset.window.late(counted.Add(-dts)), counted)
	if d := dts - c.source; d > 0 {
		c.step = d
	}
	c.source = dts
	t.stats.Speed = t.speed.measure(c, dts, counted)
	return true
}

func (t *Timeline) place(c *trackClock, s time.Duration) media.Time {
	return c.offset.at(s).Add(s + t.fixed())
}

// ascend keeps the track's DTS from repeating or stepping back.
func (t *Timeline) ascend(c *trackClock, pts, dts media.Time) (media.Time, media.Time) {
	if c.last != 0 && dts <= c.last {
		dts = c.last.Add(time.Microsecond)
		t.stats.Held++
	}
	c.last = dts
	return max(pts, dts), dts
}

// expected is where a packet stands whose own timestamp says nothing: one
// step after the last, near its arrival.
func (t *Timeline) expected(c *trackClock, arrival media.Time) media.Time {
	due := arrival.Add(t.fixed() + t.cushion.present())
	next := c.last.Add(max(time.Millisecond, min(c.step, jumpSlack)))
	if c.last == 0 || next < due.Add(-2*time.Second) {
		return due
	}
	return min(next, due.Add(aheadSlack))
}

// believe reports whether s continues the track's clock, after giving the
// track a clock if it needs one.
func (t *Timeline) believe(c *trackClock, s time.Duration, arrival media.Time) bool {
	raw := arrival.Add(-s)
	if c.offset == nil {
		return t.begin(c, s, arrival)
	}
	if !leaps(c, s, raw) {
		c.jump = jump{}
		return true
	}
	if !c.jump.lasts(s, arrival) {
		return false
	}
	t.stats.Jumps++
	seamless := t.expected(c, arrival).Add(-s - t.fixed() - t.cushion.present())
	if shared := t.near(c, c.jump.least); shared != nil {
		c.offset = shared
	} else if d := seamless.Sub(c.jump.least); d.Abs() < jumpSlack {
		c.offset = newOffset(s, seamless, arrival, t.cushion.present())
		c.offset.settled, c.offset.coarse = 0, 0
	} else {
		c.offset = newOffset(s, c.jump.least, arrival, t.cushion.present())
	}
	c.offset.window.add(arrival, c.jump.least)
	c.source = s
	c.jump = jump{}
	return true
}

// begin anchors a track's first packets: on the clock of the other tracks
// where it reads the same, else on their own arrival once they agree.
func (t *Timeline) begin(c *trackClock, s time.Duration, arrival media.Time) bool {
	raw := arrival.Add(-s)
	c.offset = t.near(c, raw)
	switch {
	case c.offset != nil:
	case !t.anchored():
		c.offset = newOffset(s, raw, arrival, t.cushion.present())
	case c.jump.lasts(s, arrival):
		c.offset = newOffset(s, c.jump.least, arrival, t.cushion.present())
	default:
		return false
	}
	c.source = s
	c.jump = jump{}
	return true
}

// leaps reports whether s cannot follow the track's last packet: it lies
// before it, or so far ahead that it came before its time.
func leaps(c *trackClock, s time.Duration, raw media.Time) bool {
	d := s - c.source
	return d < -jumpSlack || d > jumpSlack && c.offset.base().Sub(raw) > jumpSlack
}

// lasts takes note of one more packet that leapt to s.
func (j *jump) lasts(s time.Duration, arrival media.Time) bool {
	raw := arrival.Add(-s)
	if d := s - j.last; j.count == 0 || d < 0 || d > commonBase {
		since := j.since
		if j.count == 0 {
			since = arrival
		}
		*j = jump{count: 0, since: since, least: raw}
	}
	j.count++
	j.last = s
	j.least = min(j.least, raw)
	return j.count >= jumpPackets || arrival.Sub(j.since) >= jumpSpan
}

// near finds the other tracks' clock that agrees best with the measure.
func (t *Timeline) near(c *trackClock, raw media.Time) *offset {
	var found *offset
	closest := commonBase
	for _, other := range t.tracks {
		if other == c || other.offset == nil || other.offset == c.offset {
			continue
		}
		if d := raw.Sub(other.offset.base()).Abs(); d <= closest {
			found, closest = other.offset, d
		}
	}
	return found
}

func (t *Timeline) anchored() bool {
	for _, other := range t.tracks {
		if other.offset != nil {
			return true
		}
	}
	return false
}

// speedometer compares source time with time.
type speedometer struct {
	track   *trackClock
	offset  *offset
	source  time.Duration
	arrival media.Time
	speed   float64
}

func (m *speedometer) measure(c *trackClock, s time.Duration, arrival media.Time) float64 {
	if m.track != c && m.track != nil && arrival.Sub(m.arrival) < 2*speedSpan {
		return m.speed // one track at a time
	}
	elapsed := arrival.Sub(m.arrival)
	if m.track == c && m.offset == c.offset && elapsed < speedSpan {
		return m.speed
	}
	if m.track == c && m.offset == c.offset {
		m.speed = float64(s-m.source) / float64(elapsed)
	}
	m.track, m.offset, m.source, m.arrival = c, c.offset, s, arrival
	return m.speed
}
