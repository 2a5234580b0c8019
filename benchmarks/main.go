// Command benchmarks runs one benchmark against its peers and keeps its result:
//
//	scripts/env.sh go run ./benchmarks mix-stage
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"

	"millrace/benchmarks/clipexact"
	"millrace/benchmarks/contest"
	"millrace/benchmarks/control"
	"millrace/benchmarks/demo"
	"millrace/benchmarks/desk"
	"millrace/benchmarks/durable"
	"millrace/benchmarks/latency"
	"millrace/benchmarks/mixstage"
	"millrace/benchmarks/onair"
	"millrace/benchmarks/whepfan"
)

// options are the flags that every benchmark has.
type options struct {
	quick   bool   // once, briefly, and keep nothing
	rounds  int    // that count
	media   string // folder
	results string // folder
	binary  string // of the appliance
}

// benchmark is one entry of the list.
type benchmark struct {
	name, summary string
	run           func(context.Context, options) (contest.Report, error)
	// work is our side where it needs a process of its own, started with the
	// media folder and a number of frames.
	work func(ctx context.Context, folder string, frames int) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{mixstage.Name, "4 x 1080p -> 2x2 -> ladder, without codecs, vs ffmpeg and GStreamer", runMixStage, mixstage.Work},
		{mixstage.StaticName, "one moving cell of four, vs four: compose and ladder", runMixStatic, mixstage.WorkStatic},
		{onair.SpamName, "a minute of 4 takes a second, beside a publisher that comes and goes", runSpam, nil},
		{onair.GridName, "16 sources of 360p in 4x4 at 30 fps", runGrid, nil},
		{whepfan.Name, "one 4 Mb/s stream to many WebRTC viewers, vs plain pion", runWhepFan, workWhepFan},
		{durable.Name, "the store: every part durable before it is listed, vs ffmpeg -c copy; kills, reopening, load", runDurable, durable.Work},
		{clipexact.Name, "an exact clip of 30 s of 1080p, three rungs, until it is ready, vs ffmpeg", runClipExact, nil},
		{demo.Name, "the whole appliance with the demo, at real time", runDemo, nil},
		{desk.Name, "from a key on the control page to its acknowledgement and to a tally page, in a browser", runDesk, nil},
		{control.Name, "a large show's start, idle memory, API readers and control rooms beside the demo", runControl, nil},
		{latency.Name, "glass to glass, WHIP in, WHEP and LL-HLS out", runLatency, nil},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	var o options
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.BoolVar(&o.quick, "quick", false, "run once, briefly, and keep no result")
	flags.IntVar(&o.rounds, "rounds", 7, "rounds that count; each runs every side once")
	flags.StringVar(&o.media, "media", "benchmarks/media", "folder for inputs")
	flags.StringVar(&o.results, "results", "benchmarks/results", "folder for results")
	flags.StringVar(&o.binary, "binary", "bin/millrace", "the appliance, as make build makes it")
	flags.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: benchmarks [flags] NAME")
		flags.PrintDefaults()
		for _, b := range benchmarks() {
			fmt.Fprintf(os.Stderr, "  %s: %s\n", b.name, b.summary)
		}
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	for _, b := range benchmarks() {
		switch {
		case flags.NArg() == 1 && flags.Arg(0) == b.name:
			return b.measure(ctx, o)
		case b.work != nil && flags.NArg() == 3 && flags.Arg(0) == "work" && flags.Arg(1) == b.name:
			frames, err := strconv.Atoi(flags.Arg(2))
			if err != nil {
				return fmt.Errorf("work on %s: %w", b.name, err)
			}
			return b.work(ctx, o.media, frames)
		}
	}
	flags.Usage()
	return errors.New("no such benchmark")
}

func (b benchmark) measure(ctx context.Context, o options) error {
	report, err := b.run(ctx, o)
	if err != nil {
		return err
	}
	if err := report.Print(os.Stdout); err != nil {
		return err
	}
	if o.quick {
		return nil
	}
	return report.Write(o.results)
}

// contest is how often the sides of a benchmark run.
func (o options) contest() contest.Config {
	log := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	if o.quick {
		return contest.Config{Rounds: 1, Log: log}
	}
	return contest.Config{Warmups: 1, Rounds: o.rounds, Log: log}
}

func runMixStage(ctx context.Context, o options) (contest.Report, error) {
	program, err := os.Executable()
	if err != nil {
		return contest.Report{}, err
	}
	config := mixstage.Config{
		Contest: o.contest(), Short: 16, Long: 136, Folder: o.media,
		Worker: []string{program, "-media", o.media, "work", mixstage.Name},
	}
	if o.quick {
		config.Short, config.Long = 2, 10
	}
	return mixstage.Run(ctx, config)
}

