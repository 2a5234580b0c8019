package audio

import "time"

// Tolerance is how far a source's sound may stand from its place on the grid
// before it is put there at once: 40 ms of samples. Below it the resampler is
// bent until it fits.
const Tolerance = int64(40 * time.Millisecond * Hz / time.Second)

// aligner steers one source's resampler so that sample after sample the output
// meets its place on the grid, although its clock runs faster or slower than
// the channel's and its timestamps are rounded.
type aligner struct {
	error float64 // samples that the output comes too early, averaged
	begun bool
}

// The error is averaged over about half a second, and half of it is taken out
// within each following second: critically damped. A clock 1 % off keeps an
// error of 20 ms; 1.5 % is where bending ends.
const (
	alignAverage = 0.5            // seconds
	alignGain    = 0.5            // of the error, per second
	alignMost    = Hz * 15 / 1000 // samples per second
)

// steer takes where a run of samples should begin and where it will, and says
// how many samples to add to each 48,000 that the resampler gives out. jump
// asks for the run to be put where it should be instead.
func (a *aligner) steer(should, will int64, length int) (stretch int, jump bool) {
	gap := float64(should - will)
	if !a.begun || gap > float64(Tolerance) || gap < -float64(Tolerance) {
		*a = aligner{begun: true}
		return 0, true
	}
	share := min(float64(length)/Hz/alignAverage, 1)
	a.error += (gap - a.error) * share
	return int(min(max(a.error*alignGain, -alignMost), alignMost)), false
}
