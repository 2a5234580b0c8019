package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/clipexact"
	"millrace/benchmarks/contest"
	"millrace/benchmarks/control"
	"millrace/benchmarks/footage"
)

// The benchmark of exact clips runs once, briefly, so that it cannot rot; it
// states no times.
func TestClipBenchmarkRuns(t *testing.T) {
	report, err := clipexact.Run(t.Context(), clipexact.Config{
		Contest: contest.Config{Rounds: 1, Log: t.Logf}, Binary: filepath.Join(folder(t), "millrace"), Length: 4 * time.Second, Clips: 2,
		Rungs: []footage.Rung{{ID: "v360", Width: 640, Height: 360, Bitrate: 600_000}, {ID: "v180", Width: 320, Height: 180, Bitrate: 200_000}},
	})
	require.NoError(t, err)
	require.Len(t, report.Sides, 2)
	require.Equal(t, 2.0, report.Figures["clips"])
	require.Positive(t, report.Figures["readyMostMs"])
	require.Positive(t, report.Figures["cpuMostMs"])
}

// The benchmark of the control plane likewise.
func TestControlBenchmarkRuns(t *testing.T) {
	report, err := control.Run(t.Context(), control.Config{
		Contest: contest.Config{Rounds: 1, Log: t.Logf}, Binary: filepath.Join(folder(t), "millrace"),
		Sources: 3, Channels: 2, ReadsPerSecond: 20, Sessions: 2, Length: time.Second,
	})
	require.NoError(t, err)
	require.Positive(t, report.Figures["idleMemoryMB"])
	require.Positive(t, report.Figures["apiReads"])
}
