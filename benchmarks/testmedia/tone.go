package testmedia

import "math"

// tone makes the samples of a steady sine, in order.
type tone struct {
	hertz  int
	sample int64
}

func (t *tone) next() float64 {
	cycles := float64(t.sample*int64(t.hertz)%SampleRate) / SampleRate
	t.sample++
	return ToneLevel * math.Sin(2*math.Pi*cycles)
}

// ReadTone is the amplitude of one frequency in samples at SampleRate: that of the sine itself where the samples
// hold a whole number of its periods.
func ReadTone(samples []float32, hertz int) float64 {
	var real, imaginary float64
	for i, v := range samples {
		angle := 2 * math.Pi * float64(int64(i)*int64(hertz)%SampleRate) / SampleRate
		real += float64(v) * math.Cos(angle)
		imaginary += float64(v) * math.Sin(angle)
	}
	return 2 * math.Hypot(real, imaginary) / float64(max(len(samples), 1))
}
