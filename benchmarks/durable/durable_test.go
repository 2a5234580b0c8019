package durable

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/contest"
)

// folderVariable makes the test program our side's process.
const folderVariable = "DURABLE_FOLDER"

func TestMain(m *testing.M) {
	folder := os.Getenv(folderVariable)
	if folder == "" {
		os.Exit(m.Run())
	}
	segments, err := strconv.Atoi(os.Args[1])
	if err == nil {
		err = Work(context.Background(), folder, segments)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The benchmark runs once, briefly, so that it cannot rot; it states no times.
func TestRunsBriefly(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil || testing.Short() {
		t.Skip("encodes a segment of 1080p, and needs ffmpeg")
	}
	program, err := os.Executable()
	require.NoError(t, err)
	folder := t.TempDir()
	t.Setenv(folderVariable, folder)
	report, err := Run(t.Context(), Config{
		Contest: contest.Config{Rounds: 1, Log: t.Logf}, Short: 1, Long: 2, Folder: folder, Disk: t.TempDir(), Kills: 2,
		History: time.Minute, Channels: 2, Readers: 4, Length: 8 * time.Second, Worker: []string{program},
	})
	require.NoError(t, err)
	t.Log(report.Figures)
	require.Positive(t, report.Figures["killedListedParts"])
	require.Zero(t, report.Figures["killedLostParts"])
	require.Positive(t, report.Figures["loadedParts"])
	require.Zero(t, report.Figures["readersRefused"])
	require.Less(t, report.Figures["bytesBeyondMediaPercent"], 2.0)
}
