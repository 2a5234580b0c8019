package ingest

import "time"

const (
	latenessBin  = 2 * time.Millisecond
	latenessBins = 128 // up to 256 ms; what is later stands in the last

	// forgetting is what a measure counts for half a second later: 1/e after 16 s.
	forgetting = 0.97
	// negligible is a weight that says nothing of the path any more.
	negligible = 0.1
)

// lateness is how much later than the least delayed packet others came: a
// histogram whose older measures count less and less.
type lateness struct {
	bins  [latenessBins]float64
	total float64
}

func (l *lateness) add(late time.Duration) {
	l.bins[min(max(int(late/latenessBin), 0), latenessBins-1)]++
	l.total++
}

// forget lets half a second pass.
func (l *lateness) forget() {
	for i := range l.bins {
		l.bins[i] *= forgetting
	}
	l.total *= forgetting
}

// shift makes every measure less by so many bins: the least delayed packet
// itself has become so much later.
func (l *lateness) shift(bins int) {
	bins = min(bins, latenessBins-1)
	for _, weight := range l.bins[:bins] {
		l.bins[bins] += weight
	}
	copy(l.bins[:], l.bins[bins:])
	clear(l.bins[latenessBins-bins:])
}

// known reports whether there are measures that still say something.
func (l *lateness) known() bool { return l.total > negligible }

// quantile is the lateness that the given share of the measures does not exceed,
// nor all but one of them.
func (l *lateness) quantile(share float64) time.Duration {
	beyond := max(l.total*(1-share), 1)
	for i := latenessBins - 1; i >= 0; i-- {
		if beyond -= l.bins[i]; beyond < 0 {
			return time.Duration(i+1) * latenessBin
		}
	}
	return 0
}
