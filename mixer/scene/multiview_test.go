package scene

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMultiview: every tile lies on the picture, none over another, each of the
// shape of what it shows.
func TestMultiview(t *testing.T) {
	for _, canvas := range [][2]int{{16, 9}, {9, 16}, {1, 1}, {21, 9}} {
		for n := range 20 {
			var sources []string
			for i := range n {
				sources = append(sources, fmt.Sprint("cam", i))
			}
			tiles := Multiview(sources, canvas[0], canvas[1])
			require.Len(t, tiles, 2+min(n, MostTiles))
			for i, tile := range tiles {
				r := tile.Rect.Pixels(960, 540)
				require.True(t, tile.Rect.X >= 0 && tile.Rect.Y >= 0 && tile.Rect.X+tile.Rect.W <= 1+tolerance && tile.Rect.Y+tile.Rect.H <= 1+tolerance)
				want := 16.0 / 9
				if tile.Kind != TileSource {
					want = float64(canvas[0]) / float64(canvas[1])
				}
				require.InEpsilon(t, want, tile.Rect.W/tile.Rect.H*16/9, 1e-6)
				for _, other := range tiles[:i] {
					require.True(t, r.Intersect(other.Rect.Pixels(960, 540)).Empty(), "%v and %v", tile, other)
				}
			}
		}
	}
}
