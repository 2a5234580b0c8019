package gpu

// Fill writes one colour all over a frame of the host that its maker has not
// handed on yet.
func (f *Frame) Fill(c Color) {
	for i, value := range []uint8{c.Y, c.Cb, c.Cr} {
		plane, _ := f.Plane(i)
		for at := range plane {
			plane[at] = value
		}
	}
}
