package gpu

import (
	"fmt"
	"image"
)

// NewGraphic makes a picture with its matte of an image of even sides. The
// caller owns both.
func NewGraphic(device Device, from *image.NRGBA) (picture, matte *Frame, err error) {
	size := Size{from.Rect.Dx(), from.Rect.Dy()}
	if size.Width%2 != 0 || size.Height%2 != 0 {
		return nil, nil, fmt.Errorf("make graphic: %v is not of even sides", size)
	}
	if picture, err = device.NewFrame(size); err != nil {
		return nil, nil, fmt.Errorf("make graphic: %w", err)
	}
	if matte, err = device.NewFrame(size); err != nil {
		picture.Release()
		return nil, nil, fmt.Errorf("make graphic: %w", err)
	}
	matte.Fill(Color{})
	for y := 0; y < size.Height; y += 2 {
		for x := 0; x < size.Width; x += 2 {
			square(picture, matte, from, x, y)
		}
	}
	return picture, matte, nil
}

// square writes 2x2 pixels. Their chroma is the mean of theirs, by what each
// covers.
func square(picture, matte *Frame, from *image.NRGBA, x, y int) {
	luma, stride := picture.Plane(0)
	cover, coverStride := matte.Plane(0)
	var blue, red, sum, plainBlue, plainRed int
	for i := range 4 {
		px, py := x+i&1, y+i>>1
		c := from.Pix[py*from.Stride+4*px:]
		value, alpha := RGB(c[0], c[1], c[2]), int(c[3])
		luma[py*stride+px], cover[py*coverStride+px] = value.Y, c[3]
		blue, red, sum = blue+alpha*int(value.Cb), red+alpha*int(value.Cr), sum+alpha
		plainBlue, plainRed = plainBlue+int(value.Cb), plainRed+int(value.Cr)
	}
	if sum > 0 {
		blue, red = (blue+sum/2)/sum, (red+sum/2)/sum
	} else {
		blue, red = plainBlue/4, plainRed/4
	}
	for i, value := range []int{blue, red} {
		plane, stride := picture.Plane(1 + i)
		plane[y/2*stride+x/2] = uint8(value)
	}
	plane, chromaStride := matte.Plane(1)
	plane[y/2*chromaStride+x/2] = uint8((sum + 2) / 4)
}
