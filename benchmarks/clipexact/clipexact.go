// Package clipexact measures an exact clip as who asks for one meets it: from the
// request to the file that can be played and kept.
package clipexact

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"millrace/benchmarks/contest"
	"millrace/benchmarks/footage"
	"millrace/benchmarks/node"
	"millrace/benchmarks/testmedia"
	"millrace/internal/media"
	"millrace/record"
)

// Name of the benchmark.
const Name = "clip-exact"

// Config says what is measured.
type Config struct {
	Contest contest.Config
	Binary  string         // bin/millrace
	Rungs   []footage.Rung // best first
	Length  time.Duration  // of a clip
	Clips   int            // in a round, which gives their median; they begin all over a group of pictures
}

// Ladder is what the benchmark's channel has.
func Ladder() []footage.Rung {
	return []footage.Rung{
		{ID: "v1080", Width: 1920, Height: 1080, Bitrate: 6_000_000}, {ID: "v720", Width: 1280, Height: 720, Bitrate: 2_800_000},
		{ID: "v480", Width: 854, Height: 480, Bitrate: 1_400_000},
	}
}

const (
	inputRate = "30"
	channel   = "bench"
	ago       = 10 * time.Minute // the stored media lie in the past
)

// Run stores a channel's media, has an appliance clip it, and asks ffmpeg for the
// same: a file of the best rung, exact to the frame.
func Run(ctx context.Context, config Config) (contest.Report, error) {
	dir, err := os.MkdirTemp("", Name+"-")
	if err != nil {
		return contest.Report{}, fmt.Errorf("make data directory: %w", err)
	}
	defer os.RemoveAll(dir)
	in, err := prepare(ctx, config, dir)
	if err != nil {
		return contest.Report{}, fmt.Errorf("make input: %w", err)
	}
	n, err := node.Start(config.Binary, dir, "--no-demo")
	if err != nil {
		return contest.Report{}, err
	}
	defer n.Stop()
	if err := n.WaitReady(ctx); err != nil {
		return contest.Report{}, err
	}
	m := &measurement{node: n, input: in, random: rand.New(rand.NewPCG(1, 1))}
	sides, err := contest.Run(ctx, config.Contest, []contest.Side{
		{Name: "millrace", Detail: "POST /v1/clips, mode exact, until it is ready: every rung, as a file and as HLS", Run: func(ctx context.Context) (float64, error) {
			return m.round(ctx, config.Clips)
		}},
		{Name: "ffmpeg", Detail: "ffmpeg -ss -t of the best rung alone, all of it encoded anew: libx264 veryfast, the same bit rate", Run: func(ctx context.Context) (float64, error) {
			return in.cutWithFFmpeg(ctx, dir)
		}},
	})
	if err != nil {
		return contest.Report{}, err
	}
	return contest.Report{
		Benchmark: Name, Time: time.Now().UTC(), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version(), "ffmpeg": contest.Version(ctx, "ffmpeg", "-version")},
		Work: fmt.Sprintf("a clip of %v, %d rungs of at most %dx%d at %s; goal: ready in at most 1 s",
			config.Length, len(config.Rungs), config.Rungs[0].Width, config.Rungs[0].Height, inputRate),
		Unit: "ms until it is ready", Sides: sides, Figures: m.figures(),
	}, nil
}

// input is a channel whose media are stored.
type input struct {
	rate   media.Rate
	first  int64 // frame
	frames int64
	length int64  // of a clip, frames
	gop    int64  // frames
	file   string // the best rung alone
	rung   footage.Rung
}

// prepare makes the channel in the appliance, and its media in the appliance's
// store while that does not run.
func prepare(ctx context.Context, config Config, dir string) (*input, error) {
	if err := makeChannel(ctx, config, dir); err != nil {
		return nil, err
	}
	loop, err := footage.New(footage.Config{Rate: inputRate, Rungs: config.Rungs, AudioBitrate: 128_000, Scene: testmedia.Texture})
	if err != nil {
		return nil, err
	}
	grid := loop.Grid
	segments := int64(config.Length/grid.SegmentDuration()) + 3
	first := grid.SegmentAt(media.TimeOf(time.Now().Add(-ago)))
	in := &input{
		rate: grid.Rate, first: grid.SegmentStart(first), frames: segments * grid.SegmentFrames, gop: grid.GOPFrames(), rung: config.Rungs[0],
		length: grid.Rate.Index(media.Time(config.Length)), file: filepath.Join(dir, "files", config.Rungs[0].ID+".mp4"),
	}
	store, err := record.Open(record.Config{Dirs: []string{filepath.Join(dir, "dvr", channel)}})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := store.SetLayout(loop.Layout()); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- store.Run(run) }()
	err = loop.Fill(ctx, store, first, first+segments)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(in.file), 0o755)
	}
	if err == nil {
		_, err = record.Export(ctx, store, filepath.Dir(in.file))
	}
	stop()
	if ran := <-ended; err == nil {
		err = ran
	}
	return in, err
}

// makeChannel leaves a stopped channel behind: its worker would be measured too.
func makeChannel(ctx context.Context, config Config, dir string) error {
	n, err := node.Start(config.Binary, dir, "--no-demo")
	if err != nil {
		return err
	}
	defer n.Stop()
	if err := n.WaitReady(ctx); err != nil {
		return err
	}
	type object = map[string]any
	var ladder []object
	for _, r := range config.Rungs {
		ladder = append(ladder, object{"id": r.ID, "width": r.Width, "height": r.Height, "bitrate": r.Bitrate})
	}
	best := config.Rungs[0]
	document := object{
		"id": channel, "canvas": object{"width": best.Width, "height": best.Height, "rate": inputRate}, "sources": []string{"cam"},
		"scenes": []object{{"id": "solo", "layout": "solo", "slots": []string{"cam"}}}, "program": "solo", "ladder": ladder,
	}
	if err := n.Call(ctx, "POST", "/v1/sources", object{"id": "cam", "kind": "push"}, nil); err != nil {
		return err
	}
	if err := n.Call(ctx, "POST", "/v1/channels", document, nil); err != nil {
		return err
	}
	return n.Call(ctx, "POST", "/v1/channels/"+channel+"/stop", nil, nil)
}
