// Package latency measures glass to glass: time burned into the pictures of
// four guests, published by WHIP, mixed, and read back from WHEP and from
// LL-HLS.
package latency

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"runtime"
	"sync"
	"time"

	"millrace/benchmarks/contest"
	"millrace/benchmarks/node"
	"millrace/gpu"
	"millrace/mixer/engine/pattern"
)

// Name of the benchmark.
const Name = "latency"

// Config says how long is measured.
type Config struct {
	Contest contest.Config
	Binary  string        // bin/millrace
	Settle  time.Duration // until the guests' cushions have settled
	Length  time.Duration // of one measurement
}

// What is mixed: the size and rate of canvas, guests and rung.
const (
	width, height, rate = 640, 360, 30
	guests              = 4
	bitrate             = 1_200_000 // bits per second
)

// Run measures once a round and reports the 95 % of both ways, with where the
// time went.
func Run(ctx context.Context, config Config) (contest.Report, error) {
	figures := map[string]float64{}
	var last sample
	sides := []contest.Side{
		{
			Name: "WHIP to WHEP", Detail: "4 guests 640x360@30 H.264 -> grid -> v360; 95 % in ms; goal 150",
			Run: func(ctx context.Context) (cost float64, err error) {
				last, err = measure(ctx, config)
				for name, value := range last.stages {
					figures[name] = value
				}
				figures["whep.p50"], figures["whep.p95"] = last.whep.at(50), last.whep.at(95)
				return last.whep.at(95), err
			},
		},
		{
			Name: "WHIP to LL-HLS", Detail: "the same seconds, by blocking playlists and parts, PART-HOLD-BACK honoured; goal 1000",
			Run: func(context.Context) (float64, error) {
				figures["llhls.p50"], figures["llhls.p95"] = last.hls.at(50), last.hls.at(95)
				return last.hls.at(95), nil
			},
		},
	}
	measured, err := contest.Run(ctx, config.Contest, sides)
	if err != nil {
		return contest.Report{}, err
	}
	return contest.Report{
		Benchmark: Name, Time: time.Now().UTC(), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version()},
		Work: fmt.Sprintf("glass to glass on loopback, %v a round, publishers, appliance and viewers on one machine; "+
			"figures: the last round, ms, stages as /v1/channels/{id}/state has them", config.Length),
		Unit: "ms", Sides: measured, Figures: figures,
	}, nil
}

// sample is one measurement.
type sample struct {
	whep, hls spread
	stages    map[string]float64 // ms
}

func measure(ctx context.Context, config Config) (s sample, err error) {
	dir, err := os.MkdirTemp("", "millrace-latency-")
	if err != nil {
		return s, fmt.Errorf("make data directory: %w", err)
	}
	defer os.RemoveAll(dir)
	n, err := node.Start(config.Binary, dir, "--no-demo")
	if err != nil {
		return s, err
	}
	defer n.Stop()
	if err := n.WaitReady(ctx); err != nil {
		return s, err
	}
	keys, err := setUp(ctx, n)
	if err != nil {
		return s, err
	}
	device, err := gpu.Open("cpu")
	if err != nil {
		return s, err
	}
	defer device.Close()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel(errDone)
	run := func(do func(context.Context) error) {
		work.Go(func() {
			if err := do(ctx); err != nil {
				cancel(err)
			}
		})
	}
	clock := clock{time.Now()}
	publisher := &publisher{device: device, clock: clock, base: "http://" + n.Media, keys: keys}
	run(publisher.Run)
	viewer := &viewer{device: device, clock: clock, url: "http://" + n.Media + "/whep/main"}
	run(viewer.Run)
	player := &player{device: device, clock: clock, url: "http://" + n.Media + "/live/main/v360/"}
	run(player.Run)

	if err := begun(ctx, &viewer.delays, &player.delays); err != nil {
		return s, err
	}
	if err := wait(ctx, config.Settle); err != nil {
		return s, err
	}
	viewer.delays.reset()
	player.delays.reset()
	if err := wait(ctx, config.Length); err != nil {
		return s, err
	}
	s.whep, s.hls = viewer.delays.take(), player.delays.take()
	if len(s.whep) == 0 || len(s.hls) == 0 {
		return s, fmt.Errorf("measure latency: %d pictures by WHEP and %d by LL-HLS were read", len(s.whep), len(s.hls))
	}
	s.stages, err = stagesOf(ctx, n)
	return s, err
}

