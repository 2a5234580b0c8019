package scene

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// TransitionType names how one picture becomes another.
type TransitionType string

// The transitions. Wipes and pushes are named by where they go.
const (
	Cut       TransitionType = "cut"
	Mix       TransitionType = "mix"
	Dip       TransitionType = "dip" // through a colour
	WipeLeft  TransitionType = "wipe-left"
	WipeRight TransitionType = "wipe-right"
	WipeUp    TransitionType = "wipe-up"
	WipeDown  TransitionType = "wipe-down"
	PushLeft  TransitionType = "push-left"
	PushRight TransitionType = "push-right"
	PushUp    TransitionType = "push-up"
	PushDown  TransitionType = "push-down"
	Morph     TransitionType = "morph" // the sources glide from place to place
)

// TransitionTypes are all of them.
func TransitionTypes() []TransitionType {
	return []TransitionType{Cut, Mix, Dip, WipeLeft, WipeRight, WipeUp, WipeDown, PushLeft, PushRight, PushUp, PushDown, Morph}
}

// The bounds of a transition's length.
const (
	MaxTransition     = 20 * time.Second
	DefaultTransition = 500 * time.Millisecond
)

// Transition is how a scene comes on air. Immutable.
type Transition struct {
	Type       TransitionType `json:"type"`
	DurationMs int            `json:"durationMs"`
	Color      string         `json:"color,omitempty"` // of a dip, as ParseColor reads it; black when empty
}

// Validate gives every fault of the transition.
func (t Transition) Validate() []Fault {
	v := &validation{}
	v.check(slices.Contains(TransitionTypes(), t.Type), "/type", "must be one of %v", TransitionTypes())
	v.check(t.DurationMs >= 0 && t.DurationMs <= int(MaxTransition.Milliseconds()), "/durationMs", "must be 0 to %d", MaxTransition.Milliseconds())
	if t.Color != "" {
		_, err := ParseColor(t.Color)
		v.check(err == nil, "/color", "must be a colour like #rrggbb")
	}
	return v.faults
}

// Duration is how long it takes.
func (t Transition) Duration() time.Duration { return time.Duration(t.DurationMs) * time.Millisecond }

// String is "mix 500 ms".
func (t Transition) String() string { return fmt.Sprintf("%s %d ms", t.Type, t.DurationMs) }

// Sound is how loud at progress p of 0..1 is what only the old scene has, what
// only the new one has: with equal power where both pictures mix, one after the
// other through a dip.
func (t Transition) Sound(p float64) (from, to float64) {
	p = min(max(p, 0), 1)
	if t.Type == Dip {
		return math.Cos(min(2*p, 1) * math.Pi / 2), math.Sin(max(2*p-1, 0) * math.Pi / 2)
	}
	return math.Cos(p * math.Pi / 2), math.Sin(p * math.Pi / 2)
}

// Direction is where a wipe or a push goes, in fractions of the canvas; push
// says that the old picture goes with it.
func (t Transition) Direction() (x, y float64, push bool) {
	switch t.Type {
	case WipeLeft, PushLeft:
		x = -1
	case WipeRight, PushRight:
		x = 1
	case WipeUp, PushUp:
		y = -1
	case WipeDown, PushDown:
		y = 1
	}
	return x, y, slices.Contains([]TransitionType{PushLeft, PushRight, PushUp, PushDown}, t.Type)
}

// Ease begins and ends at rest: the progress of what moves, from that of time.
func Ease(p float64) float64 { return p * p * (3 - 2*p) }

// Glide is where everything stands at progress p on the way between two scenes.
// What both show glides, what only one shows fades where it is.
func Glide(from, to []Placement, p float64) []Placement {
	type ranked struct {
		Placement
		rank float64 // of what is on top of what
	}
	var all []ranked
	left := slices.Clone(to)
	ranks := make([]float64, len(to))
	for i := range ranks {
		ranks[i] = float64(i)
	}
	for i, old := range from {
		match := slices.IndexFunc(left, func(n Placement) bool { return n.Graphic == old.Graphic && n.Source == old.Source })
		if match < 0 || old.Drawn() && (left[match].Rect != old.Rect || left[match].Crop != old.Crop) {
			old.Opacity *= 1 - p
			all = append(all, ranked{old, lerp(float64(i), -1, p)}) // it sinks
			continue
		}
		all = append(all, ranked{old.glide(left[match], p), lerp(float64(i), ranks[match], p)})
		left, ranks = slices.Delete(left, match, match+1), slices.Delete(ranks, match, match+1)
	}
	for i, fresh := range left {
		fresh.Opacity *= p
		all = append(all, ranked{fresh, ranks[i] + 0.5})
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.Z, b.Z), cmp.Compare(a.rank, b.rank)) })
	placements := make([]Placement, len(all))
	for i, r := range all {
		placements[i] = r.Placement
		placements[i].Z = 0
	}
	return placements
}

// Shared reports whether two scenes show something in common that can glide;
// where nothing does, a mix looks better.
func Shared(from, to []Placement) bool {
	return slices.ContainsFunc(from, func(old Placement) bool {
		return slices.ContainsFunc(to, func(n Placement) bool { return n.Graphic == old.Graphic && n.Source == old.Source })
	})
}

// glide is the placement on its way to another of the same source.
func (p Placement) glide(to Placement, at float64) Placement {
	way := to
	way.Z = max(p.Z, to.Z) // what is on top in one of them stays there
	if at < 0.5 {
		way.Fit, way.Border.Color, way.Label = p.Fit, p.Border.Color, p.Label
	}
	if p.Rect != to.Rect {
		way.Label = "" // its strip is drawn for one width
	}
	way.Rect = p.Rect.between(to.Rect, at)
	if p.Crop != to.Crop {
		way.Crop = p.Crop.orWhole().between(to.Crop.orWhole(), at)
	}
	way.Opacity = lerp(p.Opacity, to.Opacity, at)
	way.Radius = lerp(p.Radius, to.Radius, at)
	way.Border.Width = lerp(p.Border.Width, to.Border.Width, at)
	return way
}

func (r Rect) orWhole() Rect {
	if r == (Rect{}) {
		return whole.Rect
	}
	return r
}
