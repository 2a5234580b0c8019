package gpu

/*
#include "compose.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
)

// jpegQuality is of thumbnails: about 10 kB for 320x180.
const jpegQuality = 75

// EncodeJPEG gives f as a JPEG of that width, its height by f's shape. The
// caller keeps its reference.
func EncodeJPEG(device Device, f *Frame, width int) ([]byte, error) {
	size := Size{width &^ 1, 0}
	size.Height = max(2, 2*int(math.Round(float64(size.Width*f.Size.Height)/float64(f.Size.Width)/f.Aspect/2)))
	small, err := device.NewFrame(size)
	if err != nil {
		return nil, fmt.Errorf("encode JPEG: %w", err)
	}
	defer small.Release()
	if f, err = f.Download(); err != nil {
		return nil, fmt.Errorf("encode JPEG: %w", err)
	}
	defer f.Release()
	whole := image.Rect(0, 0, f.Size.Width&^1, f.Size.Height&^1)
	op := C.mr_op{kind: C.MR_SCALE, target: C.MR_SCRATCH, src: view(f.picture(), &whole), dst: view(small.picture(), nil)}
	op.part = all(op.dst)
	if C.mr_run(&op, 1, 0) != 0 {
		return nil, errors.New("encode JPEG: out of memory")
	}

	picture := image.NewYCbCr(image.Rect(0, 0, size.Width, size.Height), image.YCbCrSubsampleRatio420)
	jfif(picture, small)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return nil, fmt.Errorf("encode JPEG: %w", err)
	}
	return out.Bytes(), nil
}

// jfif writes f to picture as BT.601 full range, which JPEG files are
// (ITU-T T.871). Both are of the same even size.
func jfif(picture *image.YCbCr, f *Frame) {
	luma, lumaStride := f.Plane(0)
	blue, blueStride := f.Plane(1)
	red, redStride := f.Plane(2)
	for y := range f.Size.Height {
		for x := range f.Size.Width {
			value := float32(luma[y*lumaStride+x]) - 16
			cb := float32(blue[y/2*blueStride+x/2]) - 128
			cr := float32(red[y/2*redStride+x/2]) - 128
			picture.Y[y*picture.YStride+x] = clampByte(255*value/219 + (255.0/224)*(0.1016*cb+0.1959*cr))
			if x%2 == 0 && y%2 == 0 {
				at := y/2*picture.CStride + x/2
				picture.Cb[at] = clampByte(128 + (255.0/224)*(0.9899*cb-0.1107*cr))
				picture.Cr[at] = clampByte(128 + (255.0/224)*(-0.0725*cb+0.9834*cr))
			}
		}
	}
}

func clampByte(v float32) uint8 { return uint8(min(max(v+0.5, 0), 255)) }
