package audio

// Hz is the sample rate of the channel's grid.
const Hz = 48000

// Fade is how long a break in a source's sound is smoothed: 5 ms of samples.
const Fade = Hz / 200

// Block is a run of stereo samples: left and right, equally long, full scale
// at 1.
type Block [2][]float32

// NewBlock is n samples of silence.
func NewBlock(n int) Block { return Block{make([]float32, n), make([]float32, n)} }

// Len is the number of samples a channel.
func (b Block) Len() int { return len(b[0]) }

// Slice is samples from up to to, sharing memory.
func (b Block) Slice(from, to int) Block { return Block{b[0][from:to], b[1][from:to]} }

// Clear makes b silent.
func (b Block) Clear() {
	clear(b[0])
	clear(b[1])
}

func (b Block) copy(from Block) {
	copy(b[0], from[0])
	copy(b[1], from[1])
}

// add sums another block of the same length into b.
func (b Block) add(other Block) {
	for c := range b {
		sum, in := b[c], other[c][:len(b[c])]
		for i := range sum {
			sum[i] += in[i]
		}
	}
}

// Ramp multiplies b by a gain that moves evenly from one value to another.
func (b Block) Ramp(from, to float32) {
	if from == 1 && to == 1 {
		return
	}
	step := (to - from) / float32(max(b.Len(), 1))
	for _, channel := range b {
		for i := range channel {
			channel[i] *= from + step*float32(i+1)
		}
	}
}

// Peak is the largest magnitude in b.
func (b Block) Peak() float32 {
	var peak float32
	for _, channel := range b {
		for _, v := range channel {
			peak = max(peak, v, -v)
		}
	}
	return peak
}
