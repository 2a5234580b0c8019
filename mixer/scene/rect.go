package scene

import (
	"image"
	"math"
)

// Rect is a rectangle in fractions of a picture: of the canvas for a
// placement, of the source for a crop.
type Rect struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Pixels is the rectangle on a picture of width x height pixels. Edges fall on
// even pixels, so chroma never straddles them, except that the far edge of the
// picture is exact. Rectangles that share an edge as fractions share it as
// pixels. The result is never empty and never outside the picture, which must
// be at least 2x2.
func (r Rect) Pixels(width, height int) image.Rectangle {
	x, right := span(r.X, r.W, width)
	y, bottom := span(r.Y, r.H, height)
	return image.Rect(x, y, right, bottom)
}

func span(start, length float64, size int) (from, to int) {
	from, to = edge(start, size), edge(start+length, size)
	if to-from < 2 {
		from = min(from, (size-2)&^1)
		to = min(max(to, from+2), size)
	}
	return from, to
}

// edge is the even pixel nearest to the fraction, or the picture's far edge.
func edge(fraction float64, size int) int {
	if !(fraction > 0) {
		return 0
	}
	pixels := fraction * float64(size)
	// A fraction that sums to a hair below 1 (0.7 + 0.3) is the far edge too.
	if pixels > float64(size)-0.5 {
		return size
	}
	return min(2*int(math.Round(pixels/2)), size)
}
