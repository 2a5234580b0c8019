package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLayers judges the tree as it stands.
func TestLayers(t *testing.T) {
	openSources(t, filepath.Join("..", ".."))
	packages := list(t)
	require.NotEmpty(t, packages)
	for _, fault := range faults(packages) {
		t.Error(fault)
	}
}

// openSources opens every Go file of the module, which makes each of them an input of this test: without that, go test would repeat a
// cached answer after another package has changed, since it does not see what `go list` reads.
func openSources(t *testing.T, root string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		return file.Close()
	}))
}

// list reads every package of the module and of its dependencies, as a build with cgo sees them. Reading needs no C compiler.
func list(t *testing.T) []goPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps",
		"-json=ImportPath,Standard,GoFiles,CgoFiles,Imports,Deps", module+"...")
	command.Env = append(os.Environ(), "CGO_ENABLED=1")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, stderr.String())

	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}

// TestFaults proves that each rule catches what it forbids and lets pass what it allows.
func TestFaults(t *testing.T) {
	const other = "example.org/other"
	tests := []struct {
		name string
		give goPackage
		want []string
	}{
		{"media sees the standard library", pkg("internal/media", "time"), nil},
		{"media sees no module", pkg("internal/media", other),
			[]string{"internal/media imports example.org/other: internal/media imports the standard library only"}},
		{"everyone sees media", pkg("output/cmaf", "millrace/internal/media"), nil},
		{"a layer sees itself", pkg("ingest/srt", "millrace/ingest", "millrace/internal/srt"), nil},
		{"a stage sees no stage", pkg("ingest/rtmp", "millrace/record"),
			[]string{"ingest/rtmp imports record: ingest does not see record"}},
		{"the engine sees gpu", pkg("mixer/engine", "millrace/gpu", "millrace/mixer/worker"), nil},
		{"the worker's server end does not", pkg("mixer/worker", "millrace/gpu"),
			[]string{"mixer/worker imports gpu: mixer/worker does not see gpu"}},
		{"the wiring sees all", pkg("internal/appliance", "millrace/record", "millrace/api"), nil},
		{"a new folder needs a rule", pkg("novelty", "time"), []string{"novelty belongs to no layer: give its folder a rule"}},
		{"FFmpeg in gpu", pkg("gpu", ffmpegBinding), nil},
		{"FFmpeg elsewhere", pkg("cmd/millrace", ffmpegBinding),
			[]string{"cmd/millrace imports github.com/asticode/go-astiav: FFmpeg stands in gpu and mixer/engine only"}},
		{"libsrt in its process", pkg("internal/srt/process", srtBinding), nil},
		{"libsrt in its client", pkg("internal/srt", srtBinding), []string{
			"internal/srt depends on github.com/haivision/srtgo, which is C: it must build with CGO_ENABLED=0",
			"internal/srt imports github.com/haivision/srtgo: libsrt stands below internal/srt only"}},
		{"own cgo elsewhere", withC(pkg("record", "time")),
			[]string{"record uses cgo: C stands in gpu, mixer/engine and below internal/srt only"}},
		{"C below a package that builds without", pkg("api", "example.org/c"),
			[]string{"api depends on example.org/c, which is C: it must build with CGO_ENABLED=0"}},
		{"C that is optional", pkg("internal/child/sandbox", optionalC()...), nil},
	}
	known := []goPackage{{ImportPath: "time", Standard: true}, {ImportPath: other},
		{ImportPath: ffmpegBinding, CgoFiles: []string{"x.go"}}, {ImportPath: srtBinding, CgoFiles: []string{"x.go"}},
		{ImportPath: "example.org/c", CgoFiles: []string{"x.go"}}, {ImportPath: optionalC()[0], CgoFiles: []string{"x.go"}}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, faults(append([]goPackage{tt.give}, known...)))
		})
	}
}

// pkg is a package of ours with these imports, which are its whole dependencies too.
func pkg(path string, imports ...string) goPackage {
	return goPackage{ImportPath: module + path, GoFiles: []string{"x.go"}, Imports: imports, Deps: imports}
}

func withC(p goPackage) goPackage {
	p.CgoFiles = []string{"c.go"}
	return p
}
