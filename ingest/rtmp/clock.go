package rtmp

import "time"

// unwrapper extends the 32-bit millisecond timestamps of one connection, which
// all its tracks share, by serial number arithmetic (RFC 1982): a timestamp is
// less than 2^31 ms before or after the last one.
type unwrapper struct {
	last  int64 // milliseconds
	begun bool
}

func (u *unwrapper) unwrap(timestamp uint32) time.Duration {
	if !u.begun {
		u.last, u.begun = int64(timestamp), true
	}
	u.last += int64(int32(timestamp - uint32(u.last)))
	return time.Duration(u.last) * time.Millisecond
}

const (
	burst      = 10 * time.Second // of media ahead of real time, taken as fast as it comes
	paceFactor = 1.1              // real time by which a publisher is then read
	leap       = burst            // a longer step of the source's clock is not media
)

// pacer is the ceiling for publishers that send faster than real time: a
// bucket of media time that leaks at 1.1 times the speed of the wall clock.
type pacer struct {
	ahead time.Duration
	media time.Duration
	wall  time.Time
}

// pause is how long to leave the connection unread after the media time dts
// was read at the instant now.
func (p *pacer) pause(dts time.Duration, now time.Time) time.Duration {
	if p.wall.IsZero() {
		p.media, p.wall = dts, now
		return 0
	}
	step, elapsed := dts-p.media, now.Sub(p.wall)
	p.media, p.wall = dts, now
	if step < -leap || step > leap {
		step = 0
	}
	p.ahead = max(p.ahead+step-time.Duration(paceFactor*float64(elapsed)), 0)
	return max(p.ahead-burst, 0)
}
