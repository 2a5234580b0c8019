package audio

import (
	"math"
	"time"
)

// Ducking is how a source makes way for others.
type Ducking struct {
	ThresholdDB     float64 // of the others' peaks, dBFS
	Ratio           float64 // of what they are above it to what is taken back less: 4 leaves a quarter
	Attack, Release time.Duration
}

// Ducker takes a source back while others are heard. One goroutine.
type Ducker struct{ reduction float64 } // decibels

// Gain is the factor at the end of a block of that length, in which the others
// had their highest peak.
func (d *Ducker) Gain(by Ducking, peak float32, length time.Duration) float32 {
	wanted := 0.0
	if over := 20*math.Log10(float64(peak)) - by.ThresholdDB; over > 0 && by.Ratio > 1 {
		wanted = over * (1 - 1/by.Ratio)
	}
	takes := by.Release
	if wanted > d.reduction {
		takes = by.Attack
	}
	// It goes the greater part of the way, 1 - 1/e, in that time.
	d.reduction += (wanted - d.reduction) * (1 - math.Exp(-float64(length)/float64(max(takes, 1))))
	if d.reduction < 0.01 && wanted == 0 {
		d.reduction = 0
	}
	return Gain(-d.reduction)
}
