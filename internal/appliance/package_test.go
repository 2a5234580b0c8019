package appliance

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/api"
	"millrace/gpu"
	"millrace/output/origin"
)

func TestPackageIsATarFileOfWhichAnyRangeCanBeHad(t *testing.T) {
	f := newFootage(t, "25", gpu.Size{Width: 320, Height: 180}, 3)
	dir := t.TempDir()
	film := bytes.Repeat([]byte("film"), 3000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cam1-1.mp4"), append(film, "more"...), 0o600))
	k, _ := f.grid.Segment(f.first)
	open := func(name string) (*os.File, error) { return os.Open(filepath.Join(dir, name)) }
	f.recordings["r"] = origin.Recording{Channel: "main", From: k, To: k + 2, Open: open, Package: func() ([]origin.Enclosed, error) {
		return []origin.Enclosed{
			{Name: "manifest.json", Data: []byte("{}")}, {Name: "empty", Data: nil},
			{Name: "iso/cam1-1.mp4", Size: int64(len(film)), Open: func() (*os.File, error) { return open("cam1-1.mp4") }},
		}, nil
	}}
	whole := f.fetch("/vod/r/package.tar")
	reader, content := tar.NewReader(bytes.NewReader(whole)), map[string][]byte{}
	var names []string
	for {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		content[header.Name], err = io.ReadAll(reader)
		require.NoError(t, err)
		names = append(names, header.Name)
	}
	require.Equal(t, []string{"manifest.json", "program.mp4", "empty", "iso/cam1-1.mp4"}, names)
	require.Equal(t, film, content["iso/cam1-1.mp4"], "as long as it was when the package was laid out")
	require.Equal(t, f.fetch("/vod/r/download.mp4"), content["program.mp4"])
	for at := 0; at < len(whole); at += len(whole)/40 + 1 {
		end := min(at+5000, len(whole)) - 1
		request := httptest.NewRequest(http.MethodGet, "/vod/r/package.tar", nil)
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", at, end))
		answer := httptest.NewRecorder()
		f.handler.ServeHTTP(answer, request)
		require.Equal(t, http.StatusPartialContent, answer.Code)
		require.Equal(t, whole[at:end+1], answer.Body.Bytes())
	}
	require.Equal(t, append(film, "more"...), f.fetch("/vod/r/iso/cam1-1.mp4"))
	for path, want := range map[string]string{"/vod/r/iso/cam1-1.mp4": "inline", "/vod/r/iso/cam1-1.mp4?download": "attachment", "/vod/r/download.mp4?download": "attachment"} {
		answer := httptest.NewRecorder()
		f.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodHead, path, nil))
		require.Regexp(t, "^"+want+"; filename=", answer.Header().Get("Content-Disposition"), path)
	}
	for _, path := range []string{"/vod/r/iso/none.mp4", "/vod/r/iso/"} {
		answer := httptest.NewRecorder()
		f.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusNotFound, answer.Code, path)
	}
	made := f.recordings["r"]
	made.Package = nil
	f.recordings["r"] = made
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/vod/r/package.tar", nil))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)

	if _, err := exec.LookPath("ffmpeg"); err == nil {
		path := filepath.Join(dir, "program.mp4")
		require.NoError(t, os.WriteFile(path, content["program.mp4"], 0o600))
		require.Equal(t, rangeOf(0, 2*f.grid.SegmentFrames), f.numbers(path))
	}
}

func TestISONamesAreNoPaths(t *testing.T) {
	node := openNode(t, t.TempDir())
	dir := filepath.Join(node.channels.storeDirs("demo")[0], isoFolder, "R")
	require.NoError(t, os.MkdirAll(dir, 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cam1-1.mp4"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "..", "cam1-secret"), []byte("x"), 0o600))
	r := storedRecording{ID: "R", Channel: "demo", ISO: []string{"cam1"}}
	file, err := node.channels.iso.open(r, "cam1-1.mp4")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	for _, name := range []string{"", "cam2-1.mp4", "cam1-2.mp4", "../cam1-secret", "cam1-1.mp4/../../cam1-secret", "cam1-/../../cam1-secret"} {
		_, err := node.channels.iso.open(r, name)
		require.Error(t, err, name)
	}
}

func TestISOFilesThatCannotBeOpenedAreNotListed(t *testing.T) {
	node := openNode(t, t.TempDir())
	none := filepath.Join(t.TempDir(), "no-folder")
	require.NoError(t, os.WriteFile(none, nil, 0o600))
	require.Empty(t, node.channels.iso.files(none, "R", "cam1"))
}

func TestISOAndAutomaticInTheAPI(t *testing.T) {
	node := openNode(t, t.TempDir())
	c := newClient(t, node, api.ScopeManage)
	c.must(409, "POST", "/v1/channels/demo/recordings", `{"iso":["cam1"]}`) // it does not run
	faults := node.channels.checkISO(api.Channel{Sources: []string{"cam1", "test1"}}, []string{"cam1", "cam1", "none", "test1"}, "/iso")
	require.Len(t, faults, 3)
	require.Equal(t, "/iso/1", faults[0].Pointer)
	c.must(422, "PATCH", "/v1/channels/demo", `{"recording":{"automatic":true,"iso":["none"]}}`, "If-Match", "*")
	c.must(200, "PATCH", "/v1/channels/demo", `{"recording":{"automatic":true}}`, "If-Match", "*")
	node.channels.followAutomatic(context.Background(), "demo") // logs that the channel does not run
	require.Empty(t, c.must(200, "GET", "/v1/recordings", "").field(t, "items"))
	edl := c.must(200, "GET", "/v1/channels/demo/timeline.edl", "")
	require.Contains(t, edl.body, "TITLE: demo")
	require.Contains(t, edl.body, "FROM CLIP NAME: grid")
	vtt := c.must(200, "GET", "/v1/channels/demo/timeline.vtt", "")
	require.Equal(t, "text/vtt", vtt.header.Get("Content-Type"))
	require.Contains(t, vtt.body, "WEBVTT\n\n1\n00:00:00.000 --> 01:00:00")
	c.must(422, "GET", "/v1/channels/demo/timeline.edl?from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", "")
	c.must(404, "GET", "/v1/channels/none/timeline.vtt", "")
}
