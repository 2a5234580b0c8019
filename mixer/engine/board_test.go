package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// withOverlays has a white bar below, a clock above and a ticker.
func withOverlays(show worker.Show) worker.Show {
	show.Overlays = []scene.Overlay{
		{ID: "bar", Graphic: scene.Graphic{Kind: scene.KindText, Text: " . ", Style: scene.Style{Background: "#ffffff", Color: "#ffffff"}},
			Rect: scene.Rect{X: 0.1, Y: 0.8, W: 0.5, H: 0.15}, FadeMs: 400},
		{ID: "clock", Graphic: scene.Graphic{Kind: scene.KindClock, Text: "15:04:05", Zone: "Europe/Berlin", Style: scene.Style{Size: 0.1, Background: "#000000"}},
			Rect: scene.Rect{X: 0.6, Y: 0, W: 0.4, H: 0.2}},
		{ID: "news", Graphic: scene.Graphic{Kind: scene.KindTicker, Text: "news", Speed: 1, Style: scene.Style{Background: "#ffffff"}},
			Rect: scene.Rect{Y: 0.4, W: 1, H: 0.1}},
	}
	return show
}

// TestOverlays come and go with their fades, over whatever is on program, and
// fade to black with it.
func TestOverlays(t *testing.T) {
	show := withOverlays(stills())
	show.OverlaysOn = []string{"clock"}
	var at int64
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		paint(s, "s1", 64)
		paint(s, "s2", 64)
		at = s.first + 20
		s.until(s.first + 5)
		require.Equal(t, worker.AckUnknown, s.do(worker.Command{Overlays: map[string]bool{"nothing": true}}).Code)
		s.do(worker.Command{At: at, Overlays: map[string]bool{"bar": true}})
		s.do(worker.Command{At: at + 15, Cut: ptr("only-s2")})
		s.do(worker.Command{At: at + 20, Overlays: map[string]bool{"bar": false}})
		s.do(worker.Command{At: at + 40, Overlays: map[string]bool{"bar": true, "clock": false}})
		s.do(worker.Command{At: at + 60, Black: &worker.Black{On: true}})
		s.until(at + 65)
	})
	bar := lumas(s, t, at, [2]int{100, 160}, [2]int{310, 4})
	require.InDelta(t, 64, bar[-1][0], 4)
	require.InDelta(t, (64+235)/2, bar[5][0], 12, "half way in")
	require.InDelta(t, 235, bar[13][0], 4)
	require.InDelta(t, 235, bar[16][0], 4, "a cut leaves it")
	require.InDelta(t, 64, bar[35][0], 4)
	require.InDelta(t, 16, bar[39][1], 6, "the clock's background was there from the start")
	require.InDelta(t, 64, bar[45][1], 6)
	require.InDelta(t, 16, bar[62][0], 4)
}

// TestClockChangesWithTheSecond, on the frame that is due then.
func TestClockChangesWithTheSecond(t *testing.T) {
	show := withOverlays(stills())
	show.OverlaysOn = []string{"clock"}
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		paint(s, "s1", 64)
		s.until(s.rate.Index(noon.Add(2500 * time.Millisecond)))
	})
	var before []byte
	changes := map[int64]bool{}
	for _, p := range s.watch(t, 0) {
		cell := p.picture.Sub(quadrants[1])
		var now []byte
		for y := range 30 {
			now = append(now, cell.Y[y*cell.YStride+60:y*cell.YStride+150]...)
		}
		different := 0
		for i := range before {
			if d := int(now[i]) - int(before[i]); d > 60 || d < -60 {
				different++
			}
		}
		if different > 20 {
			changes[p.frame] = true
		}
		before = now
	}
	second := s.rate.Index(noon.Add(time.Second))
	require.True(t, changes[second] && changes[second+30], "%v", changes)
	require.LessOrEqual(t, len(changes), 3, "and the first one")
}

// TestTickerMoves to the left, one canvas width a second.
func TestTickerMoves(t *testing.T) {
	show := withOverlays(stills())
	show.OverlaysOn = []string{"news"}
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		paint(s, "s1", 64)
		s.until(s.first + 60)
	})
	var edges []int // of the strip's background
	for _, p := range s.watch(t, 0) {
		row, left := p.picture.Y[80*p.picture.YStride:], -1
		for x := range p.picture.Width {
			if row[x] > 150 {
				left = x
				break
			}
		}
		edges = append(edges, left)
	}
	moved := 0
	for i := 30; i < len(edges); i++ {
		if edges[i-1] > 20 && edges[i] > 0 && edges[i] < edges[i-1] {
			require.InDelta(t, 320.0/30, edges[i-1]-edges[i], 4)
			moved++
		}
	}
	require.Greater(t, moved, 5, "%v", edges)
}

// TestTextLayersAndLabels are part of a scene, drawn once; the holding card too.
func TestTextLayersAndLabels(t *testing.T) {
	show := stills()
	show.Scenes = append(show.Scenes, scene.Scene{ID: "titled", Layers: []scene.Placement{
		{Source: "s1", Rect: scene.Rect{W: 1, H: 1}, Opacity: 1, Label: "Label"},
		{Graphic: scene.Graphic{Kind: scene.KindText, Text: "x", Style: scene.Style{Background: "#ffffff", Color: "#ffffff"}}, Rect: scene.Rect{W: 0.2, H: 0.2}, Opacity: 1},
	}}, scene.Scene{ID: "hold", Layout: "holding"})
	show.Program = "titled"
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		paint(s, "s1", 128)
		s.do(worker.Command{At: s.first + 20, Cut: ptr("hold")})
		s.until(s.first + 30)
		require.LessOrEqual(t, len(s.engine.desk.board.all), 4, "drawn once")
	})
	seen := lumas(s, t, s.first, [2]int{20, 20}, [2]int{310, 176}, [2]int{310, 100})
	require.InDeltaSlice(t, []float64{235, 58, 128}, floats(seen[18]), 8)
	require.InDeltaSlice(t, []float64{34, 34, 34}, floats(seen[26]), 8)
}
