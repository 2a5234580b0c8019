package appliance

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/font/gofont/goregular"

	"millrace/api"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

func TestPicturesForWorkersAreBounded(t *testing.T) {
	for _, row := range []struct{ from, want image.Point }{
		{image.Pt(1280, 720), image.Pt(1280, 720)},
		{image.Pt(2560, 1440), image.Pt(1280, 720)},
		{image.Pt(4000, 100), image.Pt(4000, 100)},
		{image.Pt(100_000, 1), image.Pt(worker.MaxPictureSide, 1)},
		{image.Pt(1, 1), image.Pt(1, 1)},
	} {
		require.Equal(t, image.Rectangle{Max: row.want}, shrunk(image.NewNRGBA(image.Rectangle{Max: row.from}), 1280*720).Rect, "%v", row.from)
	}
	veil := image.NewNRGBA(image.Rect(3, 3, 5, 5))
	veil.SetNRGBA(4, 4, color.NRGBA{200, 100, 0, 128})
	require.Equal(t, color.RGBA{100, 50, 0, 128}, shrunk(veil, 100).RGBAAt(1, 1), "premultiplied, and begins at 0, 0")
}

// TestImagesNeedTheirAsset: overlays and layers of kind image name an asset that is
// there and is a picture, which then stays.
func TestImagesNeedTheirAsset(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	c.must(201, "POST", "/v1/channels", `{"id":"main","canvas":{"width":1280,"height":720,"rate":"30"},"sources":["cam1"],"ladder":[{"id":"v720","width":1280,"height":720,"bitrate":2800000}],"stopped":true}`)
	for _, id := range []string{"logo", "bug"} {
		require.Equal(t, 201, c.upload("?id="+id, pngOf(t, 4, 4)).status)
	}
	require.Equal(t, 201, c.upload("?id=letters", goregular.TTF).status)
	overlay := func(rest string) string {
		return `{"id":"logo","kind":"image","rect":{"x":0.8,"y":0,"w":0.2,"h":0.2}` + rest + `}`
	}
	for rest, says := range map[string]string{
		``: "must name an asset", `,"asset":"none"`: "upload it first", `,"asset":"letters"`: "is of kind font", `,"asset":""`: "asset", `,"asset":"logo","fit":"tile"`: "fit",
	} {
		require.Contains(t, c.must(422, "POST", "/v1/channels/main/overlays", overlay(rest)).body, says, rest)
	}
	c.must(422, "POST", "/v1/channels/main/overlays", `{"id":"t","kind":"text","text":"a","fit":"cover","rect":{"x":0,"y":0,"w":1,"h":1}}`)
	c.must(201, "POST", "/v1/channels/main/overlays", overlay(`,"asset":"logo","fit":"cover","opacity":0.5`))
	layers := `{"id":"framed","layers":[{"source":"cam1"},{"kind":"image","asset":%q,"fit":"contain"}]}`
	require.Contains(t, c.must(422, "POST", "/v1/channels/main/scenes", fmt.Sprintf(layers, "none")).body, "/layers/1/asset")
	c.must(201, "POST", "/v1/channels/main/scenes", fmt.Sprintf(layers, "bug"))

	for _, id := range []string{"logo", "bug"} {
		require.Contains(t, c.must(409, "DELETE", "/v1/assets/"+id, "", "If-Match", "*").body, "main")
	}
	shown := c.must(200, "GET", "/v1/export", "").body
	require.Contains(t, shown, `"asset":"logo"`)
	c.must(204, "DELETE", "/v1/channels/main/overlays/logo", "", "If-Match", "*")
	c.must(204, "DELETE", "/v1/assets/logo", "", "If-Match", "*")
	require.Contains(t, c.must(422, "POST", "/v1/import", shown).body, "/overlays/0/asset")
	require.Equal(t, 201, c.upload("?id=logo", pngOf(t, 4, 4)).status)
	c.must(200, "POST", "/v1/import", shown)
	require.Contains(t, c.must(200, "GET", "/v1/channels/main/overlays/logo", "").body, `"fit":"cover"`)

	var many []string
	for i := range scene.MaxAssets {
		id := fmt.Sprintf("p%d", i)
		require.Equal(t, 201, c.upload("?id="+id, pngOf(t, 2, 2)).status)
		many = append(many, fmt.Sprintf(`{"kind":"image","asset":%q}`, id))
	}
	require.Contains(t, c.must(422, "POST", "/v1/channels/main/scenes", `{"id":"many","layers":[`+strings.Join(many, ",")+`]}`).body, "different assets")
}
