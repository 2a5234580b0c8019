package engine

import (
	"image"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/mixer/engine/pattern"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// TestMultiview: half of the ticks have a picture, with program, preview and every
// source in its tile, only while somebody looks.
func TestMultiview(t *testing.T) {
	var from int64
	s := inStudio(t, testShow("30"), func(t *testing.T, s *studio) {
		s.until(s.first + 10)
		require.Empty(t, s.views)
		s.do(worker.Command{Preview: ptr("only-b")})
		from = s.first + 12
		s.until(from)
		s.engine.Watch(worker.Watch{Multiview: true})
		s.until(from + 40)
		s.engine.RequestKey(worker.MultiviewID)
		s.until(from + 60)
		s.engine.Watch(worker.Watch{})
		s.until(from + 90)
		s.mu.Lock()
		seen := len(s.views)
		s.mu.Unlock()
		require.InDelta(t, 30, seen, 2)
		s.engine.Watch(worker.Watch{Multiview: true})
		s.until(from + 100)
		require.True(t, s.views[seen].Key, "who comes back begins with an IDR")
		s.views = s.views[:seen]
	})
	require.Same(t, s.views[0].Track, s.engine.Ready().Multiview)
	require.True(t, s.views[0].Key)
	asked := false
	for _, p := range s.views[1:] {
		require.Equal(t, p.PTS, s.rate.At(s.rate.Index(p.PTS)), "on a tick")
		asked = asked || p.Key
	}
	require.True(t, asked)
	tiles := scene.Multiview([]string{"a", "b", "c", "d"}, 16, 9)
	pictures := s.decode(t, s.views)
	last := pictures[len(pictures)-1]
	read := func(r image.Rectangle) uint32 {
		number, ok := pattern.ReadCounter(last.picture.Sub(r))
		require.True(t, ok, "%v", r)
		return number
	}
	require.Equal(t, uint32(last.frame), read(tiles[0].Rect.Pixels(960, 540)), "preview")
	for _, tile := range tiles[2:] {
		require.Equal(t, uint32(last.frame), read(tile.Rect.Pixels(960, 540)), "source %s", tile.Source)
	}
	program := tiles[1].Rect.Pixels(960, 540)
	quarter := image.Rect(program.Min.X, program.Min.Y, program.Min.X+program.Dx()/2&^1, program.Min.Y+program.Dy()/2&^1)
	require.Equal(t, uint32(last.frame), read(quarter), "the grid on program")
}
