package appliance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

func TestHowLargeSourcesAreShown(t *testing.T) {
	show := worker.Show{
		Channel: "main", Canvas: worker.Canvas{Width: 1280, Height: 720},
		Sources: []worker.Source{{ID: "a"}, {ID: "b"}, {ID: "c"}},
		Scenes: []scene.Scene{
			{ID: "grid", Layout: "grid-4", Slots: []string{"a", "b"}},
			{ID: "solo", Layout: "solo", Slots: []string{"a"}},
			{ID: "part", Layers: []scene.Placement{{Source: "b", Opacity: 1, Rect: scene.Rect{W: 0.5, H: 0.5}, Crop: scene.Rect{X: 0.5, W: 0.5, H: 1}}}},
		},
	}
	quarter, whole := ingest.Size{Width: 640, Height: 360}, ingest.Size{Width: 1280, Height: 720}
	require.Equal(t, map[string]ingest.Size{"a": quarter, "b": quarter, "c": unseen}, sizesOf(show, "grid", ""))
	require.Equal(t, map[string]ingest.Size{"a": whole, "b": quarter, "c": unseen}, sizesOf(show, "grid", "solo"))
	require.Equal(t, ingest.Size{Width: 1280, Height: 360}, sizesOf(show, "part", "")["b"])

	told := map[string]ingest.Size{}
	var s sizes
	tell := func(source string, size ingest.Size) { told[source] = size }
	s.set("main", sizesOf(show, "grid", ""), tell)
	s.set("other", map[string]ingest.Size{"a": whole}, tell)
	require.Equal(t, map[string]ingest.Size{"a": whole, "b": quarter, "c": unseen}, told, "the largest of all channels")
	s.set("other", nil, tell)
	require.Equal(t, quarter, told["a"], "a channel that is off shows nothing")
}
