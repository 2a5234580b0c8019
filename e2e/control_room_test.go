package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestShowByKeyboard is a show in the control room without a mouse: a source,
// preview, cut, auto, overlay, mute, mark, record, clip and download; axe on every page.
// With SCREENSHOTS=FOLDER it leaves a picture of each page.
func TestShowByKeyboard(t *testing.T) {
	requireBrowser(t)
	if _, err := os.Stat(filepath.Join("../api/web/dist", "index.html")); err != nil {
		t.Skip("the control room is not built; make test builds it")
	}
	a := startAppliance(t)
	for i, id := range []string{"one", "two"} {
		a.call(201, "POST", "/v1/sources", map[string]any{"id": id, "name": []string{"Host", "Wide"}[i], "kind": "test", "test": map[string]any{"pattern": i, "toneHz": 440 * (i + 1)}})
	}
	a.call(201, "POST", "/v1/channels", map[string]any{
		"id": "main", "name": "Main", "canvas": map[string]any{"width": 640, "height": 360, "rate": "25"}, "sources": []string{"one", "two"},
		"scenes": []map[string]any{
			{"id": "one", "name": "One", "layout": "solo", "slots": []string{"one"}}, {"id": "two", "name": "Two", "layout": "solo", "slots": []string{"two"}},
			{"id": "both", "name": "Both", "layout": "two-up", "slots": []string{"one", "two"}},
		},
		"overlays": []map[string]any{{"id": "strap", "name": "Strap", "kind": "text", "text": "Millrace", "rect": map[string]any{"x": 0.1, "y": 0.8, "w": 0.5, "h": 0.1}}},
		"program":  "one", "preview": "both", "ladder": []map[string]any{{"id": "v360", "width": 640, "height": 360, "bitrate": 800_000}},
	})
	a.waitOnAir("main", "v360")
	command := exec.CommandContext(t.Context(), "node", "browser/control.mjs", "http://"+a.control, a.key, "main",
		strconv.Itoa(a.command.Process.Pid), os.Getenv("SCREENSHOTS"))
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	require.NoError(t, err, "%s\n%s", out, complaints.String())
	var report struct {
		Errors, Violations, Pages []string
		Address, Disarmed         string
		AcknowledgedMs            []int
		FirstPaintMs              int
		Lost                      bool
		Clip                      struct {
			Name, Type string
			Bytes      int
		}
	}
	require.NoError(t, json.Unmarshal(out, &report))
	t.Logf("first paint after %d ms; keys acknowledged after %v ms", report.FirstPaintMs, report.AcknowledgedMs)
	require.Empty(t, report.Errors)
	require.Empty(t, report.Violations)
	require.Len(t, report.Pages, 15)
	require.NotContains(t, report.Address, a.key, "the key stays in the address bar")
	require.Contains(t, report.Disarmed, "Both", "a key acted before the tab was armed")
	require.Len(t, report.AcknowledgedMs, 4)
	require.Equal(t, "ftyp", report.Clip.Type)
	require.Greater(t, report.Clip.Bytes, 10_000)
	require.True(t, report.Lost, "controls can be used without a connection")
	a.eventually(10*time.Second, "the show goes on", func() bool {
		return a.call(200, "GET", "/v1/channels/main/state", nil)["state"] == "running"
	})
	require.Equal(t, true, a.call(200, "GET", "/v1/channels/main/audio/one", nil)["mute"])
}
