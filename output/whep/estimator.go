package whep

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	firstEstimate = 5_000_000 // bits per second, before anything is known
	downMargin    = 1.05      // of a rung's bitrate, that must arrive for it to be chosen after congestion
	congestedLoss = 0.10      // a share; less is repaired and not evaded
	backOff       = 0.85      // of what is sent, taken to arrive where nobody says
	queueLimit    = 150 * time.Millisecond
	queueReports  = 3  // in a row with a queue beyond the limit
	leastPackets  = 20 // of a second, for a loss that says something

	settle        = 2500 * time.Millisecond // a change waits for a keyframe, and a queue takes its time to go
	firstPatience = 8 * time.Second         // before a rung that failed is tried again; doubled each time
	mostPatience  = 4 * time.Minute
	calm          = 20 * time.Second // without congestion: a rung is carried
)

// estimator guesses what a viewer's network carries, and so which rung. Down it
// goes as soon as packets queue up on the way or many are lost, to what still
// arrives. Up it goes one rung at a time, to one that failed less and less
// often: nothing but sending more can show whether more is carried.
//
// It has no clock inside and belongs to one goroutine.
type estimator struct {
	rungs    []trial // ascending
	rung     int
	changed  time.Time // last; zero: never
	reduced  time.Time // last; zero: never
	arrivals arrivals
	seen     bool // transport-wide feedback comes: nothing else counts
}

// trial is what is known of a rung.
type trial struct {
	bitrate  int       // bits per second
	failed   time.Time // last; zero: never
	patience time.Duration
}

// newEstimator begins with the highest rung below the first estimate.
func newEstimator(bitrates []int) *estimator {
	e := &estimator{}
	for i, bitrate := range bitrates {
		e.rungs = append(e.rungs, trial{bitrate: bitrate, patience: firstPatience})
		if bitrate <= firstEstimate {
			e.rung = i
		}
	}
	return e
}

// bitrate is the present rung's, bits per second.
func (e *estimator) bitrate() int {
	if len(e.rungs) == 0 {
		return 0
	}
	return e.rungs[e.rung].bitrate
}

// sent takes note of a packet.
func (e *estimator) sent(number uint16, size int, now time.Time) { e.arrivals.sent(number, size, now) }

// congestion takes transport-wide feedback.
func (e *estimator) congestion(feedback *rtcp.TransportLayerCC, now time.Time) {
	e.seen = true
	e.arrivals.take(feedback, now)
	if e.arrivals.queued >= queueReports || e.arrivals.packets >= leastPackets && e.arrivals.loss() > congestedLoss {
		e.reduce(e.arrivals.bitrate(now), now)
	}
}

// limit takes a receiver's own estimate (REMB), bits per second. It follows
// what is sent, so that it says something only when it is less.
func (e *estimator) limit(bitrate int, now time.Time) {
	if !e.seen && float64(bitrate) < 0.9*float64(e.bitrate()) {
		e.reduce(float64(bitrate), now)
	}
}

// lost takes a receiver report's share of lost packets.
func (e *estimator) lost(share float64, now time.Time) {
	if !e.seen && share > congestedLoss {
		e.reduce(float64(e.bitrate())*backOff, now)
	}
}

// reduce goes down to what arrives, bits per second; 0: unknown.
func (e *estimator) reduce(arrives float64, now time.Time) {
	if e.rung >= len(e.rungs) || !e.reduced.IsZero() && now.Sub(e.reduced) < settle {
		return
	}
	e.arrivals.restart()
	if arrives <= 0 {
		arrives = float64(e.bitrate()) * backOff
	}
	for e.rung > 0 {
		r := &e.rungs[e.rung]
		if !r.failed.IsZero() {
			r.patience = min(2*r.patience, mostPatience)
		}
		r.failed = now
		e.rung--
		e.changed, e.reduced = now, now
		if float64(e.bitrate())*downMargin <= arrives {
			return
		}
	}
}

// tick is called once a second, and goes up where it is time to try.
func (e *estimator) tick(now time.Time) {
	if e.rung >= len(e.rungs) {
		return
	}
	if e.changed.IsZero() {
		e.changed = now
	}
	here := &e.rungs[e.rung]
	if !here.failed.IsZero() && now.Sub(e.changed) >= calm {
		here.failed, here.patience = time.Time{}, firstPatience
	}
	if e.rung+1 == len(e.rungs) || now.Sub(e.changed) < settle {
		return
	}
	if above := e.rungs[e.rung+1]; above.failed.IsZero() || now.Sub(above.failed) >= above.patience {
		e.rung++
		e.changed = now
	}
}
