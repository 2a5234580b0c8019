package engine

import (
	"math"
	"sync/atomic"
	"time"

	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// meterInterval is how often meters are read: 20 times a second.
const meterInterval = 50 * time.Millisecond

// metering measures the program always, because its loudness is asked for since
// the start, and the sources while somebody watches. Owned by the tick, but for
// watched.
type metering struct {
	watched atomic.Bool
	program audio.Meter
	slot    media.Time // of the newest reading, in meterInterval
	out     chan worker.Meters
}

// Watch says what the server wants to see. It may be called from any goroutine.
func (e *Engine) Watch(w worker.Watch) {
	e.metering.watched.Store(w.Meters)
	if e.view != nil {
		e.view.wanted.Store(true) // it begins with an IDR
		e.view.watched.Store(w.Multiview)
	}
}

// follow gives each source a meter, or takes it.
func (m *metering) follow(sources map[string]*source) {
	watched := m.watched.Load()
	for _, s := range sources {
		switch {
		case !watched:
			s.voice.Meter = nil
		case s.voice.Meter == nil:
			s.voice.Meter = &audio.Meter{}
		}
	}
}

// read sends the meters when it is time. Who is slow gets the newest.
func (m *metering) read(n int64, t media.Time, sources map[string]*source) {
	slot := t / media.Time(meterInterval)
	if slot == m.slot || !m.watched.Load() {
		return
	}
	m.slot = slot
	meters := worker.Meters{Frame: n, Program: levelOf(m.program.Take()), Sources: make(map[string]worker.Level, len(sources))}
	for id, s := range sources {
		if s.voice.Meter != nil {
			meters.Sources[id] = levelOf(s.voice.Meter.Take())
		}
	}
	offer(m.out, meters)
}

// offer puts v into a channel of capacity 1, in place of an older one.
func offer[T any](c chan T, v T) {
	for {
		select {
		case c <- v:
			return
		default:
		}
		select {
		case <-c:
		default:
		}
	}
}

func levelOf(r audio.Reading) worker.Level {
	tenth := func(db float64) float64 { return math.Round(10*db) / 10 }
	return worker.Level{
		Peak: [2]float64{tenth(r.Peak[0]), tenth(r.Peak[1])}, RMS: [2]float64{tenth(r.RMS[0]), tenth(r.RMS[1])},
		TruePeak: tenth(r.TruePeak), Momentary: tenth(r.Momentary), ShortTerm: tenth(r.ShortTerm), Integrated: tenth(r.Integrated),
	}
}
