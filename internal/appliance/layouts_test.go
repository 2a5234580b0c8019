package appliance

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/mixer/scene"
)

func TestLayoutsOfAChannel(t *testing.T) {
	c := newClient(t, openNode(t, t.TempDir()), api.ScopeManage)
	c.must(201, "POST", "/v1/channels", `{"id":"tall","canvas":{"width":360,"height":640,"rate":"25"},"sources":["cam1"],
		"ladder":[{"id":"v","width":180,"height":320,"bitrate":300000}]}`)
	cells := func(path string) map[string][]api.LayoutCell {
		var list api.LayoutList
		require.NoError(t, json.Unmarshal([]byte(c.must(200, "GET", path, "").body), &list))
		byID := map[string][]api.LayoutCell{}
		for _, layout := range list.Items {
			require.NotEmpty(t, layout.Cells, layout.Id)
			byID[layout.Id] = layout.Cells
		}
		require.Len(t, byID, len(scene.Layouts()))
		return byID
	}
	tall := cells("/v1/channels/tall/layouts")
	require.Equal(t, scene.Rect{W: 1, H: 0.5}, tall["two-up"][0].Rect, "above each other on an upright canvas")
	require.Len(t, tall["auto-grid"], 1, "as many as there are sources")
	require.Len(t, cells("/v1/channels/tall/layouts?slots=5")["auto-grid"], 5)
	c.must(422, "GET", "/v1/channels/tall/layouts?slots=26", "")
	c.must(404, "GET", "/v1/channels/none/layouts", "")
}
