package mixstage

import (
	"context"
	"runtime"
	"strconv"
	"time"

	"millrace/benchmarks/contest"
)

// StaticName of the benchmark of a picture that mostly stands still.
const StaticName = "mix4-static"

// WorkStatic composes frames ticks in which the first of four cells moves.
func WorkStatic(ctx context.Context, folder string, frames int) error {
	return work(ctx, folder, frames, 1)
}

// RunStatic compares one moving cell of four with four. live is to Work
// what config.Worker is to WorkStatic.
func RunStatic(ctx context.Context, config Config, live []string) (contest.Report, error) {
	if _, err := inputs(ctx, config.Folder); err != nil {
		return contest.Report{}, err
	}
	side := func(name, detail string, worker []string) contest.Side {
		return config.side(name, detail, oursLonger, func(o outputs) []string {
			return append(worker[:len(worker):len(worker)], strconv.Itoa(o.frames))
		})
	}
	sides, err := contest.Run(ctx, config.Contest, []contest.Side{
		side(StaticName, "one of four cells has a new picture every frame", config.Worker),
		side("mix4-live", "all four have", live),
	})
	if err != nil {
		return contest.Report{}, err
	}
	return contest.Report{
		Benchmark: StaticName, Time: time.Now().UTC().Truncate(time.Second), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version()},
		Work:     "compose and ladder of 4 raw 1080p inputs -> 2x2 canvas 1080p -> 1080, 720, 480, 360; goal: at most 0.4 of mix4-live, which is 2.5x",
		Unit:     "ms CPU a frame", Sides: sides, Figures: map[string]float64{"percentOfLive": 100 / sides[1].Ratio},
	}, nil
}
