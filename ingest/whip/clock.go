package whip

import "time"

const (
	leastTrust = 2 * time.Second // a sender's clock that differs more from what arrives is not believed
	slewShare  = 50              // a correction takes at most 1/50 of the time that passes
)

// senderClock is the source clock that the tracks of one publisher share: its
// NTP time, shifted so that it begins when the session did.
type senderClock struct {
	shift time.Duration // source time minus NTP time
	known bool
}

// trackClock maps RTP timestamps to source time: by arrival at first, and by
// the sender's reports once there are any, so that sound and picture captured
// together get the same time (RFC 3550 §6.4.1).
type trackClock struct {
	sender *senderClock
	rate   int64 // Hz

	begun   bool
	ticks   int64         // of the newest timestamp, unwrapped
	offset  time.Duration // source time of tick 0
	aligned bool          // to the sender's clock
	pending time.Duration // of the offset, still to be slid
	early   *report       // that came before the first packet
}

// report is what a sender report says: one instant in both clocks.
type report struct {
	ntp time.Duration // since 1900
	rtp uint32
}

// ntpTime is NTP's 64-bit format as a duration since its epoch.
func ntpTime(n uint64) time.Duration {
	return time.Duration(n>>32)*time.Second + time.Duration((n&0xffffffff)*uint64(time.Second)>>32)
}

// at is the source time of a timestamp; elapsed is the time since the session
// began at which its packet arrived. Timestamps may wrap and step back (F10).
func (c *trackClock) at(timestamp uint32, elapsed time.Duration) time.Duration {
	if !c.begun {
		c.begun = true
		c.ticks = int64(timestamp)
		c.offset = elapsed - c.duration(c.ticks)
		if c.early != nil {
			c.report(*c.early)
		}
	}
	before := c.ticks
	c.ticks = c.unwrap(timestamp)
	if passed := c.duration(c.ticks - before); passed > 0 && c.pending != 0 {
		step := max(-passed/slewShare, min(c.pending, passed/slewShare))
		c.offset += step
		c.pending -= step
	}
	return c.duration(c.ticks) + c.offset
}

// report takes what the sender says of its clock.
func (c *trackClock) report(r report) {
	if !c.begun {
		c.early = &r
		return
	}
	here := c.duration(c.unwrap(r.rtp)) + c.offset
	if !c.sender.known {
		c.sender.shift, c.sender.known = here-r.ntp, true
		c.aligned = true
		return
	}
	off := r.ntp + c.sender.shift - here
	switch {
	case off.Abs() > leastTrust:
	case c.aligned:
		c.pending = off
	default:
		c.offset += off
		c.aligned = true
	}
}

// unwrap extends a timestamp by serial number arithmetic (RFC 1982).
func (c *trackClock) unwrap(timestamp uint32) int64 {
	return c.ticks + int64(int32(timestamp-uint32(c.ticks)))
}

// duration of ticks, exact for as long as int64 nanoseconds last.
func (c *trackClock) duration(ticks int64) time.Duration {
	return time.Duration(ticks/c.rate)*time.Second + time.Duration(ticks%c.rate)*time.Second/time.Duration(c.rate)
}