func runMixStatic(ctx context.Context, o options) (contest.Report, error) {
	program, err := os.Executable()
	if err != nil {
		return contest.Report{}, err
	}
	worker := func(name string) []string { return []string{program, "-media", o.media, "work", name} }
	config := mixstage.Config{Contest: o.contest(), Short: 16, Long: 136, Folder: o.media, Worker: worker(mixstage.StaticName)}
	if o.quick {
		config.Short, config.Long = 2, 10
	}
	return mixstage.RunStatic(ctx, config, worker(mixstage.Name))
}

func (o options) onAir(length time.Duration, rounds int) onair.Config {
	if o.quick {
		length, rounds = 3*time.Second, 1
	}
	return onair.Config{Contest: contest.Config{Rounds: rounds, Log: o.contest().Log}, Length: length}
}

func runSpam(ctx context.Context, o options) (contest.Report, error) {
	return onair.RunSpam(ctx, o.onAir(time.Minute, 1))
}

func runGrid(ctx context.Context, o options) (contest.Report, error) {
	return onair.RunGrid(ctx, o.onAir(20*time.Second, 5))
}

func runControl(ctx context.Context, o options) (contest.Report, error) {
	config := control.Config{
		Contest: contest.Config{Rounds: 5, Log: o.contest().Log}, Binary: o.binary,
		Sources: 200, Channels: 20, ReadsPerSecond: 1000, Sessions: 50, Length: 15 * time.Second,
	}
	if o.quick {
		config.Contest.Rounds, config.Length = 1, 3*time.Second
	}
	return control.Run(ctx, config)
}

func runLatency(ctx context.Context, o options) (contest.Report, error) {
	config := latency.Config{
		Contest: contest.Config{Rounds: 5, Log: o.contest().Log}, Binary: o.binary,
		Settle: 15 * time.Second, Length: 20 * time.Second,
	}
	if o.quick {
		config.Contest.Rounds, config.Settle, config.Length = 1, 3*time.Second, 3*time.Second
	}
	return latency.Run(ctx, config)
}

func runDemo(ctx context.Context, o options) (contest.Report, error) {
	config := demo.Config{
		Contest: contest.Config{Rounds: 5, Log: o.contest().Log}, Binary: o.binary,
		Settle: 3 * time.Second, Length: 20 * time.Second,
	}
	if o.quick {
		config.Contest.Rounds, config.Length = 1, 3*time.Second
	}
	return demo.Run(ctx, config)
}

func runDesk(ctx context.Context, o options) (contest.Report, error) {
	config := desk.Config{Contest: contest.Config{Rounds: 3, Log: o.contest().Log}, Binary: o.binary, Cuts: 100}
	if o.quick {
		config.Contest.Rounds, config.Cuts = 1, 10
	}
	return desk.Run(ctx, config)
}

func runClipExact(ctx context.Context, o options) (contest.Report, error) {
	config := clipexact.Config{Contest: o.contest(), Binary: o.binary, Rungs: clipexact.Ladder(), Length: 30 * time.Second, Clips: 10}
	if o.quick {
		config.Clips = 3
	}
	return clipexact.Run(ctx, config)
}

func runWhepFan(ctx context.Context, o options) (contest.Report, error) {
	program, err := os.Executable()
	if err != nil {
		return contest.Report{}, err
	}
	config := whepfan.Config{
		Contest: o.contest(), Viewers: 50, Length: 10 * time.Second, Worker: []string{program, "work", whepfan.Name, "0"},
	}
	if o.quick {
		config.Viewers, config.Length = 8, 2*time.Second
	}
	return whepfan.Run(ctx, config)
}

func workWhepFan(ctx context.Context, _ string, _ int) error {
	return whepfan.Serve(ctx, os.Stdin, os.Stdout)
}

func runDurable(ctx context.Context, o options) (contest.Report, error) {
	program, err := os.Executable()
	if err != nil {
		return contest.Report{}, err
	}
	config := durable.Config{
		Contest: o.contest(), Short: 10, Long: 110, Folder: o.media, Kills: 100, History: 6 * time.Hour,
		Channels: 20, Readers: 200, Length: 40 * time.Second,
		Worker: []string{program, "-media", o.media, "work", durable.Name},
	}
	if o.quick {
		config.Short, config.Long, config.Kills, config.Length = 2, 12, 3, 10*time.Second
	}
	return durable.Run(ctx, config)
}
