package appliance

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/internal/appliance/config"
)

// openNode is a node that is open and does not run: its API works on what is
// stored, no process is started.
func openNode(t *testing.T, dir string) *Node {
	t.Helper()
	cfg := config.Default()
	cfg.Node.DataDir = dir
	cfg.Storage.Volumes = []string{dir + "/dvr"}
	cfg.Control.Listen, cfg.Media.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Ingest = config.Ingest{RTMP: "127.0.0.1:0", SRT: "127.0.0.1:0"}
	cfg.WebRTC.Listen = "127.0.0.1:0"
	node, err := Open(t.Context(), cfg, Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, node.Close()) })
	return node
}

// client calls the API of a node as one key holder.
type client struct {
	t    *testing.T
	node *Node
	key  string
}

func newClient(t *testing.T, node *Node, scopes ...api.Scope) client {
	t.Helper()
	made, err := node.CreateKey(t.Context(), api.KeyRequest{Scopes: scopes})
	require.NoError(t, err)
	return client{t, node, made.Value.Key}
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) field(t *testing.T, name string) any {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &fields), a.body)
	return fields[name]
}

// call sends a request; headers are pairs of name and value.
func (c client) call(method, path, body string, headers ...string) answer {
	c.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.node.handler.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	require.NoError(c.t, err)
	return answer{w.Code, w.Result().Header, string(text)}
}

func (c client) must(status int, method, path, body string, headers ...string) answer {
	c.t.Helper()
	a := c.call(method, path, body, headers...)
	require.Equal(c.t, status, a.status, "%s %s: %s", method, path, a.body)
	return a
}
