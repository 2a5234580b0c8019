package audio

import "math"

// Voice reads one source on to the bus: its gain moves to a new value within
// one tick, and wherever its sound breaks off, returns or jumps, a fade of 5 ms
// stands in for the click. One goroutine.
type Voice struct {
	gain    float32
	next    int64      // position after the newest read
	last    [2]float32 // newest sample given out, before gain
	tail    [2]float32 // value that decays after a break
	falling int        // samples of the decay left
	rising  int        // samples of the fade-in left
	silent  bool       // the newest sample was absent
	peak    float32
	scratch Block
}

// NewVoice is silent and starts with a gain.
func NewVoice(gain float32) *Voice { return &Voice{gain: gain, silent: true} }

// Gain is the factor for a level in decibels.
func Gain(db float64) float32 { return float32(math.Pow(10, db/20)) }

// Source is where a voice's samples come from. Absent ones read as NaN.
type Source interface {
	Read(at int64, to Block) (any bool)
}

// Mix adds the source's samples from position at on to the bus, with a gain
// that reaches target at the end of the block.
func (v *Voice) Mix(bus Block, source Source, at int64, target float32) {
	n := bus.Len()
	from := v.gain
	v.gain = target
	if from == 0 && target == 0 { // unheard: nothing to smooth when it returns, the gain does that
		v.next, v.falling, v.rising, v.silent, v.last = at+int64(n), 0, 0, false, [2]float32{}
		return
	}
	if v.scratch.Len() < n {
		v.scratch = NewBlock(n)
	}
	samples := v.scratch.Slice(0, n)
	if !source.Read(at, samples) && v.silent && v.falling == 0 {
		v.next = at + int64(n)
		return
	}
	if at != v.next && !v.silent {
		v.breakOff()
		v.rising = Fade
	}
	v.smooth(samples)
	v.next = at + int64(n)
	v.peak = max(v.peak, samples.Peak()*max(from, target))
	add(bus, samples, from, target)
}

// breakOff lets the newest value decay instead of jumping.
func (v *Voice) breakOff() { v.tail, v.falling = v.last, Fade }

// smooth replaces absent samples and fades around every break.
func (v *Voice) smooth(samples Block) {
	left, right := samples[0], samples[1]
	for i := range left {
		l, r := left[i], right[i]
		here := present(l) && present(r)
		if here && !v.silent && v.rising == 0 && v.falling == 0 {
			v.last = [2]float32{l, r}
			continue
		}
		if !here {
			if !v.silent {
				v.breakOff()
			}
			l, r = 0, 0
		} else if v.silent {
			v.rising = Fade
		}
		v.silent = !here
		if v.rising > 0 && here {
			in := 1 - float32(v.rising)/Fade
			l, r = l*in, r*in
			v.rising--
		}
		if v.falling > 0 {
			v.falling--
			out := float32(v.falling) / Fade
			l, r = l+v.tail[0]*out, r+v.tail[1]*out
		}
		left[i], right[i] = l, r
		v.last = [2]float32{l, r}
	}
}

// add sums samples into bus with a gain that moves from one value to another.
func add(bus, samples Block, from, to float32) {
	n := bus.Len()
	step := (to - from) / float32(n)
	for c := range bus {
		sum, in := bus[c][:n], samples[c][:n]
		if from == to {
			for i, v := range in {
				sum[i] += v * to
			}
			continue
		}
		for i, v := range in {
			sum[i] += v * (from + step*float32(i+1))
		}
	}
}

// TakePeak is the largest magnitude since the last call.
func (v *Voice) TakePeak() float32 {
	peak := v.peak
	v.peak = 0
	return peak
}
