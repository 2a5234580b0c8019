// Package demo measures the appliance as a newcomer meets it: all processes of
// the demo channel, in real time.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"time"

	"millrace/benchmarks/contest"
	"millrace/benchmarks/node"
)

// Name of the benchmark.
const Name = "mix4-720"

// Config says how long the appliance is watched.
type Config struct {
	Contest contest.Config
	Binary  string        // bin/millrace
	Settle  time.Duration // before measuring begins: start-up does not count
	Length  time.Duration // of one measurement
}

// Run starts the demo once a round and measures it.
func Run(ctx context.Context, config Config) (contest.Report, error) {
	figures := map[string]float64{}
	side := contest.Side{
		Name:   "millrace",
		Detail: "demo channel: 4 built-in 720p30 sources -> grid 1280x720 -> 720/480/240 + AAC, all processes",
		Run: func(ctx context.Context) (float64, error) {
			sample, err := measure(ctx, config)
			if err != nil {
				return 0, err
			}
			figures["peakMemoryMB"] = max(figures["peakMemoryMB"], sample.memory/1e6)
			figures["lateTicks"] += sample.late
			figures["repeatedTicks"] += sample.repeated
			return sample.share, nil
		},
	}
	sides, err := contest.Run(ctx, config.Contest, []contest.Side{side})
	if err != nil {
		return contest.Report{}, err
	}
	return contest.Report{
		Benchmark: Name, Time: time.Now().UTC(), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version()},
		Work:     fmt.Sprintf("the demo at real time, %v a round; goal: at most 60 %% of 2 cores, 0 late ticks, below 600 MB", config.Length),
		Unit:     "% of the machine", Sides: sides, Figures: figures,
	}, nil
}

// sample is what one run of the appliance cost.
type sample struct {
	share          float64 // CPU time of all processes over that of all cores, percent
	memory         float64 // bytes, resident, all processes
	late, repeated float64 // ticks while it was measured
}

func measure(ctx context.Context, config Config) (sample, error) {
	dir, err := os.MkdirTemp("", "millrace-demo-")
	if err != nil {
		return sample{}, fmt.Errorf("make data directory: %w", err)
	}
	defer os.RemoveAll(dir)
	n, err := node.Start(config.Binary, dir)
	if err != nil {
		return sample{}, err
	}
	defer n.Stop()
	if err := n.WaitRunning(ctx, "demo"); err != nil {
		return sample{}, err
	}
	if err := wait(ctx, config.Settle); err != nil {
		return sample{}, err
	}
	before, err := stateOf(ctx, n)
	if err != nil {
		return sample{}, err
	}
	began, spent := time.Now(), n.TreeCPU()
	if err := wait(ctx, config.Length); err != nil {
		return sample{}, err
	}
	cores := time.Since(began) * time.Duration(runtime.NumCPU())
	s := sample{share: 100 * float64(n.TreeCPU()-spent) / float64(cores)}
	after, err := stateOf(ctx, n)
	if err != nil {
		return sample{}, err
	}
	s.memory, s.late, s.repeated = after.memory, after.late-before.late, after.repeated-before.repeated
	return s, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// status is what the API says of the demo.
type status struct{ memory, late, repeated float64 }

func stateOf(ctx context.Context, n *node.Node) (status, error) {
	var channel struct {
		State string
		Ticks struct{ Late, Repeated float64 }
	}
	var system struct{ MemoryBytes float64 }
	if err := errors.Join(n.Call(ctx, http.MethodGet, "/v1/channels/demo/state", nil, &channel), n.Call(ctx, http.MethodGet, "/v1/system", nil, &system)); err != nil {
		return status{}, err
	}
	if channel.State != "running" {
		return status{}, fmt.Errorf("the demo is %s", channel.State)
	}
	return status{system.MemoryBytes, channel.Ticks.Late, channel.Ticks.Repeated}, nil
}
