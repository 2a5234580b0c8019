package scene

// TileKind says what a tile of the multiview shows.
type TileKind string

// The kinds of tile.
const (
	TilePreview TileKind = "preview"
	TileProgram TileKind = "program"
	TileSource  TileKind = "source"
)

// Tile is one picture of the multiview.
type Tile struct {
	Kind   TileKind
	Source string // of TileSource
	Rect   Rect   // of the multiview's picture; of the shape of what it shows
}

// MostTiles is how many sources the multiview shows at most.
const MostTiles = 16

// multiviewShape is that of the multiview's picture.
const multiviewShape = 16.0 / 9

// Multiview arranges preview and program, left and right above, and the sources
// below them, in rows. The canvas's shape is width to height; sources are shown
// in 16:9.
func Multiview(sources []string, width, height int) []Tile {
	canvas := float64(width) / float64(height)
	tiles := []Tile{
		{Kind: TilePreview, Rect: framed(Rect{W: 0.5, H: 0.5}, canvas)},
		{Kind: TileProgram, Rect: framed(Rect{X: 0.5, W: 0.5, H: 0.5}, canvas)},
	}
	sources = sources[:min(len(sources), MostTiles)]
	columns := 4
	if len(sources) > 8 {
		columns = 6
	}
	rows := max((len(sources)+columns-1)/columns, columns/2)
	cells := within(Rect{Y: 0.5, W: 1, H: 0.5}, table(columns, rows, columns*rows))
	for i, source := range sources {
		tiles = append(tiles, Tile{Kind: TileSource, Source: source, Rect: framed(cells[i].Rect, 16.0/9)})
	}
	return tiles
}

// framed is the largest centred part of a rectangle of the multiview in which a
// picture of that shape fits whole.
func framed(r Rect, shape float64) Rect {
	wider := shape / (r.W / r.H * multiviewShape)
	if wider < 1 {
		return Rect{X: r.X + r.W*(1-wider)/2, Y: r.Y, W: r.W * wider, H: r.H}
	}
	return Rect{X: r.X, Y: r.Y + r.H*(1-1/wider)/2, W: r.W, H: r.H / wider}
}
