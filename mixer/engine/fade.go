package engine

// fade is a level that moves evenly to another one, frame by frame.
type fade struct {
	from, to      float64
	first, frames int64
}

// begin moves to a level from frame n on. It begins where the one before is, and
// takes the share of the frames that is left to go.
func (f *fade) begin(n int64, to float64, frames int64) {
	if f.to == to {
		return // on its way already
	}
	from := f.at(n - 1)
	*f = fade{from: from, to: to, first: n, frames: int64(float64(frames)*abs(to-from) + 0.5)}
}

// at is the level on frame n.
func (f *fade) at(n int64) float64 {
	if f.frames <= 0 {
		return f.to
	}
	return f.from + (f.to-f.from)*min(max(float64(n-f.first+1)/float64(f.frames), 0), 1)
}

// moves reports whether the level goes on changing behind frame n.
func (f *fade) moves(n int64) bool { return n < f.first+f.frames-1 }

func abs(v float64) float64 { return max(v, -v) }
