package pattern

import "image"

// DrawSlate is what stands in for a source without pictures: dark, with its
// name readable in a quarter of a small rung, and a line below it.
func DrawSlate(p Picture, name, line string) {
	w, h := p.Width, p.Height
	for y := 0; y < h; y += 2 {
		shade := Color{byte(40 - 16*y/h), 132, 126}
		p.Fill(image.Rect(0, y, w, y+2), shade)
	}
	bar := hue(210, 0.5, 0.5)
	p.Fill(image.Rect(0, h*8/10, w, h*8/10+max(h/90, 1)*2), bar)
	p.TextCentered(image.Rect(w/10, h*25/100, w*9/10, h*60/100), max(h/45, 1), name, White)
	p.TextCentered(image.Rect(w/10, h*62/100, w*9/10, h*76/100), max(h/90, 1), line, RGB(0.6, 0.65, 0.7))
}
