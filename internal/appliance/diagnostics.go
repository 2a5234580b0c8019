package appliance

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"millrace/internal/appliance/config"
)

// reports are what a diagnostics bundle takes from a running node: what its API
// shows to anybody, so no secret is in it.
func reports() []string {
	return []string{
		"/v1/system", "/v1/system/capabilities", "/v1/sources?limit=1000", "/v1/channels?limit=1000", "/v1/alarms?limit=1000",
		"/v1/recordings?limit=1000", "/v1/clips?limit=1000", "/v1/assets?limit=1000", "/v1/audit?limit=1000", "/v1/export",
	}
}

// Diagnose writes a bundle (tar, gzip) for whoever helps: what doctor finds, and
// what the node says of itself when it runs. It changes nothing.
func Diagnose(ctx context.Context, cfg config.Config, version string, to io.Writer) error {
	packed := gzip.NewWriter(to)
	bundle := &bundle{archive: tar.NewWriter(packed), at: time.Now()}
	bundle.json("version.json", map[string]string{"version": version})
	bundle.json("doctor.json", Examine(ctx, cfg))
	bundle.json("config.json", cfg)
	if err := running(cfg.Node.DataDir); err != nil {
		bundle.add("node.txt", []byte(err.Error()+"\n"))
	} else {
		bundle.node(ctx, cfg.Node.DataDir)
	}
	return errors.Join(bundle.err, bundle.archive.Close(), packed.Close())
}

// bundle is an archive that is being written.
type bundle struct {
	archive *tar.Writer
	at      time.Time
	err     error // the first one
}

func (b *bundle) add(name string, text []byte) {
	if b.err != nil {
		return
	}
	b.err = b.archive.WriteHeader(&tar.Header{Name: "millrace-diagnostics/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: b.at})
	if b.err == nil {
		_, b.err = b.archive.Write(text)
	}
}

func (b *bundle) json(name string, value any) {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		text = []byte(err.Error())
	}
	b.add(name, text)
}

// node adds what a running node says. What it does not say is noted.
func (b *bundle) node(ctx context.Context, dataDir string) {
	var channels struct{ Items []struct{ ID string } }
	for _, path := range reports() {
		text := b.ask(ctx, dataDir, path)
		if strings.HasPrefix(path, "/v1/channels") {
			// An answer that cannot be read names no channels.
			_ = json.Unmarshal(text, &channels)
		}
	}
	for _, channel := range channels.Items {
		b.ask(ctx, dataDir, "/v1/channels/"+channel.ID+"/state")
	}
	var sources struct{ Items []struct{ ID string } }
	if err := askRunning(ctx, dataDir, http.MethodGet, "/v1/sources?limit=1000", nil, &sources); err != nil {
		b.add("sources.txt", []byte(err.Error()))
	}
	for _, source := range sources.Items {
		b.ask(ctx, dataDir, "/v1/sources/"+source.ID+"/stats")
	}
}

func (b *bundle) ask(ctx context.Context, dataDir, path string) json.RawMessage {
	var text json.RawMessage
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	name = strings.ReplaceAll(name, "/", "-") + ".json"
	if err := askRunning(ctx, dataDir, http.MethodGet, path, nil, &text); err != nil {
		text, _ = json.Marshal(map[string]string{"error": fmt.Sprint(err)})
	}
	b.add(name, text)
	return text
}
