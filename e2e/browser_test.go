package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// playReport is what a page of browser/player.html says of its player.
type playReport struct {
	Name      string
	Errors    []string
	Stalls    int
	Jumps     int
	Seconds   float64
	Frames    int
	Dropped   int
	Width     int
	Latencies []*float64
	Pause     float64  // the longest time that its page got no turn, in ms
	Trail     []string // what the player did, in seconds of its page and of its video
}

// latency is the median over the second half of the play, in seconds.
func (r playReport) latency() float64 {
	var values []float64
	for _, value := range r.Latencies[len(r.Latencies)/2:] {
		if value != nil {
			values = append(values, *value)
		}
	}
	if len(values) == 0 {
		return -1
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// webModules is where npm has put the players and the browser's driver.
const webModules = "../api/web/node_modules"

// requireBrowser skips where the set-up of `make test` has not been.
func requireBrowser(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("chromium is not installed; make test installs it")
	}
	if _, err := os.Stat(filepath.Join(webModules, "playwright-core")); err != nil {
		t.Skip("the page's modules are not installed; make test installs them")
	}
}

// playerPage serves the test page and the players to the browser.
func playerPage(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/page/", http.StripPrefix("/page/", http.FileServer(http.Dir("browser"))))
	for name, path := range map[string]string{
		"hls.js": "hls.js/dist/hls.min.js", "shaka.js": "shaka-player/dist/shaka-player.compiled.js", "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
	} {
		mux.HandleFunc("/players/"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, filepath.Join(webModules, path))
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// play plays a channel in Chromium with several players at the same time.
func (a *appliance) play(channel string, seconds int, players ...string) []playReport {
	a.t.Helper()
	requireBrowser(a.t)
	folder := os.Getenv("SCREENSHOTS") // kept to be looked at, when set
	if folder == "" {
		folder = a.t.TempDir()
	}
	args := append([]string{"browser/play.mjs", playerPage(a.t), a.mediaURL("/live/" + channel), strconv.Itoa(seconds), folder}, players...)
	command := exec.CommandContext(a.t.Context(), "node", args...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	require.NoError(a.t, err, complaints.String())
	var reports []playReport
	for line := range bytes.Lines(out) {
		var report playReport
		require.NoError(a.t, json.Unmarshal(line, &report), string(line))
		a.t.Logf("%s: %.0f s, latency %.2f s, %d frames, %d dropped, %d stalls, %d jumps, errors %v", report.Name, report.Seconds,
			report.latency(), report.Frames, report.Dropped, report.Stalls, report.Jumps, report.Errors)
		if len(report.Errors)+report.Stalls+report.Jumps > 0 {
			a.t.Logf("%s did: %s", report.Name, strings.Join(report.Trail, "\n"))
		}
		reports = append(reports, report)
	}
	require.Len(a.t, reports, len(players))
	return reports
}

// testChannel makes a small channel of two built-in moving sources.
func (a *appliance) testChannel(id string) {
	a.t.Helper()
	for i, name := range []string{"one", "two"} {
		a.call(201, "POST", "/v1/sources", map[string]any{
			"id": name, "kind": "test", "test": map[string]any{"pattern": i, "toneHz": 440 * (i + 1)},
		})
	}
	a.call(201, "POST", "/v1/channels", map[string]any{
		"id": id, "canvas": map[string]any{"width": 640, "height": 360, "rate": "25"}, "sources": []string{"one", "two"},
		"ladder": []map[string]any{
			{"id": "v360", "width": 640, "height": 360, "bitrate": 800_000},
			{"id": "v180", "width": 320, "height": 180, "bitrate": 250_000},
		},
	})
}

// waitOnAir waits until a rendition of a channel is listed.
func (a *appliance) waitOnAir(channel, rendition string) {
	a.t.Helper()
	a.eventually(20*time.Second, channel+" is on air", func() bool {
		status, _, err := get(a.t.Context(), a.mediaURL("/live/"+channel+"/"+rendition+"/index.m3u8"))
		return err == nil && status == http.StatusOK
	})
}

// TestPlayersAtTheLiveEdge is a minute of each player that viewers use. A minute in which the machine itself stood still says nothing of
// them, and is played again.
func TestPlayersAtTheLiveEdge(t *testing.T) {
	requireBrowser(t)
	a := startAppliance(t)
	a.testChannel("main")
	a.waitOnAir("main", "v360")
	const seconds = 60
	var reports []playReport
	for range 3 {
		late := a.state().Ticks.Late
		reports = a.play("main", seconds, "hls", "shaka", "dash")
		smooth := !slices.ContainsFunc(reports, func(r playReport) bool { return len(r.Errors)+r.Stalls+r.Jumps > 0 })
		if smooth || a.state().Ticks.Late == late && !slices.ContainsFunc(reports, playReport.starved) {
			break
		}
		t.Log("the machine stood still: once more")
	}
	for _, report := range reports {
		t.Run(report.Name, func(t *testing.T) {
			require.Empty(t, report.Errors)
			require.Zero(t, report.Stalls)
			require.Zero(t, report.Jumps)
			require.Greater(t, report.Frames, int(report.Seconds*25*9/10))
			require.Contains(t, []int{320, 640}, report.Width)
		})
	}
}

// starved says that the page itself got no turn for longer than a player at the live edge can do without.
func (r playReport) starved() bool { return r.Pause > 500 }
