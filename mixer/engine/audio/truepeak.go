package audio

// TruePeak finds the peaks between the samples by ITU-R BS.1770-4 annex 2:
// four times the rate, by the interpolator of that annex. One goroutine.
type TruePeak struct {
	history [2][peakTaps - 1]float32 // the samples before
	work    []float32
}

const peakTaps = 12

// peakBound is no less than what the interpolator can make of samples of 1: the
// greatest sum of magnitudes of a phase's taps.
const peakBound = 2.03

// peakPhases are two of the four phases; the others are these, backwards.
var peakPhases = [2][peakTaps]float32{
	{0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
		0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500},
	{-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
		0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375},
}

// Write gives the largest magnitude of the next samples and between them, six
// samples late. Nothing below floor need be found.
func (p *TruePeak) Write(b Block, floor float32) (peak float32) {
	for c := range b {
		history := p.history[c][:]
		peak = max(peak, magnitude(b[c]))
		if max(magnitude(b[c]), magnitude(history))*peakBound > max(floor, peak) {
			p.work = append(append(p.work[:0], history...), b[c]...)
			peak = max(peak, between(p.work))
		}
		remember(history, b[c])
	}
	return peak
}

// remember keeps the end of what was and what came.
func remember(history, samples []float32) {
	if n := len(history) - len(samples); n > 0 {
		copy(history, history[len(samples):])
		copy(history[n:], samples)
		return
	}
	copy(history, samples[len(samples)-len(history):])
}

func magnitude(samples []float32) (peak float32) {
	for _, v := range samples {
		peak = max(peak, v, -v)
	}
	return peak
}

// between is the largest interpolated magnitude.
func between(samples []float32) (peak float32) {
	for i := 0; i+peakTaps <= len(samples); i++ {
		window := samples[i : i+peakTaps : i+peakTaps]
		for _, taps := range peakPhases {
			var forth, back float32
			for k, tap := range taps {
				forth += tap * window[k]
				back += tap * window[peakTaps-1-k]
			}
			peak = max(peak, forth, -forth, back, -back)
		}
	}
	return peak
}
