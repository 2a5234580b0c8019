package ingest

import (
	"time"

	"millrace/internal/media"
)

const (
	ntpEpoch  = 2_208_988_800 * time.Second // from that of senders' clocks, 1900, to the Unix epoch
	aheadMost = 100 * time.Millisecond      // that a sender's clock may be ahead of ours
	behindBy  = 2 * time.Second             // a packet that was longer on its way has a wrong report
	clockSpan = 5 * time.Second             // before a clock is believed no more, or again
)

// senderClock says whether packets are placed by when they were captured, by the
// clock of their sender, and not by when they come. That clock is believed where
// by it no packet comes before it was captured, and the least delayed ones come
// before they are due.
type senderClock struct {
	wanted  bool
	used    bool
	transit minimum    // from capture to arrival, by both clocks
	judged  bool       // used was decided once
	since   media.Time // arrival since when the transit has said otherwise; 0: it does not
}

// FollowSender shows the packets of the publisher that begins now when the
// latency has passed since they were captured, where he tells when that was and
// his clock can be right: so all who do, and whose clocks agree, line up.
func (t *Timeline) FollowSender(wanted bool) { t.sender = senderClock{wanted: wanted} }

// counted is the instant that stands for a packet's arrival. turned: it is of
// another clock than before.
func (t *Timeline) counted(c *trackClock, s time.Duration, arrival media.Time) (at media.Time, turned bool) {
	arrival = arrival.Add(t.packed)
	if !t.sender.wanted || !c.capture.known {
		return arrival, false
	}
	captured := media.Time(c.capture.reading + s - c.capture.shift - ntpEpoch)
	transit := arrival.Sub(captured)
	turned = t.sender.judge(transit, arrival, t.latency)
	if t.sender.used && transit > -aheadMost && transit < t.latency+behindBy {
		return captured, turned
	}
	return arrival, turned
}

// judge takes how long a packet was on its way.
func (k *senderClock) judge(transit time.Duration, arrival media.Time, latency time.Duration) (turned bool) {
	k.transit.add(arrival, media.Time(transit))
	least := time.Duration(k.transit.least())
	right := least > -aheadMost && least < latency
	switch {
	case right == k.used:
		k.since = 0
		if k.judged {
			return false
		}
	case k.since == 0:
		k.since = arrival
	}
	if k.judged && arrival.Sub(k.since) < clockSpan {
		return false
	}
	turned = right != k.used
	k.used, k.judged, k.since = right, true, 0
	return turned
}
