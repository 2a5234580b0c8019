package audio

import "math"

// Ceiling is the limiter's: -1 dBFS.
var ceiling = float32(math.Pow(10, -1.0/20))

const (
	limiterHold    = Hz / 50                  // samples that a reduction is held: a period of 50 Hz
	limiterRelease = float32(1) / (Hz * 0.15) // share of the way back to 1 per sample
)

// Limiter keeps the sum at or below -1 dBFS without any delay: the gain drops
// at the sample that needs it, is held, and returns slowly. Below the ceiling
// it changes nothing. The zero value is ready.
type Limiter struct {
	reduction float32 // 1 - gain
	hold      int
}

// Process limits b in place.
func (l *Limiter) Process(b Block) {
	if l.reduction == 0 && b.Peak() <= ceiling {
		return
	}
	left, right := b[0], b[1]
	for i := range left {
		peak := max(left[i], -left[i], right[i], -right[i])
		if need := 1 - ceiling/peak; peak > ceiling && need >= l.reduction {
			l.reduction, l.hold = need, limiterHold
		} else if l.hold > 0 {
			l.hold--
		} else if l.reduction -= l.reduction * limiterRelease; l.reduction < 1e-5 {
			l.reduction = 0
		}
		gain := 1 - l.reduction
		left[i] = min(max(left[i]*gain, -ceiling), ceiling)
		right[i] = min(max(right[i]*gain, -ceiling), ceiling)
	}
}
