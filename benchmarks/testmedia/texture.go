package testmedia

import (
	"math"
	"math/rand/v2"

	"millrace/mixer/engine/pattern"
)

// texture is a large tile of cloudy detail over which the camera wanders with
// fractions of a pixel, under film grain.
type texture struct {
	clip    Clip
	y, u, v []byte // tiles of tileSize rows and columns
	grain   *grain
}

const (
	tileSize = 1024 // pixels, a power of two
	finest   = 4    // pixels from node to node of the finest octave
	coarsest = 256
)

func newTexture(c Clip) *texture {
	random := c.random('t')
	return &texture{
		clip:  c,
		y:     clouds(random, 16, 235, 80),
		u:     clouds(random, 60, 196, 40),
		v:     clouds(random, 60, 196, 40),
		grain: newGrain(c, 5),
	}
}

// clouds is a tile of smooth noise in octaves that repeats without a seam.
func clouds(random *rand.Rand, low, high, swing float64) []byte {
	sum := make([]float64, tileSize*tileSize)
	for cell, weight := coarsest, 1.0; cell >= finest; cell, weight = cell/2, weight*0.72 {
		side := tileSize / cell
		nodes := make([]float64, side*side)
		for i := range nodes {
			nodes[i] = (2*random.Float64() - 1) * weight
		}
		for y := range tileSize {
			top, bottom, fy := y/cell*side, (y/cell+1)%side*side, smooth(float64(y%cell)/float64(cell))
			for x := range tileSize {
				left, right, fx := x/cell, (x/cell+1)%side, smooth(float64(x%cell)/float64(cell))
				upper := nodes[top+left] + (nodes[top+right]-nodes[top+left])*fx
				lower := nodes[bottom+left] + (nodes[bottom+right]-nodes[bottom+left])*fx
				sum[y*tileSize+x] += upper + (lower-upper)*fy
			}
		}
	}
	tile := make([]byte, len(sum))
	for i, v := range sum {
		tile[i] = byte(max(low, min(high, (low+high)/2+v*swing)))
	}
	return tile
}

// smooth eases from 0 to 1.
func smooth(f float64) float64 { return f * f * (3 - 2*f) }

func (t *texture) draw(p pattern.Picture, n int64) {
	seconds := float64(t.clip.Rate.At(n)) / 1e9
	unit := float64(p.Width) / 16 // pixels
	x := seconds*unit + unit*math.Sin(seconds*0.9)
	y := seconds*unit/3 + unit*math.Cos(seconds*0.7)
	sample(p.Y, p.YStride, p.Width, p.Height, t.y, x, y)
	sample(p.U, p.CStride, p.Width/2, p.Height/2, t.u, x/2, y/2)
	sample(p.V, p.CStride, p.Width/2, p.Height/2, t.v, x/2, y/2)
	t.grain.lay(p, n)
}

// sample fills a plane from a tile whose origin is moved by x, y pixels: bilinear along the row, the nearest row.
func sample(plane []byte, stride, width, height int, tile []byte, x, y float64) {
	const mask = tileSize - 1
	left, top := int(math.Floor(x)), int(math.Floor(y))
	part := int((x - math.Floor(x)) * 256)
	for row := range height {
		from := tile[(top+row)&mask*tileSize:][:tileSize]
		line := plane[row*stride:][:width]
		for column := range line {
			a, b := int(from[(left+column)&mask]), int(from[(left+column+1)&mask])
			line[column] = byte(a + (b-a)*part>>8)
		}
	}
}
