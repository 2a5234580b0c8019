package appliance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/ingest/clip"
)

// recorded is a clip of two seconds.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", path).CombinedOutput()
	require.NoError(t, err, string(out))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

func TestFileSources(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	movie := recorded(t, "a.mp4")
	made := c.upload("?id=film", movie)
	require.Equal(t, 201, made.status, made.body)
	require.EqualValues(t, 2000, made.field(t, "durationMs"))
	require.Equal(t, 201, c.upload("?id=stream", recorded(t, "a.ts")).status)
	require.Contains(t, c.upload("?id=cut", movie[:len(movie)/2]).body, "cut off", "what cannot be played is refused when it comes")
	require.Equal(t, 201, c.upload("?id=logo", pngOf(t, 4, 4)).status)

	require.Contains(t, c.must(422, "POST", "/v1/sources", `{"id":"film","kind":"file","asset":"logo"}`).body, "of kind image, not video")
	c.must(422, "POST", "/v1/sources", `{"id":"film","kind":"file"}`)
	c.must(422, "POST", "/v1/sources", `{"id":"film","kind":"push","file":{"loop":true}}`)
	source := c.must(201, "POST", "/v1/sources", `{"id":"film","kind":"file","asset":"film","file":{"loop":true}}`)
	require.NotContains(t, source.body, "streamKey", "nobody publishes to it")
	require.Error(t, node.sources.authorize("film", node.sources.byID["film"].key))
	c.must(201, "POST", "/v1/sources", `{"id":"cam2","kind":"push"}`)
	c.must(409, "POST", "/v1/sources/cam2/play", "")
	c.must(404, "POST", "/v1/sources/none/play", "")
	newClient(t, node, api.ScopeView).must(403, "POST", "/v1/sources/film/play", "")

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = node.sources.Run(ctx) })
	defer running.Wait()
	defer cancel()
	is := func(state clip.State) func() bool {
		return func() bool { return node.sources.player("film").Status().State == state }
	}
	until := func(what string, condition func() bool) {
		t.Helper()
		require.Eventually(t, condition, 30*time.Second, 5*time.Millisecond, what)
	}
	until("it is cued", func() bool { return is(clip.Cued)() && node.sources.feed("film").Keyframe() != nil })
	require.Equal(t, keepMs, node.channels.facts("film").keepMs)

	node.sources.followAir(map[string]bool{"film": true})
	until("it plays when it comes on program", is(clip.Playing))
	until("it is live", func() bool {
		return c.must(200, "GET", "/v1/sources/film", "").field(t, "state") == "live"
	})
	c.must(200, "POST", "/v1/sources/film/pause", "")
	until("it pauses", is(clip.Paused))
	player := c.must(200, "POST", "/v1/sources/film/play", "")
	require.EqualValues(t, 2000, player.field(t, "lengthMs"))
	until("it goes on", is(clip.Playing))
	c.must(200, "PATCH", "/v1/sources/film", `{"asset":"stream","file":{"loop":null,"onEnd":"slate"}}`, "If-Match", "*")
	until("it plays the other file to its end", is(clip.Ended))
	require.Equal(t, leaveMs, node.channels.facts("film").keepMs)
	node.sources.followAir(nil)
	until("it goes back", is(clip.Cued))
}
