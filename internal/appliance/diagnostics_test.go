package appliance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

// unpacked is a bundle by name.
func unpacked(t *testing.T, packed []byte) map[string]string {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	archive, files := tar.NewReader(plain), map[string]string{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		text, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[header.Name] = string(text)
	}
}

func TestDiagnosticsHoldNoSecrets(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, dir)
	c := newClient(t, node, api.ScopeManage)
	furnish(c)
	c.must(201, "POST", "/v1/users", `{"id":"anna","role":"admin","password":"battery staple"}`)
	webhook := c.must(201, "POST", "/v1/webhooks", `{"url":"https://example.org/"}`).field(t, "secret").(string)
	key := c.must(200, "POST", "/v1/sources/cam1/reveal-key", "").field(t, "key").(string)
	ctx, cancel := context.WithCancel(t.Context())
	local := begin(ctx, func(ctx context.Context) { require.NoError(t, node.serveLocal(ctx)) })
	t.Cleanup(func() { cancel(); local.stop() })
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, localSocket))
		return err == nil
	}, 20*time.Second, time.Millisecond)

	var packed bytes.Buffer
	require.NoError(t, Diagnose(t.Context(), node.config, "test", &packed))
	files := unpacked(t, packed.Bytes())
	for _, name := range []string{"doctor.json", "config.json", "v1-system.json", "v1-export.json", "v1-channels-main-state.json", "v1-sources-cam1-stats.json", "v1-audit.json"} {
		require.NotEmpty(t, files["millrace-diagnostics/"+name], name)
	}
	require.Contains(t, files["millrace-diagnostics/v1-export.json"], `"cam2"`)
	for name, text := range files {
		for _, secret := range []string{key, c.key, webhook, "battery staple", "correct horse"} {
			require.NotContains(t, text, secret, name)
		}
	}
}

func TestDiagnosticsOfANodeThatDoesNotRun(t *testing.T) {
	node := openNode(t, t.TempDir())
	cfg := node.config
	cfg.Node.DataDir = t.TempDir()
	var packed bytes.Buffer
	require.NoError(t, Diagnose(t.Context(), cfg, "test", &packed))
	require.Contains(t, unpacked(t, packed.Bytes())["millrace-diagnostics/node.txt"], "no node runs here")
}
