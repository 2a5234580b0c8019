package delay

import (
	"math/bits"
	"sync/atomic"
	"time"

	"millrace/internal/media"
)

const (
	slotSpan  = time.Second
	slotCount = 10 // seconds that count
	perOctave = 8  // buckets: a quantile is off by 6 % at most
	lowest    = 16 // 2^16 ns = 66 µs: what takes less is one bucket
	octaves   = 19 // up to 34 s
	buckets   = octaves*perOctave + 1
)

// Window holds the durations of the last 10 seconds, as counts. Add takes no
// lock and allocates nothing; any number of goroutines may call it. The zero
// value is empty.
type Window struct{ slots [slotCount + 1]slot } // one more than count: the one that is being filled

// slot is one second. What two goroutines add while it begins anew may be lost.
type slot struct {
	second atomic.Int64
	most   atomic.Int64 // ns
	counts [buckets]atomic.Uint32
}

// Spread is what a Window held. Zero without any durations.
type Spread struct {
	P50   time.Duration `json:"p50"` // nanoseconds, as all of them
	P95   time.Duration `json:"p95"`
	Max   time.Duration `json:"max"`
	Count uint64        `json:"count"`
}

// Add takes a duration that ended now. A negative one counts as none.
func (w *Window) Add(now media.Time, d time.Duration) {
	second := int64(now) / int64(slotSpan)
	s := &w.slots[uint64(second)%uint64(len(w.slots))]
	if was := s.second.Load(); was != second && s.second.CompareAndSwap(was, second) {
		s.most.Store(0)
		for i := range s.counts {
			s.counts[i].Store(0)
		}
	}
	d = max(d, 0)
	s.counts[bucketOf(d)].Add(1)
	for most := s.most.Load(); int64(d) > most && !s.most.CompareAndSwap(most, int64(d)); {
		most = s.most.Load()
	}
}

// Spread is what the last 10 seconds before now held.
func (w *Window) Spread(now media.Time) Spread {
	var counts [buckets]uint64
	var spread Spread
	second := int64(now) / int64(slotSpan)
	for i := range w.slots {
		s := &w.slots[i]
		if age := second - s.second.Load(); age < 0 || age > slotCount {
			continue
		}
		spread.Max = max(spread.Max, time.Duration(s.most.Load()))
		for b := range s.counts {
			n := uint64(s.counts[b].Load())
			counts[b] += n
			spread.Count += n
		}
	}
	spread.P50, spread.P95 = spread.quantile(&counts, 50), spread.quantile(&counts, 95)
	return spread
}

// quantile is the duration that so many percent do not exceed.
func (s *Spread) quantile(counts *[buckets]uint64, percent uint64) time.Duration {
	if s.Count == 0 {
		return 0
	}
	rank, passed := (s.Count*percent+99)/100, uint64(0)
	for b, n := range counts {
		if passed += n; passed >= rank {
			return min(middle(b), s.Max)
		}
	}
	return s.Max
}

func bucketOf(d time.Duration) int {
	exponent := bits.Len64(uint64(d)) - 1
	if exponent < lowest {
		return 0
	}
	fraction := int(d>>(exponent-3)) & (perOctave - 1)
	return min((exponent-lowest)*perOctave+fraction+1, buckets-1)
}

// middle is the duration in the middle of a bucket.
func middle(b int) time.Duration {
	if b == 0 {
		return 1 << (lowest - 1)
	}
	octave, fraction := (b-1)/perOctave, (b-1)%perOctave
	width := time.Duration(1) << (lowest + octave - 3)
	return (perOctave+time.Duration(fraction))*width + width/2
}
