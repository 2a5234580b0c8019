package testmedia

import (
	"image"
	"math"

	"millrace/mixer/engine/pattern"
)

// talk is a presenter before a still background: head and shoulders sway a
// little, the eyes blink, and the mouth opens with the speech.
type talk struct {
	clip  Clip
	still pattern.Picture
	voice voice
	grain *grain
	blink float64 // seconds from blink to blink
}

func newTalk(c Clip) *talk {
	random := c.random('k')
	t := &talk{clip: c, still: pattern.NewPicture(c.Width, c.Height), voice: newVoice(c), grain: newGrain(c, 1.2)}
	t.blink = 2.5 + 2*random.Float64()
	for y := 0; y < c.Height; y += 2 {
		shade := 0.35 - 0.2*float64(y)/float64(c.Height)
		t.still.Fill(image.Rect(0, y, c.Width, y+2), pattern.RGB(shade, shade*1.05, shade*1.2))
	}
	for range 24 { // books, dark and far
		width, height := c.Width/48+random.IntN(c.Width/32), c.Height/10+random.IntN(c.Height/10)
		x, shelf := random.IntN(c.Width), (2+random.IntN(3))*c.Height/6
		r, g, b := 0.1+0.3*random.Float64(), 0.1+0.2*random.Float64(), 0.1+0.2*random.Float64()
		t.still.Fill(image.Rect(x, shelf-height, x+width, shelf), pattern.RGB(r, g, b))
	}
	return t
}

func (t *talk) draw(p pattern.Picture, n int64) {
	p.Copy(image.Rect(0, 0, p.Width, p.Height), t.still, image.Point{})
	seconds := float64(t.clip.Rate.At(n)) / 1e9
	unit := float64(p.Height) / 100
	x := float64(p.Width)/2 + unit*(1.5*math.Sin(seconds*0.8)+0.5*math.Sin(seconds*2.1))
	y := float64(p.Height)*0.46 + unit*0.6*math.Sin(seconds*1.3)
	skin := pattern.RGB(0.82, 0.62, 0.52)

	ellipse(p, x, y+unit*62, unit*38, unit*36, pattern.RGB(0.16, 0.2, 0.34))
	ellipse(p, x, y+unit*24, unit*8, unit*14, pattern.RGB(0.74, 0.55, 0.46))
	ellipse(p, x, y-unit*5, unit*19, unit*24, pattern.RGB(0.2, 0.13, 0.09))
	ellipse(p, x, y, unit*17, unit*22, skin)
	eye := unit * 1.6
	if math.Mod(seconds, t.blink) < 0.15 {
		eye = unit * 0.3
	}
	for _, side := range []float64{-1, 1} {
		ellipse(p, x+side*unit*6.5, y-unit*4, unit*2.6, eye, pattern.RGB(0.95, 0.95, 0.95))
		ellipse(p, x+side*unit*6.5, y-unit*4, unit*1.2, min(eye, unit*1.2), pattern.RGB(0.2, 0.12, 0.1))
	}
	ellipse(p, x, y+unit*10, unit*5, unit*(0.7+3*t.voice.loudness(seconds)), pattern.RGB(0.45, 0.12, 0.14))
	t.grain.lay(p, n)
}

// ellipse blends an ellipse with centre and radii in pixels; its edge is soft over two pixels.
func ellipse(p pattern.Picture, x, y, rx, ry float64, c pattern.Color) {
	blend(p.Y, p.YStride, p.Width, p.Height, x, y, rx, ry, c.Y)
	blend(p.U, p.CStride, p.Width/2, p.Height/2, x/2, y/2, rx/2, ry/2, c.U)
	blend(p.V, p.CStride, p.Width/2, p.Height/2, x/2, y/2, rx/2, ry/2, c.V)
}

func blend(plane []byte, stride, width, height int, x, y, rx, ry float64, value byte) {
	soft := min(rx, ry)
	for row := max(int(y-ry-1), 0); row < min(int(y+ry+2), height); row++ {
		dy := (float64(row) + 0.5 - y) / ry
		for column := max(int(x-rx-1), 0); column < min(int(x+rx+2), width); column++ {
			dx := (float64(column) + 0.5 - x) / rx
			cover := max(0, min(1, (1-math.Sqrt(dx*dx+dy*dy))*soft/2+0.5))
			at := &plane[row*stride+column]
			*at = byte(float64(*at) + (float64(value)-float64(*at))*cover + 0.5)
		}
	}
}
