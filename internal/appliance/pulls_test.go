package appliance

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

func TestPullSources(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	c := newClient(t, node, api.ScopeManage)
	for body, says := range map[string]string{
		`{"id":"far","kind":"pull"}`:                                 "needs the address",
		`{"id":"far","kind":"push","url":"udp://:5000"}`:             "only a source of kind pull",
		`{"id":"far","kind":"pull","url":"gopher://h/a"}`:            "must begin with",
		`{"id":"far","kind":"pull","url":"rtsp://h/a"}`:              `this version does not do \"rtsp\" yet`,
		`{"id":"far","kind":"pull","url":"rtmp://h/live/…"}`:         "without its secrets",
		`{"id":"far","kind":"pull","url":"udp://:5000","asset":"a"}`: "/asset",
	} {
		require.Contains(t, c.must(422, "POST", "/v1/sources", body).body, says, body)
	}
	const secret = "s3cretkey"
	made := c.must(201, "POST", "/v1/sources", `{"id":"far","kind":"pull","url":"http://me:`+secret+`@127.0.0.1:9/live/index.m3u8?token=`+secret+`"}`)
	require.Equal(t, "http://127.0.0.1:9/live/index.m3u8", made.field(t, "url"))
	c.must(201, "POST", "/v1/sources", `{"id":"near","kind":"pull","url":"udp://239.9.9.9:5000"}`)

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = node.sources.Run(ctx) })
	require.Eventually(t, func() bool {
		reason, _ := c.must(200, "GET", "/v1/sources/far/stats", "").field(t, "reason").(string)
		return strings.Contains(reason, "egress.allowPrivate")
	}, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, "lost", c.must(200, "GET", "/v1/sources/far", "").field(t, "state"))
	c.must(200, "PATCH", "/v1/sources/far", `{"name":"Far"}`, "If-Match", "*")
	for _, path := range []string{"/v1/sources", "/v1/sources/far", "/v1/sources/far/stats", "/v1/export"} {
		require.NotContains(t, c.must(200, "GET", path, "").body, secret, path)
	}
	show := c.must(200, "GET", "/v1/export?secrets=true", "").body
	require.Contains(t, show, secret)
	cancel()
	running.Wait()

	again := openNode(t, t.TempDir())
	other := newClient(t, again, api.ScopeManage)
	require.Contains(t, other.must(200, "POST", "/v1/import", c.must(200, "GET", "/v1/export", "").body).body, `"applied":true`)
	require.Empty(t, again.sources.byID["far"].url, "it waits for its address")
	require.Equal(t, "udp://239.9.9.9:5000", again.sources.byID["near"].url)
	require.Contains(t, other.must(200, "POST", "/v1/import", show).body, `"url"`)
	require.Contains(t, again.sources.byID["far"].url, secret)
	require.Contains(t, other.must(200, "POST", "/v1/import", show).body, `"plan":[]`, "nothing is left to do")
}
