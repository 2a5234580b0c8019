package onair

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"millrace/benchmarks/contest"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// GridName of the benchmark of many sources.
const GridName = "grid16"

// RunGrid mixes 16 encoded sources of 360p in a grid.
func RunGrid(ctx context.Context, config Config) (contest.Report, error) {
	const inputs = 16
	var films []film // four are filmed; each is sent by four cameras
	for seed := range 4 {
		f, err := shoot(ctx, seed)
		if err != nil {
			return contest.Report{}, err
		}
		films = append(films, f)
	}
	var sources []worker.Source
	grid := scene.Scene{ID: "grid", Layout: "auto-grid"}
	for i := range inputs {
		id := fmt.Sprintf("cam%d", i+1)
		sources = append(sources, worker.Source{ID: id, Kind: worker.Push, HoldMs: 2000})
		grid.Slots = append(grid.Slots, id)
	}
	act := func(ctx context.Context, s *stage) {
		s.each(ctx, func(n int64) {
			for i, source := range sources {
				films[i%len(films)].send(s, source.ID, s.first, n)
			}
		})
	}
	figures := map[string]float64{}
	side := contest.Side{
		Name: "millrace", Detail: "16 x 640x360p30 H.264 -> 4x4 on 1280x720 -> 720/480/240 + AAC and Opus; one process",
		Run: func(ctx context.Context) (float64, error) {
			o, err := perform(ctx, show(sources, []scene.Scene{grid}), config.Length, act)
			o.figures(figures)
			return o.share(), problem(GridName, err)
		},
	}
	sides, err := contest.Run(ctx, config.Contest, []contest.Side{side})
	return contest.Report{
		Benchmark: GridName, Time: time.Now().UTC().Truncate(time.Second), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version()},
		Work:     fmt.Sprintf("%v at real time; goal: below 100 %% of 2 cores, 0 missing frames, late ticks and repeats", config.Length),
		Unit:     "% of 2 cores", Sides: sides, Figures: figures,
	}, err
}

// percentile is in milliseconds; 0 of nothing.
func percentile(delays []time.Duration, p int) float64 {
	if len(delays) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(delays))
	return float64(sorted[(len(sorted)*p-1)/100]) / float64(time.Millisecond)
}
