package pattern

import "image"

// The machine-readable frame counter is a strip of 32 cells along the top edge
// of a picture of width x height pixels. Cell i covers x from
// width/10 + i*width/40 to width/10 + (i+1)*width/40 and y from 0 to height/24.
// Cell 0 is the most significant bit. White is 1, black is 0. The number is
// the channel's frame number modulo 2^32. The layout scales with the picture,
// so it can be read from a cell of the canvas and from any rung of the ladder.
const counterBits = 32

func counterCell(width, height, i int) image.Rectangle {
	return image.Rect(width/10+i*width/40, 0, width/10+(i+1)*width/40, height/24)
}

// DrawCounter writes the frame number's strip.
func DrawCounter(p Picture, frame int64) {
	for i := range counterBits {
		color := Black
		if uint32(frame)>>(counterBits-1-i)&1 == 1 {
			color = White
		}
		p.Fill(counterCell(p.Width, p.Height, i), color)
	}
}

// ReadCounter reads a strip that may have been scaled and compressed: the mean
// of the middle of each cell decides. ok is false where there is no strip: a
// cell is grey, or all are alike, as in a dark or a white picture (the numbers 0
// and 2^32-1 cannot be read). Rectangles of the canvas are read through
// Picture.Sub.
func ReadCounter(p Picture) (frame uint32, ok bool) {
	for i := range counterBits {
		left, right := p.Width*(4+i)*4+p.Width, p.Width*(4+i)*4+3*p.Width // in 1/160 pixels
		mean, any := p.mean(image.Rect(left/160, p.Height/96, (right+159)/160, (p.Height+31)/32))
		if !any || mean > 85 && mean < 165 {
			return 0, false
		}
		frame <<= 1
		if mean >= 165 {
			frame |= 1
		}
	}
	return frame, frame != 0 && frame != 1<<counterBits-1
}

// mean is the average luma in r.
func (p Picture) mean(r image.Rectangle) (int, bool) {
	r = r.Intersect(image.Rect(0, 0, p.Width, p.Height))
	if r.Empty() {
		return 0, false
	}
	sum := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for _, v := range p.Y[y*p.YStride+r.Min.X : y*p.YStride+r.Max.X] {
			sum += int(v)
		}
	}
	return sum / (r.Dx() * r.Dy()), true
}
