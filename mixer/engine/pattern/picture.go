package pattern

import "image"

// Picture is an 8-bit 4:2:0 picture, BT.709 limited, in memory of its owner.
// Width and Height are even.
type Picture struct {
	Width, Height    int // pixels
	Y, U, V          []byte
	YStride, CStride int // bytes from row to row of Y, and of U and V
}

// NewPicture is a black picture in Go memory.
func NewPicture(width, height int) Picture {
	p := Picture{
		Width: width, Height: height,
		Y: make([]byte, width*height),
		U: make([]byte, width*height/4), V: make([]byte, width*height/4),
		YStride: width, CStride: width / 2,
	}
	p.Fill(image.Rect(0, 0, width, height), Black)
	return p
}

// Sub is a view of the pixels in r, which is cut to even pixels and to p.
func (p Picture) Sub(r image.Rectangle) Picture {
	r = r.Intersect(image.Rect(0, 0, p.Width, p.Height))
	x, y := r.Min.X&^1, r.Min.Y&^1
	sub := p
	sub.Width, sub.Height = (r.Max.X-x)&^1, (r.Max.Y-y)&^1
	sub.Y = p.Y[y*p.YStride+x:]
	sub.U = p.U[y/2*p.CStride+x/2:]
	sub.V = p.V[y/2*p.CStride+x/2:]
	return sub
}

// Fill paints a rectangle, cut to p and to whole chroma samples.
func (p Picture) Fill(r image.Rectangle, c Color) {
	r = r.Intersect(image.Rect(0, 0, p.Width, p.Height))
	if r.Empty() {
		return
	}
	fill(p.Y, p.YStride, r, c.Y)
	half := image.Rect(r.Min.X/2, r.Min.Y/2, (r.Max.X+1)/2, (r.Max.Y+1)/2)
	fill(p.U, p.CStride, half, c.U)
	fill(p.V, p.CStride, half, c.V)
}

// fill sets the first row by doubling and copies it to the others.
func fill(plane []byte, stride int, r image.Rectangle, v byte) {
	first := plane[r.Min.Y*stride+r.Min.X:][:r.Dx()]
	first[0] = v
	for done := 1; done < len(first); done *= 2 {
		copy(first[done:], first[:done])
	}
	for y := r.Min.Y + 1; y < r.Max.Y; y++ {
		copy(plane[y*stride+r.Min.X:], first)
	}
}

// Copy puts the rectangle of q that begins at from over the rectangle r of p.
// Both begin on even pixels; r must lie within p and its source within q.
func (p Picture) Copy(r image.Rectangle, q Picture, from image.Point) {
	for y := range r.Dy() {
		copy(p.Y[(r.Min.Y+y)*p.YStride+r.Min.X:][:r.Dx()], q.Y[(from.Y+y)*q.YStride+from.X:])
	}
	for y := range r.Dy() / 2 {
		row, other := (r.Min.Y/2+y)*p.CStride+r.Min.X/2, (from.Y/2+y)*q.CStride+from.X/2
		copy(p.U[row:][:r.Dx()/2], q.U[other:])
		copy(p.V[row:][:r.Dx()/2], q.V[other:])
	}
}
