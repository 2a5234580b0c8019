package scene

import (
	"cmp"
	"slices"
)

// cells is where the slots of a layout stand, row by row; nil for a layout
// that this version does not do.
func cells(layout string) []Rect {
	switch layout {
	case "solo":
		return []Rect{{W: 1, H: 1}}
	case "two-up":
		// Two whole 16:9 pictures side by side, centred.
		return []Rect{{X: 0, Y: 0.25, W: 0.5, H: 0.5}, {X: 0.5, Y: 0.25, W: 0.5, H: 0.5}}
	case "grid-4":
		return []Rect{
			{X: 0, Y: 0, W: 0.5, H: 0.5}, {X: 0.5, Y: 0, W: 0.5, H: 0.5},
			{X: 0, Y: 0.5, W: 0.5, H: 0.5}, {X: 0.5, Y: 0.5, W: 0.5, H: 0.5},
		}
	}
	return nil
}

// Layouts are the names that this version can resolve.
func Layouts() []string { return []string{"solo", "two-up", "grid-4"} }

// later are the layouts of the contract that this version refuses by name.
func later() []string {
	return []string{
		"two-up-70-30", "speaker-slides", "pip-tl", "pip-tr", "pip-bl", "pip-br", "three-up",
		"speaker-strip", "grid-6", "grid-9", "auto-grid", "holding",
	}
}

// Placements is the scene resolved: one placement per visible source, sorted
// by Z. Slots beyond the layout's cells and empty slots place nothing.
func (s Scene) Placements() []Placement {
	if s.Layout == "" {
		placements := slices.Clone(s.Layers)
		slices.SortStableFunc(placements, func(a, b Placement) int { return cmp.Compare(a.Z, b.Z) })
		return placements
	}
	var placements []Placement
	for i, cell := range cells(s.Layout) {
		if i < len(s.Slots) && s.Slots[i] != "" {
			placements = append(placements, Placement{Source: s.Slots[i], Rect: cell, Fit: Cover, Opacity: 1})
		}
	}
	return placements
}
