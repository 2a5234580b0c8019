package audio

import "math"

// Limiter keeps a sum at or below a true peak: it looks ahead, so that the gain
// is down when the peak comes, without a step; it is held a period of 50 Hz and
// returns slowly. Below the ceiling it changes nothing. What goes in comes out
// Lookahead samples later. One goroutine.
type Limiter struct {
	ceiling float32                  // linear
	delay   Block                    // the newest Lookahead samples
	window  [attack]float32          // gains needed, the newest at next-1
	smooth  [attack]float32          // gains after release, likewise
	next    int                      // in both
	sum     float64                  // of smooth
	gain    float32                  // after release
	down    float32                  // 1 - gain, which has the finer steps
	held    int                      // samples until the release begins
	work    Block                    // delay and what came
	peaks   []float32                // of each sample of a call
	samples []float32                // that the interpolator works on
	idle    int                      // samples for which every gain was 1
	past    [2][peakTaps - 1]float32 // samples before delay, for the interpolator
}

const (
	attack       = 64                       // samples over which the gain goes down
	interpolator = peakTaps / 2             // samples that the true peak is late
	limiterHold  = Hz / 50                  // samples
	release      = float32(1) / (Hz * 0.15) // share of the way back to 1 per sample
	// margin, 0.4 dB, is what the interpolator may miss (EBU Tech 3341) and what a
	// gain that moves may add between the samples.
	margin = 0.955
)

// Lookahead is how many samples a Limiter is late.
const Lookahead = attack - 1 + interpolator

// DefaultCeiling is in dBTP.
const DefaultCeiling = -1.0

// NewLimiter is for a ceiling in dBTP.
func NewLimiter(ceiling float64) *Limiter {
	l := &Limiter{delay: NewBlock(Lookahead), gain: 1, sum: attack, idle: 2 * attack}
	l.Aim(ceiling)
	for i := range l.window {
		l.window[i], l.smooth[i] = 1, 1
	}
	return l
}

// Aim changes the ceiling, in dBTP.
func (l *Limiter) Aim(ceiling float64) { l.ceiling = float32(math.Pow(10, ceiling/20) * margin) }

// Process limits b in place, with the samples of Lookahead before.
func (l *Limiter) Process(b Block) {
	n := b.Len()
	if l.work.Len() < Lookahead+n {
		l.work = NewBlock(Lookahead + n)
	}
	for c := range b {
		copy(l.work[c], l.delay[c])
		copy(l.work[c][Lookahead:], b[c])
		copy(l.delay[c], l.work[c][n:Lookahead+n])
	}
	loud := b.Peak()*peakBound > l.ceiling || l.recent()*peakBound > l.ceiling
	if !loud && l.gain == 1 && l.idle >= 2*attack {
		l.sum = attack // without what rounding left
		for c := range b {
			copy(b[c], l.work[c][:n])
			remember(l.past[c][:], l.work[c][Lookahead:Lookahead+n])
		}
		return
	}
	l.measure(n)
	for i := range n {
		gain := l.step(l.peaks[i])
		b[0][i], b[1][i] = l.work[0][i]*gain, l.work[1][i]*gain
	}
}

// recent is the largest magnitude of the samples before, that the interpolator
// still works on.
func (l *Limiter) recent() float32 { return max(magnitude(l.past[0][:]), magnitude(l.past[1][:])) }

// measure gives peaks: at i the largest magnitude at and beside the sample that
// lies interpolator samples before i.
func (l *Limiter) measure(n int) {
	if len(l.peaks) < n {
		l.peaks = make([]float32, n)
	}
	clear(l.peaks[:n])
	for c := range l.past {
		// The samples of this call are those of work behind the delay.
		samples := append(append(l.samples[:0], l.past[c][:]...), l.work[c][Lookahead:Lookahead+n]...)
		l.samples = samples
		for i := range n {
			window := samples[i : i+peakTaps : i+peakTaps]
			peak := max(window[interpolator-1], -window[interpolator-1], window[interpolator], -window[interpolator])
			if magnitude(window)*peakBound > l.ceiling {
				peak = max(peak, between(window))
			}
			l.peaks[i] = max(l.peaks[i], peak)
		}
		remember(l.past[c][:], samples[peakTaps-1:])
	}
}

// step takes the peak of the newest sample and gives the gain of the one that
// comes out.
func (l *Limiter) step(peak float32) float32 {
	need := float32(1)
	if peak > l.ceiling {
		need = l.ceiling / peak
	}
	l.window[l.next] = need
	lowest := float32(1)
	if need < 1 {
		l.idle = 0
	} else {
		l.idle++
	}
	if l.idle <= attack {
		for _, g := range l.window {
			lowest = min(lowest, g)
		}
	}
	switch {
	case lowest <= l.gain:
		l.gain, l.down = lowest, 1-lowest
		if lowest < 1 {
			l.held = limiterHold
		}
	case l.held > 0:
		l.held--
	default:
		if l.down -= l.down * release; l.down < 1e-5 {
			l.down = 0
		}
		l.gain = min(1-l.down, lowest)
	}
	if l.gain < 1 {
		l.idle = min(l.idle, attack+1) // the average is not back yet
	}
	l.sum += float64(l.gain) - float64(l.smooth[l.next])
	l.smooth[l.next] = l.gain
	l.next = (l.next + 1) % attack
	return min(float32(l.sum/attack), 1)
}
