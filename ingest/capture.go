package ingest

import (
	"time"

	"millrace/internal/media"
)

const (
	captureTrust  = 2 * time.Second       // tracks that the sender's clock takes further apart are left as they arrive
	captureCoarse = 40 * time.Millisecond // a greater correction must have lasted before it is believed
	captureSpan   = 6 * time.Second       // so long: longer than between two reports
	captureSlew   = 50                    // pictures are moved by 1/50 of the time that passes
)

// capture is what the sender's own clock says of one track: which of its
// source times were captured at which of the sender's. Sound is what pictures
// are moved to, by a shift of their source time: a picture that comes
// some milliseconds earlier is seen by nobody, sound would change its pitch.
type capture struct {
	known   bool
	leads   bool
	reading time.Duration // sender's clock minus the track's
	leader  *trackClock   // that the shift was made for

	shift  time.Duration // added to the track's source time
	newest time.Duration // source time at which it was moved last
	strays media.Time    // arrival since when the correction has been a coarse one; 0: it is not
}

// Captured is told when, by the sender's clock, the track's source time s was
// captured (RTCP sender reports, abs-capture-time), before the packet is mapped
// or noted. leads says that the track is sound.
func (t *Timeline) Captured(track string, s, sender time.Duration, leads bool, arrival media.Time) {
	c := t.clock(track)
	c.capture.known, c.capture.leads, c.capture.reading = true, leads, sender-s
	leader := t.leader()
	if leader == nil || leads {
		return
	}
	want := c.capture.reading - leader.capture.reading
	if want.Abs() <= captureTrust {
		c.capture.follow(want, s, leader, arrival)
	}
}

// leader is the sound that the sender's clock is known of, or nil.
func (t *Timeline) leader() *trackClock {
	for _, c := range t.tracks {
		if c.capture.known && c.capture.leads {
			return c
		}
	}
	return nil
}

// follow moves the shift to what is wanted: at once for a leader that is new,
// slowly afterwards.
func (c *capture) follow(want, s time.Duration, leader *trackClock, arrival media.Time) {
	off := want - c.shift
	switch {
	case c.leader != leader:
		c.leader, c.shift, c.newest, c.strays = leader, want, s, 0
		return
	case off.Abs() <= captureCoarse:
		c.strays = 0
	case c.strays == 0:
		c.strays = arrival
		return
	case arrival.Sub(c.strays) < captureSpan:
		return
	default:
		c.shift, c.newest, c.strays = want, s, 0
		return
	}
	passed := max(s-c.newest, 0)
	c.newest = max(c.newest, s)
	if off.Abs() <= deadBand {
		return
	}
	way := min(passed/captureSlew, off.Abs()-deadBand)
	if off < 0 {
		way = -way
	}
	c.shift += way
}
