package pattern

import (
	"image"
	"strings"
)

const advance = glyphWidth + 1 // from character to character, pixels of the font

// textSize is the extent of a line of text at a scale, in pixels.
func textSize(text string, scale int) image.Point {
	n := len([]rune(text))
	if n == 0 {
		return image.Point{}
	}
	return image.Pt((n*advance-1)*scale, glyphHeight*scale)
}

// Text writes one line with its upper left corner at a point; each pixel of
// the font is a square of scale pixels.
func (p Picture) Text(at image.Point, scale int, text string, color Color) {
	for i, r := range []rune(text) {
		glyph := glyphOf(r)
		for y := range glyphHeight {
			for x := range glyphWidth {
				if ink(glyph, x, y) {
					corner := at.Add(image.Pt((i*advance+x)*scale, y*scale))
					p.Fill(image.Rectangle{Min: corner, Max: corner.Add(image.Pt(scale, scale))}, color)
				}
			}
		}
	}
}

// TextCentered writes one line around the middle of r, as large as it fits and
// at most at the given scale, shortened where even the smallest does not fit.
func (p Picture) TextCentered(r image.Rectangle, scale int, text string, color Color) {
	text = strings.TrimSpace(text)
	for scale > 1 && (textSize(text, scale).X > r.Dx() || textSize(text, scale).Y > r.Dy()) {
		scale--
	}
	if room := max((r.Dx()+1)/advance, 0); len([]rune(text)) > room {
		text = string([]rune(text)[:room])
	}
	size := textSize(text, scale)
	corner := r.Min.Add(image.Pt((r.Dx()-size.X)/2, (r.Dy()-size.Y)/2))
	p.Text(image.Pt(corner.X&^1, corner.Y&^1), scale, text, color)
}
