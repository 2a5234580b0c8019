package mixstage

import (
	"context"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/contest"
)

// folderVariable makes the test program our side's process.
const folderVariable = "MIXSTAGE_FOLDER"

func TestMain(m *testing.M) {
	folder := os.Getenv(folderVariable)
	if folder == "" {
		os.Exit(m.Run())
	}
	frames, err := strconv.Atoi(os.Args[len(os.Args)-1])
	work := Work
	if os.Args[1] == StaticName {
		work = WorkStatic
	}
	if err != nil || work(context.Background(), folder, frames) != nil {
		os.Exit(1)
	}
}

// The benchmark runs once, briefly, so that it cannot rot; it states no times.
func TestRunsBriefly(t *testing.T) {
	if testing.Short() {
		t.Skip("draws 32 pictures of 1080p")
	}
	program, err := os.Executable()
	require.NoError(t, err)
	folder := t.TempDir()
	t.Setenv(folderVariable, folder)
	report, err := Run(t.Context(), Config{
		Contest: contest.Config{Rounds: 1, Log: t.Logf}, Short: 1, Long: 3, Folder: folder, Worker: []string{program},
	})
	require.NoError(t, err)
	require.Equal(t, oursName, report.Sides[0].Name)
	config := Config{Contest: contest.Config{Rounds: 1, Log: t.Logf}, Short: 1, Long: 3, Folder: folder, Worker: []string{program, StaticName}}
	static, err := RunStatic(t.Context(), config, []string{program})
	require.NoError(t, err)
	require.Len(t, static.Sides, 2)
	for rung, psnr := range report.Quality[oursName] {
		require.Greater(t, psnr.Luma, 60.0, rung)
		require.Greater(t, psnr.Chroma, 50.0, rung)
	}
	for name, quality := range report.Quality {
		for rung, psnr := range quality {
			require.Greater(t, psnr.Luma, 30.0, "%s %s draws another picture", name, rung)
		}
	}
}
