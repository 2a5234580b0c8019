package audio

import (
	"math"
	"sync"
)

// Ring holds the newest samples of one source by absolute position. One
// goroutine writes, another reads; what is not there reads as absent. Samples
// that are no number (a broken decoder's) are absent too.
type Ring struct {
	mu    sync.Mutex
	data  Block // sample s stands at s modulo the length
	start int64 // oldest position kept
	end   int64 // one past the newest
}

// NewRing keeps the newest n samples.
func NewRing(n int) *Ring { return &Ring{data: NewBlock(n)} }

// absent marks a sample that nobody wrote.
var absent = float32(math.NaN())

func present(v float32) bool { return v-v == 0 } // neither NaN nor infinite

// Write puts samples at a position. A hole before them is absent; what stood
// at or after their place is forgotten.
func (r *Ring) Write(at int64, samples Block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := int64(r.data.Len())
	if n := int64(samples.Len()); n > size {
		samples = samples.Slice(int(n-size), int(n))
		at += n - size
	}
	if at < r.start || at > r.end+size {
		r.start, r.end = at, at // nothing of the old stays in reach
	}
	for s := r.end; s < at; s++ {
		r.data[0][s%size], r.data[1][s%size] = absent, absent
	}
	for done := 0; done < samples.Len(); {
		i := int((at + int64(done)) % size)
		n := copy(r.data[0][i:], samples[0][done:])
		copy(r.data[1][i:], samples[1][done:])
		done += n
	}
	r.end = at + int64(samples.Len())
	r.start = max(r.start, r.end-size)
}

// Read copies the samples from a position on into to, absent ones as NaN, and
// reports whether any is present.
func (r *Ring) Read(at int64, to Block) (any bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size, n := int64(r.data.Len()), int64(to.Len())
	from, until := min(max(r.start, at), at+n), max(min(r.end, at+n), at)
	if from >= until {
		from, until = at+n, at+n
	}
	for i := range to {
		fillAbsent(to[i][:from-at])
		for s := from; s < until; {
			s += int64(copy(to[i][s-at:until-at], r.data[i][s%size:]))
		}
		fillAbsent(to[i][until-at:])
	}
	return from < until
}

// End is one past the newest sample's position; 0 before the first.
func (r *Ring) End() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end
}

func fillAbsent(samples []float32) {
	for i := range samples {
		samples[i] = absent
	}
}
