package onair

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/benchmarks/contest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The benchmarks run once, briefly, so that they cannot rot; they state no times.
func TestRunBriefly(t *testing.T) {
	if testing.Short() {
		t.Skip("runs at real time")
	}
	config := Config{Contest: contest.Config{Rounds: 1, Log: t.Logf}, Length: 3 * time.Second}
	spam, err := RunSpam(t.Context(), config)
	require.NoError(t, err)
	grid, err := RunGrid(t.Context(), config)
	require.NoError(t, err)
	require.Positive(t, grid.Sides[0].Median)
	require.Zero(t, spam.Figures["missingFrames"]+grid.Figures["missingFrames"])
}
