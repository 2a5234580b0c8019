package whip

import "time"

// leastLeak lets a least delay be forgotten by 1 part in so many of the time that
// passes: clocks drift.
const leastLeak = 2000

// trackClock reads RTP timestamps: as time since the session began, anchored by
// the arrival of the first packet, and as time of the sender's clock where its
// reports say so (RFC 3550 §6.4.1), which all tracks of a publisher share.
// Placing and aligning them is ingest.Timeline's.
type trackClock struct {
	rate   int64 // Hz
	begun  bool
	ticks  int64         // of the newest timestamp, unwrapped
	offset time.Duration // source time of tick 0

	least  time.Duration // elapsed time at tick 0 by the least delayed packet
	newest time.Duration // elapsed time of the newest

	told   bool          // by the sender, of its own clock
	sender time.Duration // its time at tick 0
	exact  bool          // it stamps packets with the instant of capture: reports are not needed
	early  *report       // that came before the first packet
}

// report says one instant in both clocks of a sender.
type report struct {
	ntp   time.Duration // since 1900
	rtp   uint32
	exact bool // it is of a packet's capture, not of a report's sending
}

// ntpTime is NTP's 64-bit format as a duration since its epoch.
func ntpTime(n uint64) time.Duration {
	return time.Duration(n>>32)*time.Second + time.Duration((n&0xffffffff)*uint64(time.Second)>>32)
}

// at is the source time of a timestamp, and when it was captured by the
// sender's clock, 0 while that is unknown; elapsed is the time since the session
// began at which its packet arrived. Timestamps may wrap and step back (F10).
func (c *trackClock) at(timestamp uint32, elapsed time.Duration) (source, captured time.Duration) {
	c.begin(timestamp, elapsed)
	c.ticks = c.unwrap(timestamp)
	at := c.duration(c.ticks)
	c.least = min(c.least+max(elapsed-c.newest, 0)/leastLeak, elapsed-at)
	c.newest = max(c.newest, elapsed)
	if c.told {
		captured = at + c.sender
	}
	return at + c.offset, captured
}

// begin anchors the clock, if it is not.
func (c *trackClock) begin(timestamp uint32, elapsed time.Duration) {
	if c.begun {
		return
	}
	c.begun = true
	c.ticks = int64(timestamp)
	c.offset = elapsed - c.duration(c.ticks)
	c.least, c.newest = c.offset, elapsed
	if c.early != nil {
		c.report(*c.early)
	}
}

// report takes what the sender says of its clock.
func (c *trackClock) report(r report) {
	switch {
	case !c.begun:
		c.early = &r
		return
	case c.exact && !r.exact:
		return
	}
	c.told, c.exact = true, r.exact
	c.sender = r.ntp - c.duration(c.unwrap(r.rtp))
}

// join puts a clock on the one of another stream of the same pictures: by what
// the sender says of both, or else by when their packets come.
func (c *trackClock) join(other *trackClock) {
	switch {
	case !c.begun:
	case c.told && other.told:
		c.offset = other.offset + c.sender - other.sender
	default:
		c.offset = other.offset + c.least - other.least
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
