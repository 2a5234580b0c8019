package appliance

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

func TestStillsAndSlates(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	c.must(422, "POST", "/v1/sources", `{"id":"card","kind":"still"}`)
	require.Contains(t, c.must(422, "POST", "/v1/sources", `{"id":"card","kind":"still","asset":"card"}`).body, "upload it first")
	require.Equal(t, 201, c.upload("?id=card", pngOf(t, 640, 200)).status)
	require.Equal(t, 201, c.upload("?id=other", pngOf(t, 4, 4)).status)
	require.Contains(t, c.must(422, "POST", "/v1/sources", `{"id":"cam9","kind":"push","asset":"card"}`).body, "/asset")

	made := c.must(201, "POST", "/v1/sources", `{"id":"card","kind":"still","asset":"card"}`)
	require.Equal(t, "live", made.field(t, "state"))
	require.Equal(t, "still", c.must(200, "GET", "/v1/sources/card/stats", "").field(t, "protocol"))
	shown, err := jpeg.Decode(bytes.NewReader([]byte(c.must(200, "GET", "/v1/sources/card/thumbnail.jpg", "").body)))
	require.NoError(t, err)
	require.InDelta(t, 3.2, float64(shown.Bounds().Dx())/float64(shown.Bounds().Dy()), 0.05)

	channel := `{"id":"tv","canvas":{"width":320,"height":180,"rate":"25"},"sources":["card"],"slate":{"asset":%s},"stopped":true,
		"ladder":[{"id":"v","width":320,"height":180,"bitrate":200000}]}`
	require.Contains(t, c.must(422, "POST", "/v1/channels", fmt.Sprintf(channel, `"gone"`)).body, `"/slate/asset"`)
	c.must(201, "POST", "/v1/channels", fmt.Sprintf(channel, `"other"`))
	require.Equal(t, []any{"source/card"}, c.must(200, "GET", "/v1/assets/card", "").field(t, "usedBy"))
	require.Contains(t, c.must(409, "DELETE", "/v1/assets/card", "", "If-Match", "*").body, "source/card")
	require.Contains(t, c.must(409, "DELETE", "/v1/assets/other", "", "If-Match", "*").body, "tv")

	p, err := node.channels.find("tv")
	require.NoError(t, err)
	show := node.channels.show(p)
	require.Equal(t, []string{"other", "card"}, show.Assets())
	c.must(200, "PATCH", "/v1/channels/tv", `{"slate":null}`, "If-Match", "*")
	require.Equal(t, []string{"card"}, node.channels.show(p).Assets())
	c.must(204, "DELETE", "/v1/assets/other", "", "If-Match", "*")
}
