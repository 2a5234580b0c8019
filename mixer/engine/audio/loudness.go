package audio

import "math"

// Silent is what a level in decibels reads where there is no sound.
const Silent = -120.0

// Loudness measures stereo by ITU-R BS.1770-4 as EBU Tech 3341 asks: momentary
// over 400 ms, short-term over 3 s, both anew every 100 ms, and integrated with
// both gates since the start. It takes a few operations a sample and holds no
// more than 100 steps and a histogram, however long it runs. One goroutine.
type Loudness struct {
	filters [2]kWeighting
	sum     float64 // of squares in this step
	count   int     // samples of this step

	steps [keptSteps]float64 // mean squares, the newest at next-1
	next  int
	taken int // steps ever, at most keptSteps

	blocks [gateBins]struct {
		count  int
		energy float64
	}
}

const (
	stepSamples    = Hz / 10
	momentarySteps = 4
	shortSteps     = 30
	keptSteps      = 100

	gateFloor = -70.0 // LUFS, the absolute gate
	gateBins  = 800   // of 0.1 LU from there
	gateDepth = 10.0  // LU, of the relative gate
)

// kWeighting is the filter of BS.1770-4 annex 1 at 48 kHz, table 1 and 2: a
// shelf for the head, then the high pass RLB.
type kWeighting struct{ shelf, high biquad }

func (k *kWeighting) filter(v float64) float64 {
	v = k.shelf.filter(v, 1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585)
	return k.high.filter(v, 1, -2, 1, -1.99004745483398, 0.99007225036621)
}

// biquad is a second-order section in transposed direct form II.
type biquad struct{ s, t float64 }

func (f *biquad) filter(v, b0, b1, b2, a1, a2 float64) float64 {
	out := b0*v + f.s
	f.s = b1*v - a1*out + f.t
	f.t = b2*v - a2*out
	return out
}

// Write measures the next samples. Those that are no number count as silence.
func (l *Loudness) Write(b Block) {
	left, right := b[0], b[1][:len(b[0])]
	for i, v := range left {
		x, y := float64(v), float64(right[i])
		if x-x != 0 || y-y != 0 {
			x, y = 0, 0
		}
		x, y = l.filters[0].filter(x), l.filters[1].filter(y)
		l.sum += x*x + y*y
		if l.count++; l.count == stepSamples {
			l.step()
		}
	}
	// What has decayed to nothing must not become denormal and slow.
	for i := range l.filters {
		l.filters[i].shelf.settle()
		l.filters[i].high.settle()
	}
}

func (f *biquad) settle() {
	if math.Abs(f.s) < 1e-20 && math.Abs(f.t) < 1e-20 {
		*f = biquad{}
	}
}

// step ends 100 ms; each is the end of a gating block of 400 ms.
func (l *Loudness) step() {
	l.steps[l.next] = l.sum / stepSamples
	l.next = (l.next + 1) % keptSteps
	l.taken = min(l.taken+1, keptSteps)
	l.sum, l.count = 0, 0
	if l.taken < momentarySteps {
		return
	}
	energy := l.mean(momentarySteps)
	if loudness := lufs(energy); loudness > gateFloor {
		block := &l.blocks[min(int((loudness-gateFloor)*10), gateBins-1)]
		block.count++
		block.energy += energy
	}
}

// mean is of the newest n steps; steps before the first were silent.
func (l *Loudness) mean(n int) (sum float64) {
	for i := 1; i <= n; i++ {
		sum += l.steps[(l.next-i+keptSteps)%keptSteps]
	}
	return sum / float64(n)
}

// lufs is the loudness of a mean square that sums both channels.
func lufs(energy float64) float64 {
	if energy <= 0 {
		return Silent
	}
	return max(10*math.Log10(energy)-0.691, Silent)
}

// Momentary is the loudness of the newest 400 ms, in LUFS.
func (l *Loudness) Momentary() float64 { return lufs(l.mean(momentarySteps)) }

// ShortTerm is the loudness of the newest 3 s, in LUFS.
func (l *Loudness) ShortTerm() float64 { return lufs(l.mean(shortSteps)) }

// Recent is the gated loudness of the newest 10 s, in LUFS; Silent where nothing
// passes the gate.
func (l *Loudness) Recent() float64 {
	absolute := l.recentAbove(math.Pow(10, (gateFloor+0.691)/10))
	if absolute == 0 {
		return Silent
	}
	return lufs(l.recentAbove(absolute * math.Pow(10, -gateDepth/10)))
}

// recentAbove is the mean energy of the kept blocks of 400 ms above a gate.
func (l *Loudness) recentAbove(gate float64) float64 {
	count, sum := 0, 0.0
	for i := 1; i+momentarySteps-1 <= l.taken; i++ {
		block := 0.0
		for j := range momentarySteps {
			block += l.steps[(l.next-i-j+2*keptSteps)%keptSteps]
		}
		if block /= momentarySteps; block > gate {
			count++
			sum += block
		}
	}
	if count == 0 {
		return 0
	}
	return sum / float64(count)
}

// Integrated is the gated loudness since the start, in LUFS; Silent before
// anything passed the gate.
func (l *Loudness) Integrated() float64 {
	absolute := l.above(0)
	if absolute == Silent {
		return Silent
	}
	// A bin counts as a whole: the gate is exact to its 0.1 LU.
	return l.above(max(int(math.Ceil((absolute-gateDepth-gateFloor)*10-1e-9)), 0))
}

// above is the mean loudness of the blocks from a bin on.
func (l *Loudness) above(bin int) float64 {
	count, energy := 0, 0.0
	for _, block := range l.blocks[min(bin, gateBins):] {
		count += block.count
		energy += block.energy
	}
	if count == 0 {
		return Silent
	}
	return lufs(energy / float64(count))
}

// Reset begins anew.
func (l *Loudness) Reset() { *l = Loudness{} }
