package testmedia

import (
	"millrace/mixer/engine/pattern"
)

// grain is film grain: one tile of noise, laid over each frame in bands that
// start elsewhere in the tile for every frame.
type grain struct {
	clip Clip
	tile [grainSize * grainSize]int8
}

const (
	grainSize = 256 // pixels, a power of two
	grainBand = 16  // rows that share a place in the tile
)

// newGrain prepares grain with a standard deviation in steps of luma.
func newGrain(c Clip, deviation float64) *grain {
	g := &grain{clip: c}
	random := c.random('g')
	for i := range g.tile {
		g.tile[i] = int8(max(-100, min(100, random.NormFloat64()*deviation)))
	}
	return g
}

// lay adds the grain of frame n to the luma of a picture.
func (g *grain) lay(p pattern.Picture, n int64) {
	random := g.clip.random(uint64(n)<<8 | 'l')
	for top := 0; top < p.Height; top += grainBand {
		left, row := random.IntN(grainSize), random.IntN(grainSize)
		for y := top; y < min(top+grainBand, p.Height); y++ {
			noise := g.tile[(row+y)%grainSize*grainSize:][:grainSize]
			line := p.Y[y*p.YStride:][:p.Width]
			for x := range line {
				line[x] = byte(max(16, min(235, int(line[x])+int(noise[(left+x)%grainSize]))))
			}
		}
	}
}
