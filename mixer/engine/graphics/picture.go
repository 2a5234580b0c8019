package graphics

import (
	"image"
	"math"

	"golang.org/x/image/draw"

	"millrace/mixer/scene"
)

// Picture scales a part of a premultiplied picture into one of that size, which
// is clear where fit leaves it so. A zero crop is all of it; an empty fit is
// scene.Cover.
func Picture(from *image.RGBA, size image.Point, fit scene.Fit, crop scene.Rect) *image.NRGBA {
	part := cropped(from.Rect, crop)
	cell := image.Rectangle{Max: size}
	switch fit {
	case scene.Fill:
	case scene.Contain:
		cell = inside(cell, part.Size())
	default:
		part = inside(part, size)
	}
	scaled := image.NewRGBA(image.Rectangle{Max: size})
	draw.CatmullRom.Scale(scaled, cell, from, part, draw.Src, nil)
	return straight(scaled)
}

// cropped is the part of a picture that a crop leaves, a pixel at least.
func cropped(whole image.Rectangle, crop scene.Rect) image.Rectangle {
	if crop == (scene.Rect{}) {
		return whole
	}
	edge := func(fraction float64, length int) int { return int(math.Round(fraction * float64(length))) }
	width, height := whole.Dx(), whole.Dy()
	x, y := min(edge(crop.X, width), width-1), min(edge(crop.Y, height), height-1)
	right, bottom := min(max(edge(crop.X+crop.W, width), x+1), width), min(max(edge(crop.Y+crop.H, height), y+1), height)
	return image.Rect(x, y, right, bottom).Add(whole.Min)
}

// inside is the largest rectangle of a shape within another, in its middle.
func inside(outer image.Rectangle, shape image.Point) image.Rectangle {
	width, height := float64(outer.Dx()), float64(outer.Dy())
	scale := min(width/float64(shape.X), height/float64(shape.Y))
	size := image.Pt(min(max(int(math.Round(float64(shape.X)*scale)), 1), outer.Dx()), min(max(int(math.Round(float64(shape.Y)*scale)), 1), outer.Dy()))
	at := outer.Min.Add(outer.Size().Sub(size).Div(2))
	return image.Rectangle{Min: at, Max: at.Add(size)}
}

// straight is a picture that is not premultiplied. What is clear has the colour
// of what stands next to it, so that edges keep theirs when scaled.
func straight(from *image.RGBA) *image.NRGBA {
	out := image.NewNRGBA(from.Rect)
	for i := 0; i < len(from.Pix); i += 4 {
		alpha := int(from.Pix[i+3])
		if alpha == 0 {
			continue
		}
		for c := range 3 {
			out.Pix[i+c] = uint8(min((int(from.Pix[i+c])*255+alpha/2)/alpha, 255))
		}
		out.Pix[i+3] = uint8(alpha)
	}
	bleed(out)
	return out
}

// bleed gives what is clear the colour of the nearest in its row, or of a row
// near by.
func bleed(p *image.NRGBA) {
	width, height := p.Rect.Dx(), p.Rect.Dy()
	colored := make([]bool, width*height)
	for i := range colored {
		colored[i] = p.Pix[4*i+3] > 0
	}
	take := func(to, from int) {
		if colored[from] && !colored[to] {
			copy(p.Pix[4*to:4*to+3], p.Pix[4*from:4*from+3])
			colored[to] = true
		}
	}
	for y := range height {
		for x := 1; x < width; x++ {
			take(y*width+x, y*width+x-1)
		}
		for x := width - 2; x >= 0; x-- {
			take(y*width+x, y*width+x+1)
		}
	}
	for i := width; i < width*height; i++ {
		take(i, i-width)
	}
	for i := width*(height-1) - 1; i >= 0; i-- {
		take(i, i+width)
	}
}
