package contest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSidesRunInTurn(t *testing.T) {
	var order string
	side := func(name string, costs ...float64) Side {
		return Side{Name: name, Run: func(context.Context) (float64, error) {
			order += name
			cost := costs[0]
			costs = costs[1:]
			return cost, nil
		}}
	}
	config := Config{Warmups: 1, Rounds: 3, Log: t.Logf}
	measured, err := Run(t.Context(), config, []Side{side("A", 99, 1, 2, 4), side("B", 99, 4, 12, 8)})
	require.NoError(t, err)
	require.Equal(t, "ABABABAB", order)
	require.Equal(t, Measured{Name: "A", Samples: []float64{1, 2, 4}, Median: 2, Low: 1, High: 4, Ratio: 1}, measured[0])
	require.Equal(t, Measured{Name: "B", Samples: []float64{4, 12, 8}, Median: 8, Low: 4, High: 12, Ratio: 4}, measured[1])

	_, err = Run(t.Context(), config, []Side{{Name: "C", Run: func(context.Context) (float64, error) { return 0, errors.New("broken") }}})
	require.ErrorContains(t, err, "run C: broken")
}

func TestPerFrameLeavesOutTheStart(t *testing.T) {
	cost, err := PerFrame(10, 110, func(frames int) (time.Duration, error) {
		return time.Second + time.Duration(frames)*3*time.Millisecond, nil
	})
	require.NoError(t, err)
	require.InDelta(t, 3, cost, 1e-9)
}

func TestCPUCountsTheProcess(t *testing.T) {
	used, err := CPU(t.Context(), "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
	require.NoError(t, err)
	require.Positive(t, used)
	_, err = CPU(t.Context(), "sh", "-c", "echo why; exit 3")
	require.ErrorContains(t, err, "why")
}

func TestReport(t *testing.T) {
	report := Report{
		Benchmark: "b", Work: "some work", Unit: "ms", Machine: Here(), Commit: Commit(t.Context()),
		Sides:   []Measured{{Name: "A", Median: 1, Ratio: 1}, {Name: "B", Median: 6, Ratio: 6}},
		Quality: map[string]Quality{"A": {"v720": {66, 70}, "v480": {65, 80}}},
	}
	var out bytes.Buffer
	require.NoError(t, report.Print(&out))
	require.Contains(t, out.String(), "6.00x")
	require.Contains(t, out.String(), "65.0 / 70.0 dB")
	folder := t.TempDir()
	require.NoError(t, report.Write(folder))
	text, err := os.ReadFile(filepath.Join(folder, "b.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"benchmark": "b"`)
}
