package audio

import "math"

// Leveler brings a programme to a loudness, slowly: it measures the last 10 s
// as R 128 does, gates included, and moves its gain towards what is missing.
// While nothing sounds, it waits. Without a target it does nothing. One
// goroutine.
type Leveler struct {
	target float64 // LUFS; 0 is none
	meter  Loudness
	gain   float64 // decibels
	used   float32 // linear, at the end of the last block
}

const (
	levelUp   = 1.5  // decibels a second
	levelDown = 3.0  // decibels a second
	levelMost = 20.0 // decibels either way
	levelGate = -50.0
)

// Aim changes the target, in LUFS. 0 is none: the gain goes back to where it does
// nothing.
func (l *Leveler) Aim(target float64) { l.target = target }

// Process levels b in place.
func (l *Leveler) Process(b Block) {
	if l.target == 0 && l.gain == 0 && l.used == 1 {
		return
	}
	l.meter.Write(b)
	missing := -l.gain
	if recent := l.meter.Recent(); l.target != 0 {
		if missing += l.target - recent; recent <= levelGate {
			missing = 0
		}
	}
	step := float64(b.Len()) / Hz
	l.gain += min(max(missing, -levelDown*step), levelUp*step)
	l.gain = min(max(l.gain, -levelMost), levelMost)
	to := float32(math.Pow(10, l.gain/20))
	b.Ramp(l.used, to)
	l.used = to
}

// NewLeveler has no target.
func NewLeveler() *Leveler { return &Leveler{used: 1} }

// Gain is what it adds now, in decibels.
func (l *Leveler) Gain() float64 { return l.gain }
