package engine

import (
	"millrace/mixer/scene"
)

// stage is what is on program: a scene at rest, or one on its way in over
// another stage. Owned by the tick.
type stage struct {
	scene      string
	placements []scene.Placement // resolved on the canvas

	from   *stage // nil at rest
	with   scene.Transition
	begin  int64   // the first frame that shows something of the scene
	frames int64   // until it is alone
	start  float64 // progress before begin: where a hand let go of the T-bar
	held   float64 // progress that does not move with time; negative where it does
}

// moving is the held of a stage whose progress is the clock's.
const moving = -1

// mostStages bounds how many interrupted transitions lie under a new one.
const mostStages = 4

// progress is how much of the way is done on frame n, 0..1.
func (s *stage) progress(n int64) float64 {
	switch {
	case s.from == nil:
		return 1
	case s.held >= 0:
		return s.held
	}
	done := min(max(float64(n-s.begin+1)/float64(max(s.frames, 1)), 0), 1)
	return s.start + (1-s.start)*done
}

// settle ends the transition when frame n shows nothing else any more.
func (s *stage) settle(n int64) {
	if s.from != nil && s.held < 0 && s.progress(n) >= 1 {
		s.from = nil
	}
}

// freeze is the stage as frame n would show it, for another transition to
// begin with.
func (s *stage) freeze(n int64) *stage {
	if s.from == nil {
		return s
	}
	frozen := *s
	frozen.held = s.progress(n)
	deepest := &frozen
	for depth := 2; deepest.from.from != nil; depth++ {
		if depth >= mostStages { // nobody sees what is that far below
			deepest.from = &stage{scene: deepest.from.scene, placements: deepest.from.placements}
			break
		}
		below := *deepest.from
		deepest.from = &below
		deepest = &below
	}
	return &frozen
}

// weights is how much of each source is in the program's sound on frame n,
// 0..1; those that are not are absent.
func (s *stage) weights(n int64) map[string]float32 {
	shown := map[string]float32{}
	for _, p := range s.placements {
		if p.Source != "" {
			shown[p.Source] = 1
		}
	}
	if s.from == nil {
		return shown
	}
	p, before := s.progress(n), s.from.weights(n)
	fading, coming := s.with.Sound(p)
	for source := range shown {
		if weight, stays := before[source]; stays {
			shown[source] = weight + (1-weight)*float32(p)
		} else {
			shown[source] = float32(coming)
		}
	}
	for source, weight := range before {
		if _, stays := shown[source]; !stays {
			shown[source] = weight * float32(fading)
		}
	}
	return shown
}
