// Package whepfan measures what it costs to send one stream to many viewers by
// WebRTC: ours beside a fan-out of plain pion, which is the library below both.
package whepfan

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"millrace/benchmarks/contest"
)

// Name of the benchmark.
const Name = "whep-fan"

// What is sent.
const (
	bitrate   = 4_000_000 // bits per second
	rate      = 30        // frames a second
	gopFrames = 48
	keySize   = 5 // times as large as other frames
)

// Config says how much is measured.
type Config struct {
	Contest contest.Config
	Worker  []string // command and arguments that begin Serve in a process of its own
	Viewers int
	Length  time.Duration // of one measurement
}

// Run measures both sides in turn. The cost is that of the sending process.
func Run(ctx context.Context, config Config) (contest.Report, error) {
	figures := map[string]float64{"viewers": float64(config.Viewers)}
	side := func(name, detail string) contest.Side {
		return contest.Side{Name: name, Detail: detail, Run: func(ctx context.Context) (float64, error) {
			cost, err := measure(ctx, config, name, "")
			if err != nil {
				return 0, err
			}
			figures[name+" packets/s"] = cost.Packets / config.Length.Seconds()
			return cost.CPU * 1e6 / cost.Packets, nil
		}}
	}
	sides, err := contest.Run(ctx, config.Contest, []contest.Side{
		side(ours, "output/whep: payloads made once, each viewer paced, its packets handed to the kernel together (UDP_SEGMENT)"),
		side(plain, "one TrackLocalStaticRTP with all viewers, pion's default interceptors, one UDP port"),
	})
	if err != nil {
		return contest.Report{}, err
	}
	if err := profileOurs(ctx, config, figures); err != nil {
		return contest.Report{}, err
	}
	return contest.Report{
		Benchmark: Name, Time: time.Now().UTC(), Commit: contest.Commit(ctx), Machine: contest.Here(), Versions: versions(),
		Work: fmt.Sprintf("one stream of %d Mb/s to %d viewers on loopback, %v a round; MediaMTX was not to be had", bitrate/1_000_000, config.Viewers, config.Length),
		Unit: "µs of CPU of the sending process per packet delivered", Sides: sides, Figures: figures,
	}, nil
}

func versions() map[string]string {
	found := map[string]string{"go": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			switch module.Path {
			case "github.com/pion/webrtc/v4", "github.com/pion/srtp/v3", "github.com/pion/ice/v4":
				found[filepath.Base(filepath.Dir(module.Path))] = module.Version
			}
		}
	}
	return found
}

// profileOurs says where our CPU goes, in shares of it.
func profileOurs(ctx context.Context, config Config, figures map[string]float64) error {
	dir, err := os.MkdirTemp("", "millrace-whep-fan-")
	if err != nil {
		return fmt.Errorf("make folder for the profile: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cpu.prof")
	if _, err := measure(ctx, config, ours, path); err != nil {
		return err
	}
	shares, err := sharesOf(ctx, path)
	if err != nil {
		return err
	}
	for name, share := range shares {
		figures["share of "+name] = share
	}
	return nil
}

// cost is what a sending process says of one measurement.
type cost struct {
	CPU     float64 // seconds, user and system
	Packets float64 // delivered
}

// measure starts a sending process and viewers in this one, and has the former
// measured once all are connected.
func measure(ctx context.Context, config Config, side, profile string) (cost, error) {
	var c cost
	s, err := start(ctx, config.Worker, side, profile)
	if err != nil {
		return c, err
	}
	defer s.stop()
	audience, err := seat(ctx, s.url, config.Viewers)
	if err != nil {
		return c, err
	}
	defer audience.leave()
	if err := s.say("begin"); err != nil {
		return c, err
	}
	before := audience.packets.Load()
	if err := wait(ctx, config.Length); err != nil {
		return c, err
	}
	if err := s.say("end"); err != nil {
		return c, err
	}
	c.Packets = float64(audience.packets.Load() - before)
	line, err := s.hear()
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(line), &c.CPU); err != nil {
		return c, fmt.Errorf("read the cost of %s: %w", side, err)
	}
	if c.Packets == 0 {
		return c, fmt.Errorf("measure %s: nothing was delivered", side)
	}
	return c, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
