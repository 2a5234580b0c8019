// Package onair measures the mixer at work: an engine in real time with encoded
// sources, while a show is operated.
package onair

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// What every show of these benchmarks is mixed at.
const (
	fps   = 30
	parts = 6                      // frames of a part
	lead  = 500 * time.Millisecond // from the engine being made to its first frame
)

func rate() media.Rate { return media.Rate{Num: fps, Den: 1} }

// show is a 720p channel with its ladder.
func show(sources []worker.Source, scenes []scene.Scene) worker.Show {
	rung := func(id string, width, height, bitrate int) worker.Rung {
		return worker.Rung{ID: id, Width: width, Height: height, Bitrate: bitrate, Codec: media.H264}
	}
	return worker.Show{
		Channel: "bench", Canvas: worker.Canvas{Width: 1280, Height: 720, Rate: rate()}, Sources: sources, Scenes: scenes, Program: scenes[0].ID,
		Ladder:  []worker.Rung{rung("v720", 1280, 720, 2_800_000), rung("v480", 854, 480, 1_400_000), rung("v240", 426, 240, 400_000)},
		AudioID: "audio", AudioBitrate: 128_000,
	}
}

// stage is an engine on air, with what it did.
type stage struct {
	engine *engine.Engine
	clock  *media.Clock
	first  int64 // frame

	mu     sync.Mutex
	out    map[int64]time.Time // when each frame of the first rung went out
	report worker.Report
}

// outcome is how a stage did.
type outcome struct {
	missing        int // frames of the first rung
	late, repeated float64
	cpu, wall      time.Duration
}

// perform runs a show for a length, with act beside it, which ends by its context.
func perform(ctx context.Context, show worker.Show, length time.Duration, act func(context.Context, *stage)) (o outcome, err error) {
	device, err := gpu.Open("cpu")
	if err != nil {
		return o, err
	}
	defer device.Close()
	s := &stage{clock: media.StartClock(), out: map[int64]time.Time{}}
	s.engine, err = engine.New(engine.Config{
		Show: show, Device: device, Clock: s.clock, GOPFrames: 8 * parts, Emit: s.emit, Report: s.hear,
		Announce: func(worker.Message) {}, Meters: func(worker.Meters) {}, Found: func(worker.Finding) {}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return o, err
	}
	defer s.engine.Close()
	s.first = rate().Index(s.clock.Now().Add(lead))
	running, stop := context.WithCancel(ctx)
	defer stop()
	over := time.AfterFunc(lead+length, stop)
	defer over.Stop()
	var both sync.WaitGroup
	both.Go(func() { act(running, s) })
	spent, began := used(), time.Now()
	err = s.engine.Run(running, s.first)
	o.cpu, o.wall = used()-spent, time.Since(began)
	both.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := s.first; n <= s.report.Frame; n++ {
		if _, made := s.out[n]; !made {
			o.missing++
		}
	}
	o.late, o.repeated = float64(s.report.Late), float64(s.report.Repeated)
	return o, err
}

func (s *stage) emit(rendition int, p *media.Packet) {
	if rendition != 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out[rate().Index(p.PTS)] = time.Now()
}

func (s *stage) hear(r worker.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report = r
}

// when gives the instant at which a frame went out.
func (s *stage) when(frame int64) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.out[frame]
	return at, ok
}

// used is the CPU time of this process.
func used() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// share is the CPU time of an outcome over that of two cores, percent.
func (o outcome) share() float64 { return 100 * float64(o.cpu) / float64(2*o.wall) }

func (o outcome) figures(into map[string]float64) {
	into["missingFrames"] += float64(o.missing)
	into["lateTicks"] += o.late
	into["repeatedFrames"] += o.repeated
	into["percentOfTwoCores"] = max(into["percentOfTwoCores"], o.share())
}

// problem words a stage that ended by itself.
func problem(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("run %s: %w", name, err)
}
