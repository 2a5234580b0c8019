package whep

import "time"

const (
	paceFactor = 4         // times the rung's bitrate
	leastPace  = 1_000_000 // bytes per second
	paceBurst  = 40 << 10  // bytes that go at once
)

// pacer spreads what a large frame would send at once: a bucket of bytes that
// fills at several times the rung's bitrate.
type pacer struct {
	rate  float64 // bytes per second
	level float64
	last  time.Time
}

// follow takes the bitrate of the rung, bits per second.
func (p *pacer) follow(bitrate int) { p.rate = max(float64(bitrate)*paceFactor/8, leastPace) }

// allow takes a packet out of the bucket, if it is in it.
func (p *pacer) allow(now time.Time, size int) bool {
	if p.last.IsZero() {
		p.level = paceBurst
	} else {
		p.level = min(p.level+p.rate*now.Sub(p.last).Seconds(), paceBurst)
	}
	p.last = now
	if p.level < float64(size) {
		return false
	}
	p.level -= float64(size)
	return true
}

// wait is how long until a packet may go; several go at a time.
func (p *pacer) wait(now time.Time, size int) time.Duration {
	const packets = 8
	missing := float64(packets*size) - p.level - p.rate*now.Sub(p.last).Seconds()
	return max(time.Duration(missing/p.rate*float64(time.Second)), time.Millisecond)
}
