package gpu

import "math"

// drawProof paints a smooth picture that is another one for every n.
func (f *Frame) drawProof(n int) {
	for p := range 3 {
		size := f.Size
		if p > 0 {
			size = size.Chroma()
		}
		pixels, stride := f.Plane(p)
		for y := range size.Height {
			for x := range size.Width {
				pixels[y*stride+x] = uint8(40 + (x*(p+1)/2+y+3*n)%160)
			}
		}
	}
}

// nearness is the PSNR of the luma of two pictures of one size, wherever they are.
func nearness(a, b *Frame) (float64, error) {
	left, err := a.Download()
	if err != nil {
		return 0, err
	}
	defer left.Release()
	right, err := b.Download()
	if err != nil {
		return 0, err
	}
	defer right.Release()
	if left.Size != right.Size {
		return 0, nil
	}
	var sum float64
	one, oneStride := left.Plane(0)
	two, twoStride := right.Plane(0)
	for y := range left.Size.Height {
		for x := range left.Size.Width {
			d := float64(one[y*oneStride+x]) - float64(two[y*twoStride+x])
			sum += d * d
		}
	}
	mean := sum / float64(left.Size.Width*left.Size.Height)
	if mean == 0 {
		return 100, nil
	}
	return 10 * math.Log10(255*255/mean), nil
}
