package scene

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fault is one thing wrong with a scene.
type Fault struct {
	Pointer string `json:"pointer"` // RFC 6901, relative to the scene: "/layers/1/rect/w"
	Detail  string `json:"detail"`
}

// What a scene may hold at most.
const (
	MaxLayers  = 32
	MaxNameLen = 100 // characters
	MaxLabel   = 60  // characters
)

// tolerance is how far a sum of fractions may leave the picture.
const tolerance = 1e-6

// slug is the form of every id that users choose (contract §3).
var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// Validate gives every fault of the scene, none when it can go on air. sources
// are the ids that the channel has.
func (s Scene) Validate(sources []string) []Fault {
	v := &validation{sources: sources}
	v.check(slug.MatchString(s.ID), "/id", "must be 1 to 40 of a-z, 0-9 and -, beginning with a letter or digit")
	v.check(utf8.RuneCountInString(s.Name) <= MaxNameLen, "/name", "is longer than %d characters", MaxNameLen)
	switch {
	case s.Layout != "" && len(s.Layers) > 0:
		v.add("/layers", "a scene has a layout or layers, not both")
	case s.Layout != "":
		v.layout(s.Layout, s.Slots)
		v.missing("/missing", s.Missing)
	case s.Missing != "":
		v.add("/missing", "layers say each for itself what they show without a picture")
	case len(s.Slots) > 0:
		v.add("/slots", "slots need a layout")
	case len(s.Layers) == 0:
		v.add("/layout", "a scene needs a layout or at least one layer")
	case len(s.Layers) > MaxLayers:
		v.add("/layers", "has more than %d layers", MaxLayers)
	default:
		for i, placement := range s.Layers {
			v.placement(fmt.Sprintf("/layers/%d", i), placement)
		}
	}
	return v.faults
}

type validation struct {
	sources []string
	faults  []Fault
}

func (v *validation) add(pointer, format string, args ...any) {
	v.faults = append(v.faults, Fault{pointer, fmt.Sprintf(format, args...)})
}

func (v *validation) check(ok bool, pointer, format string, args ...any) {
	if !ok {
		v.add(pointer, format, args...)
	}
}

func (v *validation) source(pointer, id string) {
	v.check(slices.Contains(v.sources, id), pointer, "the channel has no source %.40q", id)
}

func (v *validation) layout(name string, slots []string) {
	places := Slots(name)
	switch {
	case places == 0:
		v.add("/layout", "unknown layout %.40q; layouts are %s", name, strings.Join(Layouts(), ", "))
	case len(slots) > places:
		v.add("/slots", "layout %q has %d slots", name, places)
	default:
		for i, id := range slots {
			if id != "" {
				v.source(fmt.Sprintf("/slots/%d", i), id)
			}
		}
	}
}

func (v *validation) placement(at string, p Placement) {
	if p.drawn() {
		v.check(p.Source == "", at+"/source", "a layer of kind %s has no source", p.Kind)
		v.check(p.Kind != KindTicker, at+"/kind", "a ticker is an overlay, not a layer")
		v.check(p.Radius == 0 && p.Border == Border{}, at+"/radius", "a layer of kind %s has no radius and no border; draw them into the picture, or use a source", p.Kind)
		v.graphic(at, p.Graphic)
	} else {
		v.source(at+"/source", p.Source)
		v.check(p.Graphic == Graphic{Kind: p.Kind}, at+"/kind", "a layer with text, asset or style is of kind text, image or clock")
	}
	v.check(utf8.RuneCountInString(p.Label) <= MaxLabel && utf8.ValidString(p.Label) && !strings.ContainsFunc(p.Label, unprintable),
		at+"/label", "must be at most %d characters in one line", MaxLabel)
	v.missing(at+"/missing", p.Missing)
	v.rect(at+"/rect", p.Rect, "canvas")
	if p.Crop != (Rect{}) {
		v.rect(at+"/crop", p.Crop, "source")
	}
	v.fit(at+"/fit", p.Fit)
	v.fraction(at+"/opacity", p.Opacity, 1)
	v.fraction(at+"/radius", p.Radius, 0.5)
	v.fraction(at+"/border/width", p.Border.Width, 0.5)
	if p.Border.Color != "" || p.Border.Width > 0 {
		_, err := ParseColor(p.Border.Color)
		v.check(err == nil, at+"/border/color", "must be a colour like #rrggbb")
	}
	v.check(p.Z >= -1000 && p.Z <= 1000, at+"/z", "must be -1000 to 1000")
}

func (v *validation) fit(at string, f Fit) {
	switch f {
	case "", Cover, Contain, Fill:
	default:
		v.add(at, "must be cover, contain or fill")
	}
}

func (v *validation) missing(at string, m Missing) {
	switch m {
	case "", MissingSlate, MissingHold, MissingHide, MissingBlack:
	default:
		v.add(at, "must be slate, hold, hide or black")
	}
}

// fraction is written so that NaN fails.
func (v *validation) fraction(pointer string, value, most float64) bool {
	ok := value >= 0 && value <= most
	v.check(ok, pointer, "must be 0 to %v", most)
	return ok
}

func (v *validation) rect(at string, r Rect, of string) {
	axes := []struct {
		start, length         float64
		startName, lengthName string
	}{{r.X, r.W, "/x", "/w"}, {r.Y, r.H, "/y", "/h"}}
	for _, axis := range axes {
		started := v.fraction(at+axis.startName, axis.start, 1)
		switch {
		case !v.fraction(at+axis.lengthName, axis.length, 1):
		case axis.length < tolerance:
			v.add(at+axis.lengthName, "must be more than 0")
		case started && axis.start+axis.length > 1+tolerance:
			v.add(at+axis.lengthName, "reaches beyond the %s", of)
		}
	}
}
