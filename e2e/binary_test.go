package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// built is the folder with the binary and the clips, made once for all tests of
// the package and removed by TestMain.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-e2e-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "millrace"), "../cmd/millrace")
	build.Env = append(os.Environ(), "CGO_ENABLED=1") // this package has no C, the binary has
	if said, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the binary: %w\n%s", err, said)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := built(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// needTools skips where the machine was not set up to build the binary or has
// no ffmpeg to publish with; `make test` sets both up.
func needTools(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes minutes of real time")
	}
	if exec.Command("pkg-config", "--atleast-version=61", "--max-version=61.99", "libavcodec").Run() != nil {
		t.Skip("no FFmpeg 7.1 to build the binary with: run make test, or scripts/env.sh go test ./e2e")
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg on PATH to publish with")
	}
}

// folder has the binary and the clips.
func folder(t *testing.T) string {
	t.Helper()
	needTools(t)
	dir, err := built()
	require.NoError(t, err)
	return dir
}

// millrace is the path of the binary.
func millrace(t *testing.T) string {
	t.Helper()
	return filepath.Join(folder(t), "millrace")
}
