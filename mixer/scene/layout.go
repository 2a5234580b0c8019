package scene

import (
	"cmp"
	"slices"
)

// Cell is where a slot of a layout stands.
type Cell struct {
	Rect Rect
	Fit  Fit // empty is Cover
	Z    int
}

// shape is what the solver knows of a canvas: width over height, and which of
// three families its layouts are of.
type shape struct{ aspect float64 }

func (s shape) portrait() bool  { return s.aspect < 0.8 }
func (s shape) landscape() bool { return s.aspect > 1.25 }

// wide is the height of a 16:9 picture of that width, in fractions of the canvas.
func (s shape) wide(width float64) float64 { return min(width*s.aspect*9/16, 1) }

// mostCells is the most that auto-grid arranges.
const mostCells = 25

// layouts are the built-in layouts by name. Each gives the cells for a canvas
// shape; used is how many slots are asked for, which only auto-grid looks at.
func layouts() map[string]func(on shape, used int) []Cell {
	return map[string]func(shape, int) []Cell{
		"solo":           func(shape, int) []Cell { return []Cell{whole} },
		"holding":        func(shape, int) []Cell { return []Cell{whole} },
		"two-up":         func(on shape, _ int) []Cell { return on.pair(0.5) },
		"two-up-70-30":   func(on shape, _ int) []Cell { return on.pair(0.7) },
		"speaker-slides": func(on shape, _ int) []Cell { return on.speakerSlides() },
		"pip-tl":         func(on shape, _ int) []Cell { return on.inset(0, 0) },
		"pip-tr":         func(on shape, _ int) []Cell { return on.inset(1, 0) },
		"pip-bl":         func(on shape, _ int) []Cell { return on.inset(0, 1) },
		"pip-br":         func(on shape, _ int) []Cell { return on.inset(1, 1) },
		"three-up":       func(on shape, _ int) []Cell { return on.three() },
		"speaker-strip":  func(on shape, _ int) []Cell { return on.strip() },
		"grid-4":         func(shape, int) []Cell { return table(2, 2, 4) },
		"grid-6":         func(on shape, _ int) []Cell { return on.grid(6) },
		"grid-9":         func(shape, int) []Cell { return table(3, 3, 9) },
		"auto-grid":      func(on shape, used int) []Cell { return on.grid(min(max(used, 1), mostCells)) },
	}
}

var whole = Cell{Rect: Rect{W: 1, H: 1}}

// Layouts are the names of the built-in layouts, in order.
func Layouts() []string {
	return []string{
		"solo", "two-up", "two-up-70-30", "speaker-slides", "pip-tl", "pip-tr", "pip-bl", "pip-br", "three-up",
		"speaker-strip", "grid-4", "grid-6", "grid-9", "auto-grid", "holding",
	}
}

// Slots is how many slots a layout has at most; 0 for one that is unknown.
func Slots(layout string) int {
	if layout == "auto-grid" {
		return mostCells
	}
	return len(Cells(layout, 0, 16, 9))
}

// Cells is where the slots of a layout stand on a canvas of that shape, row by
// row; nil for an unknown layout. used is how many slots are filled.
func Cells(layout string, used, width, height int) []Cell {
	solve := layouts()[layout]
	if solve == nil {
		return nil
	}
	return solve(shape{float64(width) / float64(height)}, used)
}

// pair is two pictures beside each other, the first with that share of the
// width: whole 16:9 pictures, centred. On a square or upright canvas they stand
// above each other and fill it.
func (s shape) pair(share float64) []Cell {
	if !s.landscape() {
		return []Cell{{Rect: Rect{W: 1, H: share}}, {Rect: Rect{Y: share, W: 1, H: 1 - share}}}
	}
	first, second := s.wide(share), s.wide(1-share)
	return []Cell{
		{Rect: Rect{Y: (1 - first) / 2, W: share, H: first}},
		{Rect: Rect{X: share, Y: (1 - second) / 2, W: 1 - share, H: second}},
	}
}

// speakerSlides shows a speaker and, whole, what he talks about.
func (s shape) speakerSlides() []Cell {
	if !s.landscape() {
		slides := min(s.wide(1), 0.65)
		return []Cell{{Rect: Rect{Y: slides, W: 1, H: 1 - slides}}, {Rect: Rect{W: 1, H: slides}, Fit: Contain}}
	}
	slides := s.wide(0.75)
	return []Cell{
		{Rect: Rect{Y: (1 - slides) / 2, W: 0.25, H: slides}},
		{Rect: Rect{X: 0.25, Y: (1 - slides) / 2, W: 0.75, H: slides}, Fit: Contain},
	}
}

// inset is a picture over another, of the canvas's shape, in the corner that
// right and below (0 or 1) say.
func (s shape) inset(right, below float64) []Cell {
	size := 0.25
	switch {
	case s.portrait():
		size = 0.35
	case !s.landscape():
		size = 0.3
	}
	across := 0.03
	down := across * s.aspect // as far from the edge
	return []Cell{whole, {
		Rect: Rect{X: across + right*(1-size-2*across), Y: down + below*(1-size-2*down), W: size, H: size}, Z: 1,
	}}
}

