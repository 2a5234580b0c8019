package audio

import "math"

// Reading is what a Meter shows: decibels, Silent at the least. Peak and RMS
// are since the last reading, left and right.
type Reading struct {
	Peak, RMS  [2]float64 // dBFS
	TruePeak   float64    // dBTP, since the last reading
	Momentary  float64    // LUFS
	ShortTerm  float64    // LUFS
	Integrated float64    // LUFS, since the start
}

// Meter measures one bus or source. One goroutine.
type Meter struct {
	loudness Loudness
	between  TruePeak
	peak     [2]float32
	truePeak float32
	squares  [2]float64
	count    int
}

// meterFloor is the level below which the peaks between samples are not looked
// for: -20 dBFS.
const meterFloor = 0.1

// Write measures the next samples.
func (m *Meter) Write(b Block) {
	m.loudness.Write(b)
	m.truePeak = max(m.truePeak, m.between.Write(b, max(m.truePeak, meterFloor)))
	m.count += b.Len()
	for c := range b {
		peak, sum := m.peak[c], float32(0)
		for _, v := range b[c] {
			peak = max(peak, v, -v)
			sum += v * v
		}
		m.peak[c] = peak
		if sum-sum == 0 {
			m.squares[c] += float64(sum)
		}
	}
}

// Take reads the meter and begins the next reading.
func (m *Meter) Take() Reading {
	r := Reading{
		TruePeak:  Decibels(float64(m.truePeak)),
		Momentary: m.loudness.Momentary(), ShortTerm: m.loudness.ShortTerm(), Integrated: m.loudness.Integrated(),
	}
	for c := range m.peak {
		r.Peak[c] = Decibels(float64(m.peak[c]))
		r.RMS[c] = Decibels(math.Sqrt(m.squares[c] / float64(max(m.count, 1))))
	}
	m.peak, m.squares, m.count, m.truePeak = [2]float32{}, [2]float64{}, 0, 0
	return r
}

// Restart begins the integrated loudness anew.
func (m *Meter) Restart() { m.loudness.Reset() }

// Decibels is a level in dBFS.
func Decibels(level float64) float64 {
	if !(level > 1e-6) {
		return Silent
	}
	return 20 * math.Log10(level)
}
