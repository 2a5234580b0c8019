package mixstage

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"time"

	"millrace/benchmarks/contest"
)

// Name of the benchmark.
const Name = "mix-stage"

const (
	oursName   = "millrace"
	oursLonger = 5 // for runs of about the peers' time
)

// Config of a run.
type Config struct {
	Contest     contest.Config
	Short, Long int    // frames of the two runs whose difference counts; ours are oursLonger times as long
	Folder      string // where the inputs are kept
	// Worker is the command line that calls Work; the number of frames follows it.
	Worker []string
}

// Run measures every side that is installed.
func Run(ctx context.Context, config Config) (contest.Report, error) {
	paths, err := inputs(ctx, config.Folder)
	if err != nil {
		return contest.Report{}, err
	}
	peers := installed(paths)
	sides := []contest.Side{config.side(oursName, "gpu's CPU device: area average; one thread", oursLonger, func(o outputs) []string {
		return append(config.Worker[:len(config.Worker):len(config.Worker)], strconv.Itoa(o.frames))
	})}
	for _, peer := range peers {
		sides = append(sides, config.side(peer.name, peer.detail, 1, peer.command))
	}
	quality, err := judge(ctx, paths, config.Folder, peers)
	if err != nil {
		return contest.Report{}, err
	}
	measured, err := contest.Run(ctx, config.Contest, sides)
	if err != nil {
		return contest.Report{}, err
	}
	return contest.Report{
		Benchmark: Name, Time: time.Now().UTC().Truncate(time.Second), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{
			"ffmpeg":    contest.Version(ctx, "ffmpeg", "-version"),
			"gstreamer": contest.Version(ctx, "gst-launch-1.0", "--version"),
		},
		Work: "4 raw 1080p inputs in memory -> 2x2 canvas 1080p -> ladder 1080, 720, 480, 360; no codecs",
		Unit: "ms CPU a frame", Sides: measured, Quality: quality,
	}, nil
}

func (c Config) side(name, detail string, longer int, command func(outputs) []string) contest.Side {
	return contest.Side{Name: name, Detail: detail, Run: func(ctx context.Context) (float64, error) {
		return contest.PerFrame(longer*c.Short, longer*c.Long, func(frames int) (time.Duration, error) {
			line := command(outputs{frames: frames})
			return contest.CPU(ctx, line[0], line[1:]...)
		})
	}}
}

type peer struct {
	name, detail string
	command      func(outputs) []string // program and arguments
	align        int                    // of the rows in the files that it writes, bytes
}

// installed are the peers that this machine has.
func installed(paths []string) (peers []peer) {
	if program, err := exec.LookPath("ffmpeg"); err == nil {
		scaling := func(name, flags, filter string) peer {
			return peer{name, "scale, xstack, split, scale; " + filter + "; one filter thread", func(o outputs) []string {
				return append([]string{program}, ffmpeg(paths, flags, o)...)
			}, 1}
		}
		peers = append(peers, scaling("ffmpeg default", "", "bicubic, its default"), scaling("ffmpeg area", "area", "area"))
	}
	if program, err := exec.LookPath("gst-launch-1.0"); err == nil && has("compositor") && has("imagefreeze") && has("rawvideoparse") {
		peers = append(peers, peer{"gstreamer", "compositor, tee, videoscale; bilinear, its default", func(o outputs) []string {
			return append([]string{program}, gstreamer(paths, o)...)
		}, 4})
	}
	return peers
}

// has reports whether GStreamer has an element.
func has(element string) bool {
	command := exec.Command("gst-inspect-1.0", "--exists", element)
	command.Stderr = os.Stderr
	return command.Run() == nil
}
