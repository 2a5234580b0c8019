package engine

import "millrace/gpu"

// glance is what is kept of a picture to judge it and the next ones: some of its
// luma samples, from all over it.
type glance struct {
	luma  []byte
	width int // samples of a row
	dark  int // samples at or below darkest
}

const (
	glanceWidth = 480 // samples of a row, at most
	glanceRows  = 135 // at most

	// darkest is luma that counts as black: 16 is black, 235 white (BT.709 limited).
	darkest = 32
)

// look takes the samples of a picture, which must be in host memory.
func (g *glance) look(f *gpu.Frame) {
	luma, stride := f.Plane(0)
	across, down := (f.Size.Width+glanceWidth-1)/glanceWidth, (f.Size.Height+glanceRows-1)/glanceRows
	g.luma, g.dark = g.luma[:0], 0
	g.width = (f.Size.Width + across - 1) / across
	for y := 0; y < f.Size.Height; y += down {
		row := luma[y*stride : y*stride+f.Size.Width]
		for x := 0; x < len(row); x += across {
			v := row[x]
			g.luma = append(g.luma, v)
			if v <= darkest {
				g.dark++
			}
		}
	}
}

// black is the share of the samples that are dark, 0..1.
func (g *glance) black() float64 { return float64(g.dark) / float64(max(len(g.luma), 1)) }

// differs is the mean difference from another look, in levels of luma; those of
// pictures of different sizes differ in all.
func (g *glance) differs(from *glance) float64 {
	if len(g.luma) != len(from.luma) || g.width != from.width {
		return 255
	}
	sum, other := 0, from.luma
	for i, v := range g.luma {
		d := int(v) - int(other[i])
		if d < 0 {
			d = -d
		}
		sum += d
	}
	return float64(sum) / float64(max(len(g.luma), 1))
}
