package audio

import (
	"math"
	"time"
)

// Tone is a test source's sound: a steady sine and a beep at the start of each
// second. Every sample follows from its position. Immutable.
type Tone struct{ second []float32 }

const (
	toneLevel = -30.0 // dBFS
	beepLevel = -24.0 // dBFS
	beepHz    = 1000
)

// NewTone is a sine of whole hz (0: none) and a beep as long as given.
func NewTone(hz int, beep time.Duration) *Tone {
	t := &Tone{second: make([]float32, Hz)}
	length := int(beep * Hz / time.Second)
	steady, loud := float64(Gain(toneLevel)), float64(Gain(beepLevel))
	for i := range t.second {
		phase := 2 * math.Pi * float64(i) / Hz
		v := steady * math.Sin(float64(hz)*phase)
		if i < length {
			edge := min(float64(i), float64(length-i)) / Fade
			v += loud * min(edge, 1) * math.Sin(beepHz*phase)
		}
		t.second[i] = float32(v)
	}
	return t
}

// Read gives the tone from a position on.
func (t *Tone) Read(at int64, to Block) (any bool) {
	i := int(((at % Hz) + Hz) % Hz)
	for done := 0; done < to.Len(); {
		n := copy(to[0][done:], t.second[i:])
		done += n
		i = 0
	}
	copy(to[1], to[0])
	return to.Len() > 0
}
