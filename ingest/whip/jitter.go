package whip

import (
	"time"

	"github.com/pion/rtp"
)

const (
	windowSize  = 2048 // packets that are kept at most
	longestGap  = 512  // packets: what is missing beyond is not waited for
	reorderSpan = 40 * time.Millisecond
	leastHold   = 200 * time.Millisecond
	mostHold    = time.Second
	leastRetry  = 20 * time.Millisecond
	firstRTT    = 100 * time.Millisecond // while none was measured
)

// jitterBuffer puts the packets of one stream in order. What is missing is
// waited for as long as a retransmission may take: a few round trips as they
// are measured, since a fixed time throws away what is on its way (F18). Where
// the publisher does not retransmit, only reordering is waited for.
//
// It has no clock inside and belongs to one goroutine.
type jitterBuffer struct {
	repairs bool          // the publisher sends lost packets again when asked
	rtt     time.Duration // from asking to getting; 0: unknown
	floor   time.Duration // round trip as ICE measures it; 0: unknown

	begun   bool
	next    int64 // sequence number to hand out, unwrapped
	highest int64
	slots   [windowSize]slot
	counts  jitterCounts
}

// slot is a place in the order: a packet, or since when it is missing.
type slot struct {
	packet *rtp.Packet
	came   time.Time // the packet
	since  time.Time // it was found missing, and asked for
	asked  time.Time // for it, last
	times  int
}

type jitterCounts struct{ late, lost, nacks uint64 }

func (j *jitterBuffer) slot(n int64) *slot { return &j.slots[n%windowSize] }

// put takes a packet as it arrives. broken: the stream began again elsewhere,
// and nothing before the packet will come.
func (j *jitterBuffer) put(p *rtp.Packet, now time.Time) (broken bool) {
	if !j.begun {
		j.begun = true
		j.restart(p, now)
		return false
	}
	n := j.highest + int64(int16(p.SequenceNumber-uint16(j.highest)))
	switch {
	case n < j.next:
		j.counts.late++
		return false
	case n-j.highest > longestGap, n-j.next >= windowSize:
		j.counts.lost += uint64(n - j.next)
		j.slots = [windowSize]slot{}
		j.restart(p, now)
		return true
	}
	for missing := j.highest + 1; missing < n; missing++ {
		*j.slot(missing) = slot{since: now}
	}
	s := j.slot(n)
	if n > j.highest {
		*s = slot{}
		j.highest = n
	}
	if s.packet != nil {
		j.counts.late++
		return false
	}
	if s.times > 0 {
		// Which of several requests is answered cannot be told. Too long is the
		// better error: too short and no answer would ever be waited for.
		j.measure(now.Sub(s.since))
	}
	s.packet, s.came = p, now
	return false
}

// restart begins at a packet. A sequence number below windowSize leaves room
// for slots, whose index must not be negative.
func (j *jitterBuffer) restart(p *rtp.Packet, now time.Time) {
	n := int64(p.SequenceNumber) + 1<<16
	j.next, j.highest = n, n
	*j.slot(n) = slot{packet: p, came: now}
}

// measure takes a round trip, smoothed as TCP does it (RFC 6298 §2).
func (j *jitterBuffer) measure(rtt time.Duration) {
	if j.rtt == 0 {
		j.rtt = rtt
		return
	}
	j.rtt += (rtt - j.rtt) / 8
}

// assumed is the round trip to reckon with.
func (j *jitterBuffer) assumed() time.Duration {
	if rtt := max(j.rtt, j.floor); rtt > 0 {
		return rtt
	}
	return firstRTT
}

// hold is how long a packet is waited for.
func (j *jitterBuffer) hold() time.Duration {
	if !j.repairs {
		return reorderSpan
	}
	return min(max(4*j.assumed()+50*time.Millisecond, leastHold), mostHold)
}

// take gives the next packet in order, if it is there, when it came, and how
// many before it were given up.
func (j *jitterBuffer) take(now time.Time) (p *rtp.Packet, came time.Time, lost int) {
	for j.begun && j.next <= j.highest {
		s := j.slot(j.next)
		if s.packet == nil && now.Sub(s.since) < j.hold() {
			break
		}
		p, came = s.packet, s.came
		*s = slot{}
		j.next++
		if p != nil {
			return p, came, lost
		}
		lost++
		j.counts.lost++
	}
	return nil, came, lost
}

// ask lists what is to be asked for now.
func (j *jitterBuffer) ask(now time.Time) (missing []uint16) {
	if !j.repairs || !j.begun {
		return nil
	}
	for n := j.next; n <= j.highest; n++ {
		s := j.slot(n)
		if s.packet != nil || now.Before(j.due(s)) {
			continue
		}
		s.asked = now
		s.times++
		missing = append(missing, uint16(n))
	}
	j.counts.nacks += uint64(len(missing))
	return missing
}

// due is when a missing packet is asked for: at once, then a little more than
// a round trip later each time.
func (j *jitterBuffer) due(s *slot) time.Time {
	if s.times == 0 {
		return s.since
	}
	return s.asked.Add(max(j.assumed()*5/4, leastRetry))
}

// wake is when to look again though nothing arrives; zero: there is no need.
func (j *jitterBuffer) wake() (t time.Time) {
	if !j.begun {
		return t
	}
	hold := j.hold()
	for n := j.next; n <= j.highest; n++ {
		s := j.slot(n)
		if s.packet != nil {
			continue
		}
		at := s.since.Add(hold)
		if due := j.due(s); j.repairs && due.Before(at) {
			at = due
		}
		if t.IsZero() || at.Before(t) {
			t = at
		}
	}
	return t
}
