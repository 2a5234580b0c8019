package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGuestFollowsAnInvite is the guest's page in Chromium, from the link to
// goodbye.
func TestGuestFollowsAnInvite(t *testing.T) {
	requireBrowser(t)
	a := startAppliance(t)
	made := a.call(201, "POST", "/v1/sources", map[string]any{"id": "guest", "kind": "push", "name": "Ada"})
	link := made["ingest"].(map[string]any)["guest"].(map[string]any)["url"].(string)
	key := made["key"].(string)
	require.Equal(t, a.mediaURL("/g/guest#key="+key), link)
	a.call(201, "POST", "/v1/sources", map[string]any{"id": "one", "kind": "test", "test": map[string]any{"pattern": 1, "toneHz": 440}})
	a.call(201, "POST", "/v1/channels", map[string]any{
		"id": "main", "canvas": map[string]any{"width": 640, "height": 360, "rate": "25"}, "sources": []string{"guest", "one"},
		"scenes": []map[string]any{
			{"id": "both", "layout": "two-up", "slots": []string{"guest", "one"}}, {"id": "alone", "layout": "solo", "slots": []string{"one"}},
		},
		"program": "both", "ladder": []map[string]any{{"id": "v360", "width": 640, "height": 360, "bitrate": 800_000}},
	})
	a.waitOnAir("main", "v360")
	folder := os.Getenv("SCREENSHOTS") // kept to be looked at, when set
	if folder == "" {
		folder = t.TempDir()
	}
	command := exec.CommandContext(t.Context(), "node", "browser/invite.mjs", link, "http://"+a.control+"/v1/channels/main/cut", "http://"+a.control+"/v1/sources/guest/kick", a.key, "alone", folder)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	require.NoError(t, err, "%s\n%s", out, complaints.String())
	var report struct {
		Errors, Urls, Tallies   []string
		Behind                  []string // what the watch page shows: WebRTC, then LL-HLS
		Left                    []int
		Health, Insecure, Wrong string
		Overflow                int
		Restarted               []int // frames since, of the publisher and of the return
		Kept                    bool
	}
	require.NoError(t, json.Unmarshal(out, &report))
	require.Empty(t, report.Errors)
	require.Equal(t, []string{"NOT CONNECTED", "ON AIR", "GREEN ROOM", "NOT CONNECTED"}, report.Tallies)
	require.True(t, report.Kept, "an ICE restart makes no new session")
	require.Len(t, report.Restarted, 2)
	for _, frames := range report.Restarted {
		require.Greater(t, frames, 20, "after an ICE restart")
	}
	said := 0
	for _, status := range report.Left {
		if status == http.StatusOK {
			said++
		}
	}
	require.Positive(t, said, "goodbyes that were answered, beside those of the sessions that the kick had ended: %v", report.Left)
	require.LessOrEqual(t, report.Overflow, 0, "wider than a phone")
	require.Len(t, report.Behind, 2)
	t.Logf("the watch page: WebRTC %s, LL-HLS %s", report.Behind[0], report.Behind[1])
	require.Contains(t, report.Insecure, "not secure")
	require.Contains(t, report.Wrong, "no longer valid")
	for _, url := range report.Urls {
		require.NotContains(t, strings.SplitN(url, "#", 2)[0], key, "a key in an address")
	}
	require.NotContains(t, a.log.String(), key)
	a.eventually(10*time.Second, "the guest is gone", func() bool { return a.sourceState("guest") == "idle" })
}

// The guest's page and what it is told are for who has the key.
func TestGuestPageRefuses(t *testing.T) {
	a := startAppliance(t)
	key := a.pushSource("guest")
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/g/guest", "", 200}, {"/g/", "", 404}, {"/g/guest/more", "", 404},
		{"/g/guest/state", "", 401}, {"/g/guest/state", a.key, 401}, {"/g/nobody/state", key, 404}, {"/g/cam1/state", key, 401},
	} {
		status, header := a.ask("GET", c.path, c.key, "")
		require.Equal(t, c.status, status, c.path)
		if status == http.StatusOK {
			require.Contains(t, header.Get("Content-Security-Policy"), "default-src 'self'")
			require.NotContains(t, header.Get("Content-Security-Policy"), "unsafe")
			require.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
		}
	}
}

// ask sends a request to the media listener.
func (a *appliance) ask(method, path, key, body string, header ...string) (int, http.Header) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.mediaURL(path), strings.NewReader(body))
	require.NoError(a.t, err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(a.t, err)
	require.NoError(a.t, answer.Body.Close())
	return answer.StatusCode, answer.Header
}
