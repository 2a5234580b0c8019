package onair

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"millrace/benchmarks/contest"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// SpamName of the benchmark of many takes.
const SpamName = "cut-spam"

// Config says how long is measured.
type Config struct {
	Contest contest.Config
	Length  time.Duration
}

// RunSpam takes four times a second while a publisher comes and goes every second.
func RunSpam(ctx context.Context, config Config) (contest.Report, error) {
	camera, err := shoot(ctx, 0)
	if err != nil {
		return contest.Report{}, err
	}
	figures := map[string]float64{}
	side := contest.Side{
		Name: "millrace", Detail: "4 built-in 720p sources and one of 360p, 720p canvas, 720/480/240; cut, fade and wipe 6:2:2; 95 % in ms",
		Run: func(ctx context.Context) (float64, error) {
			var delays []time.Duration
			o, err := perform(ctx, spamShow(), config.Length, func(ctx context.Context, s *stage) { delays = s.spam(ctx, camera) })
			o.figures(figures)
			figures["takes"] += float64(len(delays))
			return percentile(delays, 95), problem(SpamName, err)
		},
	}
	sides, err := contest.Run(ctx, config.Contest, []contest.Side{side})
	return contest.Report{
		Benchmark: SpamName, Time: time.Now().UTC().Truncate(time.Second), Commit: contest.Commit(ctx), Machine: contest.Here(),
		Versions: map[string]string{"go": runtime.Version()},
		Work: fmt.Sprintf("%v of 4 takes a second, a publisher that joins and leaves each second; goal: 0 missing frames, late ticks and repeats, a take's first frame encoded within 2 frames + 20 ms = %.0f ms",
			config.Length, 2000.0/fps+20),
		Unit: "ms", Sides: sides, Figures: figures,
	}, err
}

func spamShow() worker.Show {
	var sources []worker.Source
	grid := scene.Scene{ID: "grid", Layout: "grid-4"}
	for i := range 4 {
		id := fmt.Sprintf("test%d", i+1)
		sources = append(sources, worker.Source{ID: id, Kind: worker.Test, Test: &worker.TestPattern{Pattern: i, ToneHz: 440 + 110*i}})
		grid.Slots = append(grid.Slots, id)
	}
	sources = append(sources, worker.Source{ID: "cam", Kind: worker.Push, HoldMs: 2000})
	return show(sources, []scene.Scene{
		grid, {ID: "solo", Layout: "solo", Slots: []string{"test1"}}, {ID: "inset", Layout: "pip-br", Slots: []string{"test2", "cam"}},
		{ID: "pair", Layout: "two-up", Slots: []string{"cam", "test3"}},
	})
}

// take is a command and the frame on which it took effect.
type take struct {
	at    time.Time
	frame int64
}

// spam operates the show until the context ends and gives, of every take, how long
// it was until its first frame was encoded.
func (s *stage) spam(ctx context.Context, camera film) (delays []time.Duration) {
	var takes []take
	var hand sync.WaitGroup
	hand.Go(func() { takes = s.takes(ctx) })
	s.each(ctx, func(n int64) {
		tick := n - s.first
		if second := tick / fps; second%2 == 0 { // there for a second, away for one
			camera.send(s, "cam", s.first+second*fps, n)
		} else if tick%fps == 0 {
			s.engine.Gone("cam")
		}
	})
	hand.Wait()
	for _, take := range takes {
		if out, made := s.when(take.frame); made {
			delays = append(delays, out.Sub(take.at))
		}
	}
	return delays
}

// takes puts one scene after the other on air, four times a second on average, at
// any time between two ticks.
func (s *stage) takes(ctx context.Context) (taken []take) {
	kinds := []scene.TransitionType{
		scene.Cut, scene.Cut, scene.Mix, scene.Cut, scene.WipeRight, scene.Cut, scene.Cut, scene.Mix, scene.Cut, scene.WipeUp,
	}
	scenes, rnd := spamShow().Scenes, rand.New(rand.NewPCG(1, 2))
	acks := make(chan worker.Ack, 1)
	if s.clock.SleepUntil(ctx, rate().At(s.first+fps)) != nil { // the engine is warm
		return nil
	}
	for n := 0; ; n++ {
		pause := time.NewTimer(200*time.Millisecond + time.Duration(rnd.Int64N(int64(100*time.Millisecond))))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return taken
		}
		to, at := scenes[n%len(scenes)].ID, time.Now()
		s.engine.Do(worker.Command{Cut: &to, With: &scene.Transition{Type: kinds[n%10], DurationMs: 200}}, func(ack worker.Ack) { acks <- ack })
		select {
		case ack := <-acks:
			taken = append(taken, take{at, ack.Frame})
		case <-ctx.Done():
			return taken
		}
	}
}
