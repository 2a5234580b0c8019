package engine

import (
	"math"
	"sync"
	"time"

	"millrace/internal/delay"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// account is what the engine knows about its own work. The tick owns it,
// except where noted.
type account struct {
	next     int64 // the tick that comes or goes on
	repeated uint64
	decode   meter
	compose  meter
	audio    meter
	composed delay.Window // from a tick being due to its picture being composed

	lateness lateness
	states   map[string]worker.SourceState // as last reported
	reported media.Time
	moving   bool               // a transition or a fade was under way, as last reported
	reports  chan worker.Report // the newest one that was not taken
}

// lateness counts the ticks that were complete after the next was due. Rungs
// call it concurrently.
type lateness struct {
	mu     sync.Mutex
	newest int64 // frame counted last
	count  uint64
}

func (l *lateness) add(frame int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if frame > l.newest {
		l.newest = frame
		l.count++
	}
}

func (l *lateness) total() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// finished hears of every frame that a rung gave out.
func (e *Engine) finished(r *rung, frame int64) {
	now := e.config.Clock.Now()
	r.out.Add(now, now.Sub(e.rate.At(frame)))
	if now >= e.rate.At(frame+1) {
		e.state.lateness.add(frame)
	}
}

// account reports once a second of the timeline and when a source changed.
func (e *Engine) account(n int64) {
	if e.config.Report == nil {
		return
	}
	t := e.rate.At(n)
	moving := e.desk.stage.from != nil || e.desk.black.moves(n)
	changed := len(e.state.states) != len(e.desk.sources) || moving != e.state.moving
	for id, s := range e.desk.sources {
		changed = changed || e.state.states[id] != s.report.State
	}
	if !changed && int64(t)/int64(time.Second) == int64(e.state.reported)/int64(time.Second) {
		return
	}
	e.state.reported, e.state.moving = t, moving
	e.state.states = make(map[string]worker.SourceState, len(e.desk.sources))
	for id, s := range e.desk.sources {
		e.state.states[id] = s.report.State
	}
	offer(e.state.reports, e.describe(n))
}

// describe is the engine's report after tick n.
func (e *Engine) describe(n int64) worker.Report {
	now := e.config.Clock.Now()
	report := worker.Report{
		Frame: n, Late: e.state.lateness.total(), Repeated: e.state.repeated,
		Program: e.desk.program, Preview: e.desk.preview, Transition: e.desk.progress(n), Black: e.desk.black.at(n),
		Sources:     make(map[string]worker.SourceReport, len(e.desk.sources)),
		Rungs:       make(map[string]delay.Spread, len(e.ladder.rungs)),
		Composed:    e.state.composed.Spread(now),
		Outstanding: e.config.Device.Outstanding(),
		Phases: worker.Phases{
			Interval: e.rate.Interval(),
			Decode:   e.state.decode.take(), Compose: e.state.compose.take(), Audio: e.state.audio.take(),
		},
	}
	for _, r := range e.ladder.rungs { // the slowest rung: they run side by side
		report.Repeated += r.repeated.Load()
		report.Rungs[r.track.ID] = r.out.Spread(now)
		phase := r.meter.take()
		report.Phases.Encode.Mean = max(report.Phases.Encode.Mean, phase.Mean)
		report.Phases.Encode.Max = max(report.Phases.Encode.Max, phase.Max)
	}
	for id, s := range e.desk.sources {
		described := s.report
		described.PeakDB = decibels(s.voice.TakePeak())
		if s.input != nil {
			described.Way = s.input.way.report(now)
		}
		report.Sources[id] = described
	}
	return report
}

// decibels is a level in dBFS, -120 for silence.
func decibels(level float32) float64 {
	return max(20*math.Log10(float64(level)), -120)
}

// each calls a function with all that comes out of a channel.
func each[T any](from <-chan T, to func(T)) {
	for v := range from {
		if to != nil {
			to(v)
		}
	}
}
