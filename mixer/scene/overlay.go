package scene

import (
	"cmp"
	"fmt"
	"time"
	"unicode/utf8"
)

// Overlay is something that the mixer draws over whatever scene is on program.
// Immutable.
type Overlay struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	Graphic
	Rect    Rect    `json:"rect"`              // where, in fractions of the canvas
	Fit     Fit     `json:"fit,omitempty"`     // of an image; empty is Contain
	Opacity float64 `json:"opacity,omitempty"` // 0..1; 1 when 0
	FadeMs  int     `json:"fadeMs,omitempty"`  // how long it takes to come and to go; 0 is at once
}

// What a channel may have of overlays at most.
const (
	MaxOverlays = 16
	MaxFade     = 10 * time.Second
)

// Placement is the overlay as a layer.
func (o Overlay) Placement() Placement {
	p := Placement{Graphic: o.Graphic, Rect: o.Rect, Fit: Fill, Opacity: o.Opacity}
	if o.Kind == KindImage {
		p.Fit = cmp.Or(o.Fit, Contain)
	}
	if p.Opacity == 0 {
		p.Opacity = 1
	}
	return p
}

// Validate gives every fault of the overlay.
func (o Overlay) Validate() []Fault {
	v := &validation{}
	v.check(slug.MatchString(o.ID), "/id", "must be 1 to 40 of a-z, 0-9 and -, beginning with a letter or digit")
	v.check(utf8.RuneCountInString(o.Name) <= MaxNameLen, "/name", "is longer than %d characters", MaxNameLen)
	v.graphic("", o.Graphic)
	v.rect("/rect", o.Rect, "canvas")
	v.check(o.Fit == "" || o.Kind == KindImage, "/fit", "is for an image")
	v.fit("/fit", o.Fit)
	v.fraction("/opacity", o.Opacity, 1)
	v.check(o.FadeMs >= 0 && int64(o.FadeMs) <= MaxFade.Milliseconds(), "/fadeMs", "must be 0 to %d", MaxFade.Milliseconds())
	return v.faults
}

// ValidateOverlays gives every fault of a channel's overlays.
func ValidateOverlays(overlays []Overlay) (faults []Fault) {
	if len(overlays) > MaxOverlays {
		faults = append(faults, Fault{"", fmt.Sprintf("has more than %d overlays", MaxOverlays)})
	}
	seen := map[string]bool{}
	for i, o := range overlays {
		at := fmt.Sprintf("/%d", i)
		if seen[o.ID] {
			faults = append(faults, Fault{at + "/id", fmt.Sprintf("%q names another overlay already", o.ID)})
		}
		seen[o.ID] = true
		for _, fault := range o.Validate() {
			faults = append(faults, Fault{at + fault.Pointer, fault.Detail})
		}
	}
	return faults
}
