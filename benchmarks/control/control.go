// Package control measures the control plane: how fast a node with a large show
// is ready, what it weighs without channels, what readers of the API wait beside
// the demo, and what control rooms cost that follow it.
package control

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"time"

	"millrace/benchmarks/contest"
	"millrace/benchmarks/node"
)

// Name of the benchmark.
const Name = "control-plane"

// Config says how much is measured.
type Config struct {
	Contest           contest.Config
	Binary            string // bin/millrace
	Sources, Channels int    // of the show that is started; the channels are stopped
	ReadsPerSecond    int
	Sessions          int           // control rooms with meters
	Length            time.Duration // of each measurement
}

// Run starts the large show once a round and measures the rest beside the demo.
func Run(ctx context.Context, config Config) (contest.Report, error) {
	figures := map[string]float64{}
	side := contest.Side{
		Name: "start to ready", Detail: fmt.Sprintf("%d sources, %d stopped channels; ms until /readyz says so; goal 2000", config.Sources, config.Channels),
		Run: func(ctx context.Context) (float64, error) { return config.start(ctx, figures) },
	}
	sides, err := contest.Run(ctx, config.Contest, []contest.Side{side})
	if err == nil {
		err = config.besideDemo(ctx, figures)
	}
	return contest.Report{
		Benchmark: Name, Time: time.Now().UTC().Truncate(time.Second), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version()},
		Work: fmt.Sprintf("a large show starts; without channels the node holds at most 120 MB; %d API reads a second beside the demo, p99 at most 50 ms; %d control rooms with meters cost at most 20 %% of a core",
			config.ReadsPerSecond, config.Sessions),
		Unit: "ms", Sides: sides, Figures: figures,
	}, err
}

// start makes the show, stops the node and measures its next start; then what it
// holds in memory.
func (c Config) start(ctx context.Context, figures map[string]float64) (ms float64, err error) {
	dir, err := os.MkdirTemp("", "millrace-control-")
	if err != nil {
		return 0, fmt.Errorf("make data directory: %w", err)
	}
	defer os.RemoveAll(dir)
	first, err := node.Start(c.Binary, dir, "--no-demo")
	if err != nil {
		return 0, err
	}
	err = first.WaitReady(ctx)
	if err == nil {
		err = c.fill(ctx, first)
	}
	first.Stop()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	second, err := node.Start(c.Binary, dir, "--no-demo")
	if err != nil {
		return 0, err
	}
	defer second.Stop()
	if err := untilReady(ctx, second); err != nil {
		return 0, err
	}
	ms = float64(time.Since(began)) / float64(time.Millisecond)
	if err := pause(ctx, c.Length); err != nil {
		return 0, err
	}
	var system struct{ MemoryBytes float64 }
	err = second.Call(ctx, http.MethodGet, "/v1/system", nil, &system)
	figures["idleMemoryMB"] = max(figures["idleMemoryMB"], system.MemoryBytes/1e6)
	return ms, err
}

// fill makes the sources and channels.
func (c Config) fill(ctx context.Context, n *node.Node) error {
	source := func(i int) string { return fmt.Sprintf("cam%d", 100+i) }
	for i := range c.Sources {
		if err := n.Call(ctx, http.MethodPost, "/v1/sources", map[string]any{"id": source(i), "kind": "push"}, nil); err != nil {
			return err
		}
	}
	for i := range c.Channels {
		var sources []string
		for k := range min(10, c.Sources) {
			sources = append(sources, source((10*i+k)%c.Sources))
		}
		channel := map[string]any{
			"id": fmt.Sprintf("show%d", i), "canvas": map[string]any{"width": 1280, "height": 720, "rate": "30"}, "sources": sources, "stopped": true,
			"ladder": []map[string]any{{"id": "v720", "width": 1280, "height": 720, "bitrate": 2_800_000}},
		}
		if err := n.Call(ctx, http.MethodPost, "/v1/channels", channel, nil); err != nil {
			return err
		}
	}
	return nil
}

// untilReady asks every few milliseconds.
func untilReady(ctx context.Context, n *node.Node) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := n.Call(ctx, http.MethodGet, "/readyz", nil, nil)
		if err == nil {
			return nil
		}
		if pause(ctx, 5*time.Millisecond) != nil {
			return fmt.Errorf("wait until the node is ready: %w", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
