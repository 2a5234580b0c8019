package audio

import "math"

// Voice reads one source on to the bus: its gain moves to a new value within
// one tick, and wherever its sound breaks off, returns or jumps, a fade of 5 ms
// stands in for the click. One goroutine.
type Voice struct {
	// Meter measures the source behind its fader, heard or not; nil is off.
	Meter *Meter

	gain    [2]float32
	next    int64      // position after the newest read
	last    [2]float32 // newest sample given out, before gain
	tail    [2]float32 // value that decays after a break
	falling int        // samples of the decay left
	rising  int        // samples of the fade-in left
	silent  bool       // the newest sample was absent
	peak    float32
	heard   float32 // peak of the newest block as the bus got it
	scratch Block
	metered Block
}

// NewVoice is silent and starts with a gain.
func NewVoice(gain float32) *Voice { return &Voice{gain: [2]float32{gain, gain}, silent: true} }

// Strip is what stands between a source and the bus.
type Strip struct {
	Fader [2]float32 // left and right: gain and pan
	Heard float32    // 0..1: mute, and whether the source is on air
}

// NewStrip is a strip with a gain in decibels, panned from -1, left, to 1.
// Towards one side the other is taken back, by a quarter of a sine: what is
// panned to the centre stays as it is.
func NewStrip(db, pan float64, heard float32) Strip {
	gain := Gain(db)
	side := func(away float64) float32 { return float32(math.Cos(min(max(away, 0), 1) * math.Pi / 2)) }
	return Strip{Fader: [2]float32{gain * side(pan), gain * side(-pan)}, Heard: heard}
}

// Times is the strip with a factor in what is heard of it.
func (s Strip) Times(factor float32) Strip {
	s.Heard *= factor
	return s
}

// Gain is the factor for a level in decibels.
func Gain(db float64) float32 { return float32(math.Pow(10, db/20)) }

// Source is where a voice's samples come from. Absent ones read as NaN.
type Source interface {
	Read(at int64, to Block) (any bool)
}

// Mix adds the source's samples from position at on to the bus, with a gain
// that reaches the strip's at the end of the block.
func (v *Voice) Mix(bus Block, source Source, at int64, strip Strip) {
	n := bus.Len()
	v.heard = 0
	from, target := v.gain, [2]float32{strip.Fader[0] * strip.Heard, strip.Fader[1] * strip.Heard}
	v.gain = target
	unheard := from == [2]float32{} && target == from
	if unheard && v.Meter == nil { // nothing to smooth when it returns, the gain does that
		v.next, v.falling, v.rising, v.silent, v.last = at+int64(n), 0, 0, false, [2]float32{}
		return
	}
	if v.scratch.Len() < n {
		v.scratch = NewBlock(n)
	}
	samples := v.scratch.Slice(0, n)
	if !source.Read(at, samples) && v.silent && v.falling == 0 {
		v.next = at + int64(n)
		v.meterSilence(n)
		return
	}
	if at != v.next && !v.silent {
		v.breakOff()
		v.rising = Fade
	}
	v.smooth(samples)
	v.next = at + int64(n)
	v.meter(samples, strip.Fader)
	if unheard {
		return
	}
	v.heard = samples.Peak() * max(from[0], from[1], target[0], target[1])
	v.peak = max(v.peak, v.heard)
	for c := range bus {
		add(bus[c], samples[c], from[c], target[c])
	}
}

// meter measures what the fader lets through.
func (v *Voice) meter(samples Block, fader [2]float32) {
	if v.Meter == nil {
		return
	}
	if v.metered.Len() < samples.Len() {
		v.metered = NewBlock(samples.Len())
	}
	metered := v.metered.Slice(0, samples.Len())
	for c := range samples {
		to, gain := metered[c], fader[c]
		for i, sample := range samples[c] {
			to[i] = sample * gain
		}
	}
	v.Meter.Write(metered)
}

func (v *Voice) meterSilence(n int) {
	if v.Meter == nil {
		return
	}
	silence := v.scratch.Slice(0, n)
	silence.Clear()
	v.Meter.Write(silence)
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

// add sums samples into one side of the bus with a gain that moves from one
// value to another.
func add(sum, samples []float32, from, to float32) {
	step := (to - from) / float32(len(sum))
	in := samples[:len(sum)]
	if from == to {
		for i, v := range in {
			sum[i] += v * to
		}
		return
	}
	for i, v := range in {
		sum[i] += v * (from + step*float32(i+1))
	}
}

// Heard is the largest magnitude of the newest block on the bus; 0 of what was
// not heard.
func (v *Voice) Heard() float32 { return v.heard }

// TakePeak is the largest magnitude since the last call.
func (v *Voice) TakePeak() float32 {
	peak := v.peak
	v.peak = 0
	return peak
}
