// Package durable measures the store: what it costs to make every part durable
// before it is listed, and what is left after the worst.
package durable

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"millrace/benchmarks/contest"
	"millrace/benchmarks/footage"
	"millrace/record"
)

// Name of the benchmark.
const Name = "dvr-durable"

// Config says how much is measured.
type Config struct {
	Contest     contest.Config
	Short, Long int    // segments of a run; the cost is that of the difference
	Folder      string // for inputs
	Disk        string // folder on the disk under test; a temporary one when empty
	Kills       int
	History     time.Duration // of the store that is opened
	Channels    int
	Readers     int
	Length      time.Duration // of the measurement with channels and readers
	Worker      []string      // our side's process: it gets a number of segments, or 0 to write until it is killed
}

// Run measures the CPU time of our side and of ffmpeg, then everything else.
func Run(ctx context.Context, config Config) (contest.Report, error) {
	in, err := prepare(ctx, config.Folder, config.Long)
	if err != nil {
		return contest.Report{}, err
	}
	dir, err := os.MkdirTemp(config.Disk, "dvr-durable-")
	if err != nil {
		return contest.Report{}, fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir)
	figures := map[string]float64{}
	sides, err := contest.Run(ctx, config.Contest, []contest.Side{
		{Name: "millrace", Detail: "fMP4 files -> packager -> store: each part durable before it is listed, one commit a part", Run: func(ctx context.Context) (float64, error) {
			return perSecond(in, config, func(segments int) (time.Duration, error) {
				return contest.CPU(ctx, config.Worker[0], append(config.Worker[1:], fmt.Sprint(segments))...)
			})
		}},
		{Name: "ffmpeg", Detail: "ffmpeg -c copy -f hls -hls_segment_type fmp4 of the same files; nothing is synced", Run: func(ctx context.Context) (float64, error) {
			return perSecond(in, config, func(segments int) (time.Duration, error) { return in.copyWithFFmpeg(ctx, dir, segments) })
		}},
	})
	if err != nil {
		return contest.Report{}, err
	}
	for name, measure := range map[string]func(context.Context, *input, Config, string, map[string]float64) error{
		"kill": kill, "open": reopen, "load": load,
	} {
		if err := measure(ctx, in, config, filepath.Join(dir, name), figures); err != nil {
			return contest.Report{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return contest.Report{
		Benchmark: Name, Time: time.Now().UTC(), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version(), "ffmpeg": contest.Version(ctx, "ffmpeg", "-version")},
		Work: fmt.Sprintf("4 rungs and sound, 10 Mb/s; goals: at most 1.1 x ffmpeg's CPU, 0 parts lost in %d kills, reopening 6 h <= 50 ms, bytes written / media <= 1.02, p99 of a part's commit <= 20 ms with %d channels and %d readers",
			config.Kills, config.Channels, config.Readers),
		Unit: "ms CPU per second of media", Sides: sides, Figures: figures,
	}, nil
}

func perSecond(in *input, config Config, run func(segments int) (time.Duration, error)) (float64, error) {
	perSegment, err := contest.PerFrame(config.Short, config.Long, run)
	return perSegment / in.layout.Grid.SegmentDuration().Seconds(), err
}

// input is a store with as many segments as the longest run takes, and the same
// as plain files, one a rendition.
type input struct {
	folder string
	layout record.Layout
	first  int64 // segment
}

func rungs() []footage.Rung {
	return []footage.Rung{
		{ID: "v1080", Width: 1920, Height: 1080, Bitrate: 6_000_000}, {ID: "v720", Width: 1280, Height: 720, Bitrate: 2_600_000},
		{ID: "v480", Width: 854, Height: 480, Bitrate: 900_000}, {ID: "v240", Width: 426, Height: 240, Bitrate: 350_000},
	}
}

const (
	inputRate  = "30"
	inputFirst = 560_000_000 // segment
)

// prepare makes the input where it is not there yet.
func prepare(ctx context.Context, folder string, segments int) (*input, error) {
	dir := filepath.Join(folder, fmt.Sprintf("%s-%d", Name, segments))
	if _, err := os.Stat(dir); err != nil {
		if err := makeInput(ctx, dir, segments); err != nil {
			return nil, fmt.Errorf("make input: %w", err)
		}
	}
	return openInput(dir)
}

func openInput(dir string) (*input, error) {
	store, err := record.OpenReadOnly(record.Config{Dirs: []string{filepath.Join(dir, "store")}})
	if err != nil {
		return nil, fmt.Errorf("open input: %w", err)
	}
	edge := store.Edge()
	in := &input{folder: dir, layout: *edge.Layout, first: edge.Listing(edge.Layout.Renditions[0].ID).First()}
	return in, store.Close()
}

func makeInput(ctx context.Context, dir string, segments int) error {
	loop, err := footage.New(footage.Config{Rate: inputRate, Rungs: rungs(), AudioBitrate: 128_000, Grain: 60})
	if err != nil {
		return err
	}
	making := dir + ".making"
	if err := os.RemoveAll(making); err != nil {
		return err
	}
	for _, sub := range []string{"store", "files"} {
		if err := os.MkdirAll(filepath.Join(making, sub), 0o755); err != nil {
			return err
		}
	}
	err = withStore(ctx, record.Config{Dirs: []string{filepath.Join(making, "store")}}, func(ctx context.Context, store *record.Store) error {
		if err := store.SetLayout(loop.Layout()); err != nil {
			return err
		}
		if err := loop.Fill(ctx, store, inputFirst, inputFirst+int64(segments)); err != nil {
			return err
		}
		_, err := record.Export(ctx, store, filepath.Join(making, "files"))
		return err
	})
	if err != nil {
		return err
	}
	return os.Rename(making, dir)
}

func (in *input) file(rendition string) string {
	return filepath.Join(in.folder, "files", rendition+".mp4")
}

// copyWithFFmpeg is the peer: one process that cuts the same files into segments.
func (in *input) copyWithFFmpeg(ctx context.Context, dir string, segments int) (time.Duration, error) {
	out, err := os.MkdirTemp(dir, "ffmpeg-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(out)
	seconds := fmt.Sprintf("%.3f", float64(segments)*in.layout.Grid.SegmentDuration().Seconds())
	arguments := strings.Fields("-hide_banner -loglevel error -nostdin -y")
	for _, r := range in.layout.Renditions {
		arguments = append(arguments, "-i", in.file(r.ID))
	}
	for i, r := range in.layout.Renditions {
		arguments = append(arguments, "-map", fmt.Sprint(i), "-c", "copy", "-t", seconds, "-f", "hls", "-hls_segment_type", "fmp4",
			"-hls_time", "3.2", "-hls_list_size", "0", "-hls_fmp4_init_filename", r.ID+"-init.mp4",
			"-hls_segment_filename", filepath.Join(out, r.ID+"-%d.m4s"), filepath.Join(out, r.ID+".m3u8"))
	}
	return contest.CPU(ctx, "ffmpeg", arguments...)
}