// begun waits until pictures come by each way: LL-HLS lists nothing before its
// first whole segment.
func begun(ctx context.Context, ways ...*delays) error {
	const limit = time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("no pictures came"))
	defer cancel()
	for _, way := range ways {
		for len(way.take()) == 0 {
			if err := wait(ctx, 100*time.Millisecond); err != nil {
				return fmt.Errorf("wait for pictures: %w", err)
			}
		}
	}
	return nil
}

var errDone = errors.New("measured")

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// setUp makes the guests' sources and the channel, and gives the sources' keys.
func setUp(ctx context.Context, n *node.Node) ([]string, error) {
	var keys, ids []string
	for i := range guests {
		id := fmt.Sprintf("guest%d", i+1)
		var made struct{ Key string }
		if err := n.Call(ctx, "POST", "/v1/sources", map[string]any{"id": id, "kind": "push"}, &made); err != nil {
			return nil, err
		}
		keys, ids = append(keys, made.Key), append(ids, id)
	}
	err := n.Call(ctx, "POST", "/v1/channels", map[string]any{
		"id": "main", "canvas": map[string]any{"width": width, "height": height, "rate": fmt.Sprint(rate)}, "sources": ids,
		"scenes": []map[string]any{{"id": "grid", "layout": "grid-4", "slots": ids}},
		"ladder": []map[string]any{{"id": "v360", "width": width, "height": height, "bitrate": bitrate}},
	}, nil)
	if err != nil {
		return nil, err
	}
	return keys, n.WaitRunning(ctx, "main")
}

// stagesOf is where the appliance says the time went: the slowest guest's way,
// and the channel's.
func stagesOf(ctx context.Context, n *node.Node) (map[string]float64, error) {
	type percentiles struct{ P50, P95 float64 }
	var state struct {
		Sources map[string]struct{ Latency map[string]percentiles }
		Latency struct {
			Composed, FromWorker, Listed, Sent percentiles
			Encoded                            map[string]percentiles
		}
	}
	if err := n.Call(ctx, "GET", "/v1/channels/main/state", nil, &state); err != nil {
		return nil, err
	}
	stages := map[string]float64{}
	add := func(name string, p percentiles) {
		stages[name+".p50"] = max(stages[name+".p50"], p.P50)
		stages[name+".p95"] = max(stages[name+".p95"], p.P95)
	}
	for id, source := range state.Sources {
		for stage, p := range source.Latency {
			add("source."+stage, p)
		}
		var stats struct{ LatencyMs float64 }
		if err := n.Call(ctx, "GET", "/v1/sources/"+id+"/stats", nil, &stats); err != nil {
			return nil, err
		}
		stages["source.cushion"] = max(stages["source.cushion"], stats.LatencyMs)
	}
	add("channel.composed", state.Latency.Composed)
	add("channel.encoded", state.Latency.Encoded["v360"])
	add("channel.fromWorker", state.Latency.FromWorker)
	add("channel.listed", state.Latency.Listed)
	add("channel.sent", state.Latency.Sent)
	return stages, nil
}

// clock is the time that is burned in: milliseconds since the measurement began.
type clock struct{ began time.Time }

func (c clock) now() uint32 { return uint32(time.Since(c.began).Milliseconds()) + 1 } // 0 cannot be read

// delays collects how old the pictures were that came out.
type delays struct {
	mu     sync.Mutex
	list   spread
	newest [guests]uint32
}

// see reads the four cells of a canvas that can be seen at an instant. A time
// counts once: what is repeated is no new picture.
func (d *delays) see(p pattern.Picture, at uint32, extra time.Duration) {
	for i := range guests {
		x, y := i%2*p.Width/2, i/2*p.Height/2
		d.seeCell(p.Sub(image.Rect(x, y, x+p.Width/2, y+p.Height/2)), i, at, extra)
	}
}

func (d *delays) seeCell(p pattern.Picture, cell int, at uint32, extra time.Duration) {
	burned, ok := pattern.ReadCounter(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !ok || burned <= d.newest[cell] || burned > at {
		return
	}
	d.newest[cell] = burned
	d.list = append(d.list, float64(at-burned)+float64(extra.Milliseconds()))
}

func (d *delays) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = nil
}

func (d *delays) take() spread {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list
}
