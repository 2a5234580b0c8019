package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/mixer/scene"
)

func staged(id string, sources ...string) *stage {
	s := &stage{scene: id}
	for _, source := range sources {
		s.placements = append(s.placements, scene.Placement{Source: source})
	}
	return s
}

func over(from, to *stage, kind scene.TransitionType, begin, frames int64) *stage {
	to.from, to.with, to.begin, to.frames, to.held = from, scene.Transition{Type: kind}, begin, frames, moving
	return to
}

// TestStageProgress: the first frame shows something of the scene, the last one
// nothing else.
func TestStageProgress(t *testing.T) {
	s := over(staged("a", "x"), staged("b", "y"), scene.Mix, 100, 4)
	for n, want := range map[int64]float64{99: 0, 100: 0.25, 102: 0.75, 103: 1, 200: 1} {
		require.Equal(t, want, s.progress(n), "frame %d", n)
	}
	s.settle(102)
	require.NotNil(t, s.from)
	s.settle(103)
	require.Nil(t, s.from)
	require.Equal(t, 1.0, s.progress(100), "at rest")
}

func TestStageWeights(t *testing.T) {
	s := over(staged("a", "x", "both"), staged("b", "y", "both"), scene.Mix, 100, 4)
	w := s.weights(101)
	require.Equal(t, float32(1), w["both"])
	require.InDelta(t, 1, w["x"]*w["x"]+w["y"]*w["y"], 1e-6, "equal power")
	require.InDelta(t, 0.7071, w["x"], 1e-3)
	require.Equal(t, map[string]float32{"x": 1, "both": 1}, staged("a", "x", "both").weights(3))

	// Interrupted half way by a third scene.
	third := over(s.freeze(101), staged("c", "x"), scene.Mix, 102, 4)
	before, w := w, third.weights(101)
	for source := range before {
		require.InDelta(t, before[source], w[source], 1e-6, "it begins where the other stopped: %s", source)
	}
	w = third.weights(105)
	require.Equal(t, float32(1), w["x"])
	require.InDelta(t, 0, w["both"]+w["y"], 1e-6)
}

// TestFreezeIsBounded: whoever hammers AUTO stacks up no more than a few scenes.
func TestFreezeIsBounded(t *testing.T) {
	s := staged("0", "s0")
	for i := range int64(50) {
		s = over(s.freeze(i), staged("n", "x"), scene.Mix, i, 1000)
	}
	depth := 0
	for at := s; at != nil; at = at.from {
		depth++
	}
	require.LessOrEqual(t, depth, mostStages+1)
}

func TestFade(t *testing.T) {
	var f fade
	require.Zero(t, f.at(10))
	f.begin(10, 1, 10)
	require.InDelta(t, 0.1, f.at(10), 1e-9)
	require.InDelta(t, 1, f.at(19), 1e-9)
	require.True(t, f.moves(18))
	require.False(t, f.moves(19))
	f.begin(12, 1, 10)
	require.InDelta(t, 0.5, f.at(14), 1e-9, "asked for again, it goes on")
	f.begin(15, 0, 10) // back from half way takes half as long
	require.InDelta(t, 0.4, f.at(15), 1e-9)
	require.InDelta(t, 0, f.at(19), 1e-9)
	f.begin(30, 1, 0)
	require.Equal(t, 1.0, f.at(30), "at once")
}