// three is three columns, three rows on an upright canvas, one above two on a
// square one.
func (s shape) three() []Cell {
	switch {
	case s.portrait():
		return table(1, 3, 3)
	case s.landscape():
		return table(3, 1, 3)
	}
	return []Cell{{Rect: Rect{W: 1, H: 0.5}}, {Rect: Rect{Y: 0.5, W: 0.5, H: 0.5}}, {Rect: Rect{X: 0.5, Y: 0.5, W: 0.5, H: 0.5}}}
}

// strip is a speaker with four others: to the right of him, below him where the
// canvas is no wider than high.
func (s shape) strip() []Cell {
	switch {
	case s.portrait():
		return append([]Cell{{Rect: Rect{W: 1, H: 0.5}}}, within(Rect{Y: 0.5, W: 1, H: 0.5}, table(2, 2, 4))...)
	case !s.landscape():
		return append([]Cell{{Rect: Rect{W: 1, H: 0.75}}}, within(Rect{Y: 0.75, W: 1, H: 0.25}, table(4, 1, 4))...)
	}
	height := s.wide(0.8)
	top := (1 - height) / 2
	return append([]Cell{{Rect: Rect{Y: top, W: 0.8, H: height}}}, within(Rect{X: 0.8, Y: top, W: 0.2, H: height}, table(1, 4, 4))...)
}

// picture is the shape that a grid's cells should come near to: whole pictures
// on a wide canvas, people's faces on an upright one.
func (s shape) picture() float64 {
	switch {
	case s.landscape():
		return 16.0 / 9
	case s.portrait():
		return 1
	}
	return 4.0 / 3
}

// grid is n cells in the number of columns in which such pictures are largest,
// the last row centred; of two equal ones that with the columns along the
// canvas's longer side.
func (s shape) grid(n int) []Cell {
	columns, largest := 1, 0.0
	for c := 1; c <= n; c++ {
		rows := (n + c - 1) / c
		size := min(s.aspect/float64(c), s.picture()/float64(rows))
		if size > largest*(1+tolerance) || s.aspect > 1 && size > largest*(1-tolerance) {
			columns, largest = c, size
		}
	}
	return table(columns, (n+columns-1)/columns, n)
}

// table is n cells row by row; a last row that is not full is centred.
func table(columns, rows, n int) []Cell {
	cells := make([]Cell, 0, n)
	for i := range n {
		row, column := i/columns, i%columns
		missing := max((row+1)*columns-n, 0)
		// Edges are computed as edges, so that neighbours share them exactly.
		edge := func(i int) float64 { return (float64(i) + float64(missing)/2) / float64(columns) }
		top, bottom := float64(row)/float64(rows), float64(row+1)/float64(rows)
		cells = append(cells, Cell{Rect: Rect{X: edge(column), Y: top, W: edge(column+1) - edge(column), H: bottom - top}})
	}
	return cells
}

// within places cells of a whole canvas in a part of it.
func within(part Rect, cells []Cell) []Cell {
	for i := range cells {
		cells[i].Rect = cells[i].Rect.Within(part)
	}
	return cells
}

// Placements is the scene on a canvas of that size: one placement per visible
// layer, sorted by Z. Slots beyond the layout's cells and empty slots place
// nothing.
func (s Scene) Placements(width, height int) []Placement {
	placements := slices.Clone(s.Layers)
	if s.Layout != "" {
		placements = s.fill(Cells(s.Layout, s.used(), width, height))
	}
	if len(placements) == 0 && s.Layout == "holding" {
		placements = []Placement{card(s.Name)}
	}
	slices.SortStableFunc(placements, func(a, b Placement) int { return cmp.Compare(a.Z, b.Z) })
	return placements
}

// used is how many of the slots count: all up to the last that is filled.
func (s Scene) used() int {
	for n := len(s.Slots); n > 0; n-- {
		if s.Slots[n-1] != "" {
			return n
		}
	}
	return 0
}

func (s Scene) fill(cells []Cell) []Placement {
	var placements []Placement
	for i, cell := range cells {
		if i >= len(s.Slots) || s.Slots[i] == "" {
			continue
		}
		fit := cell.Fit
		if fit == "" {
			fit = Cover
		}
		placements = append(placements, Placement{Source: s.Slots[i], Rect: cell.Rect, Fit: fit, Opacity: 1, Z: cell.Z, Missing: s.Missing})
	}
	return placements
}

// card is what "holding" shows without a source: its name, or that it goes on.
func card(name string) Placement {
	return Placement{
		Graphic: Graphic{Kind: KindText, Text: cmp.Or(name, "Back in a moment"), Style: Style{
			Size: 0.08, Align: AlignCenter, Vertical: VerticalMiddle, Background: "#14171cff",
		}},
		Rect: whole.Rect, Fit: Cover, Opacity: 1,
	}
}

// Within is the rectangle on a canvas that is shown in part of another.
func (r Rect) Within(part Rect) Rect {
	return Rect{X: part.X + r.X*part.W, Y: part.Y + r.Y*part.H, W: r.W * part.W, H: r.H * part.H}
}

// between is the rectangle on the way from r to another.
func (r Rect) between(to Rect, p float64) Rect {
	return Rect{X: lerp(r.X, to.X, p), Y: lerp(r.Y, to.Y, p), W: lerp(r.W, to.W, p), H: lerp(r.H, to.H, p)}
}

func lerp(a, b, p float64) float64 { return a + (b-a)*p }
