// Package desk measures how soon an operator sees what he did: keys pressed on
// the control page in a real browser beside the demo, until the page shows the
// node's answer, and until a tally page in another window shows it.
package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"time"

	"millrace/benchmarks/contest"
	"millrace/benchmarks/node"
)

// Name of the benchmark.
const Name = "desk"

// Config says how much is pressed.
type Config struct {
	Contest contest.Config
	Binary  string // bin/millrace
	Cuts    int    // a round; each is a scene to preview and a cut
}

// pressed is what the browser measured, in milliseconds.
type pressed struct{ Acknowledged, Tally []float64 }

// Run starts the demo once a round and works its desk.
func Run(ctx context.Context, config Config) (contest.Report, error) {
	figures := map[string]float64{}
	var last pressed
	sides := []contest.Side{
		{
			Name: "key to acknowledgement", Detail: "preview and cut by the keyboard, 95 % in ms; goal 100",
			Run: func(ctx context.Context) (cost float64, err error) {
				last, err = measure(ctx, config)
				figures["acknowledged.p50"], figures["acknowledged.p95"] = at(last.Acknowledged, 50), at(last.Acknowledged, 95)
				figures["tally.p50"], figures["tally.p95"] = at(last.Tally, 50), at(last.Tally, 95)
				return figures["acknowledged.p95"], err
			},
		},
		{
			Name: "key to tally", Detail: "the same cuts, on a tally page in another window; goal 150",
			Run: func(context.Context) (float64, error) { return at(last.Tally, 95), nil },
		},
	}
	measured, err := contest.Run(ctx, config.Contest, sides)
	if err != nil {
		return contest.Report{}, err
	}
	return contest.Report{
		Benchmark: Name, Time: time.Now().UTC(), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version()},
		Work:     fmt.Sprintf("%d cuts a round on the demo's desk, in Chromium on the same machine, with program and multiview shown", config.Cuts),
		Unit:     "ms", Sides: measured, Figures: figures,
	}, nil
}

func measure(ctx context.Context, config Config) (pressed, error) {
	dir, err := os.MkdirTemp("", "millrace-desk-")
	if err != nil {
		return pressed{}, fmt.Errorf("make data directory: %w", err)
	}
	defer os.RemoveAll(dir)
	n, err := node.Start(config.Binary, dir)
	if err != nil {
		return pressed{}, err
	}
	defer n.Stop()
	if err := n.WaitRunning(ctx, "demo"); err != nil {
		return pressed{}, err
	}
	var key struct{ Key string }
	if err := n.Call(ctx, "POST", "/v1/keys", map[string]any{"scopes": []string{"manage"}}, &key); err != nil {
		return pressed{}, err
	}
	browser := exec.CommandContext(ctx, "node", "benchmarks/desk/desk.mjs", "http://"+n.Control, key.Key, "demo", strconv.Itoa(config.Cuts))
	text, err := browser.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return pressed{}, fmt.Errorf("work the desk in a browser: %w: %s", err, failed.Stderr)
	}
	if err != nil {
		return pressed{}, fmt.Errorf("work the desk in a browser: %w", err)
	}
	var seen pressed
	if err := json.Unmarshal(text, &seen); err != nil {
		return pressed{}, fmt.Errorf("read what the browser measured: %w", err)
	}
	if len(seen.Tally) != config.Cuts {
		return pressed{}, fmt.Errorf("%d cuts were measured of %d", len(seen.Tally), config.Cuts)
	}
	return seen, nil
}

// at is the sample below which percent of them lie, by nearest rank; 0 for none.
func at(samples []float64, percent int) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[(len(sorted)*percent+99)/100-1]
}
