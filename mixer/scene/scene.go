// Package scene says where sources sit on the canvas: scenes, the layouts
// that resolve to placements, and their validation. Everything is immutable
// once made and free of pixels, except Rect.Pixels.
package scene

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Scene is a named arrangement of sources: a built-in layout with slots, or
// layers placed freely; never both.
type Scene struct {
	ID     string      `json:"id"`
	Name   string      `json:"name,omitempty"`
	Layout string      `json:"layout,omitempty"`
	Slots  []string    `json:"slots,omitempty"` // source ids, row by row; "" leaves the cell empty
	Layers []Placement `json:"layers,omitempty"`
	// Missing is the layout's cells' while their source has no picture.
	Missing Missing `json:"missing,omitempty"`
}

// Missing says what a cell shows while its source has no picture, or none that
// is newer than the source's hold time.
type Missing string

// The policies. An empty one is MissingSlate.
const (
	MissingSlate Missing = "slate" // the source's slate
	MissingHold  Missing = "hold"  // the newest picture, however old; the slate before the first
	MissingHide  Missing = "hide"  // nothing: what lies under the cell
	MissingBlack Missing = "black"
)

// Fit says how a picture of one shape fills a rectangle of another.
type Fit string

// The fits. An empty fit is Cover.
const (
	Cover   Fit = "cover"   // fills the rectangle, cuts what is over
	Contain Fit = "contain" // shows the whole picture, leaves the rest clear
	Fill    Fit = "fill"    // stretches
)

// Placement is one source, or something that the mixer draws, on the canvas.
type Placement struct {
	Source string `json:"source,omitempty"` // of KindSource
	Graphic
	Rect    Rect    `json:"rect"`             // where, in fractions of the canvas; all of it when absent from JSON
	Crop    Rect    `json:"crop,omitzero"`    // which part, in fractions of the source's picture; zero is all of it
	Fit     Fit     `json:"fit,omitempty"`    // empty is Cover
	Opacity float64 `json:"opacity"`          // 0..1; 1 when absent from JSON
	Radius  float64 `json:"radius,omitempty"` // of the corners, in fractions of the canvas width
	Border  Border  `json:"border,omitzero"`  // drawn inside the rectangle
	Z       int     `json:"z,omitempty"`      // higher is nearer; equals keep their order
	Label   string  `json:"label,omitempty"`  // a strip of text at the lower edge
	Missing Missing `json:"missing,omitempty"`
}

// Border frames a placement.
type Border struct {
	Width float64 `json:"width"` // fractions of the canvas width
	Color string  `json:"color"` // as ParseColor reads it
}

// UnmarshalJSON refuses unknown fields and fills in what may be left out: the
// whole canvas and the opacity of 1.
func (p *Placement) UnmarshalJSON(data []byte) error {
	type plain Placement
	decoded := plain{Rect: Rect{W: 1, H: 1}, Opacity: 1}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&decoded); err != nil {
		return fmt.Errorf("read layer: %w", err)
	}
	*p = Placement(decoded)
	return nil
}

// Sources are the ids that the scene shows, in order of first use.
func (s Scene) Sources() []string {
	var ids []string
	for _, placement := range s.Placements(16, 9) {
		if placement.Source != "" && !slices.Contains(ids, placement.Source) {
			ids = append(ids, placement.Source)
		}
	}
	return ids
}
