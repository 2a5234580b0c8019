package engine

import (
	"context"
	"log/slog"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// source is one source of the show on the tick's side: what it shows and
// sounds. Owned by the tick, which never waits for its decoders.
type source struct {
	config worker.Source
	input  *Input      // of a push source
	test   *testSource // of a test source; a still has neither
	slate  *gpu.Frame
	voice  *audio.Voice
	ducker audio.Ducker
	stop   context.CancelFunc // ends the input's Run; nil before it began

	composed media.Time // PTS of the newest picture that was composed

	// The present tick.
	frame  *gpu.Frame // owned when input is set; nil for the slate
	matte  *gpu.Frame // of a still that is clear in places; the board's
	shown  picture    // of which it is, when input is set
	report worker.SourceReport
	stale  *gpu.Frame // owned; the newest picture, however old, when somebody asked
	at     media.Time
}

func newSource(device gpu.Device, config worker.Source, rate media.Rate, clock *media.Clock, log *slog.Logger) (*source, error) {
	s := &source{config: config, voice: audio.NewVoice(0)}
	var err error
	if config.Kind == worker.Test {
		s.test, err = newTestSource(device, config, rate)
		s.report.State = worker.Live
		return s, err
	}
	s.slate, err = newSlate(device, title(config), absence(config.Kind))
	if config.Kind != worker.Still {
		s.input = NewInput(config.ID, device, rate, clock, log)
	}
	return s, err
}

// absence is what the slate of a source says.
func absence(kind worker.SourceKind) string {
	if kind == worker.Still {
		return "no picture"
	}
	return "no signal"
}

// keeps reports whether new settings leave the source itself as it is.
func (s *source) keeps(config worker.Source) bool {
	if s.config.Kind != config.Kind {
		return false
	}
	return config.Kind != worker.Test ||
		title(s.config) == title(config) && pointee(s.config.Test) == pointee(config.Test)
}

// update takes new settings that the source keeps itself under.
func (s *source) update(device gpu.Device, config worker.Source, log *slog.Logger) {
	if s.slate != nil && title(s.config) != title(config) {
		slate, err := newSlate(device, title(config), absence(config.Kind))
		if err != nil {
			log.Warn("slate keeps its old name", "source", config.ID, "err", err)
		} else {
			s.slate.Release()
			s.slate = slate
		}
	}
	s.config = config
}

func pointee[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// newest is the picture that came last, however old; nil before the first.
func (s *source) newest() *gpu.Frame {
	if s.stale == nil && s.input != nil {
		s.stale = s.input.pictures.at(s.at).Frame
	}
	return s.stale
}

// advance moves the source to tick n at t. A test source draws only for a
// tick that is composed with it.
func (s *source) advance(n int64, t media.Time, composed bool) {
	s.at = t
	if s.test != nil {
		if composed {
			s.frame = s.test.show(n)
			s.report.Frames++
			s.report.Width, s.report.Height = s.frame.Size.Width, s.frame.Size.Height
		}
		return
	}
	if s.input == nil {
		return // pose shows it
	}
	s.shown, s.report = s.input.show(t, time.Duration(s.config.HoldMs)*time.Millisecond)
	s.frame = s.shown.Frame
}

// pose gives a still its picture, nil while there is none.
func (s *source) pose(photo *drawing) {
	s.report = worker.SourceReport{State: worker.Lost, Slate: true}
	if photo == nil {
		return
	}
	s.frame, s.matte = photo.picture, photo.matte
	s.report = worker.SourceReport{State: worker.Live, Frames: 1, Width: s.frame.Size.Width, Height: s.frame.Size.Height}
}

// compose hears that the present picture was composed at now.
func (s *source) compose(now media.Time) {
	if s.input == nil || s.frame == nil || s.frame.PTS == s.composed {
		return
	}
	s.composed = s.frame.PTS
	s.input.way.composed(s.shown, now)
}

// done ends the tick for the source.
func (s *source) done() {
	if s.input != nil && s.frame != nil {
		s.frame.Release()
	}
	if s.stale != nil {
		s.stale.Release()
	}
	s.frame, s.matte, s.stale = nil, nil, nil
}

// sound is where the source's samples come from.
func (s *source) sound() audio.Source {
	switch {
	case s.test != nil:
		return s.test.tone
	case s.input != nil:
		return s.input.ring
	}
	return audio.Nothing{}
}

// strip is what the source has on the bus. onAir is how much of it is in the
// program, 0..1; soloed says that some source has solo.
func (s *source) strip(onAir float32, soloed bool) audio.Strip {
	settings := s.config.Audio
	heard := onAir
	switch settings.Mode {
	case worker.AudioOn:
		heard = 1
	case worker.AudioOff:
		heard = 0
	}
	if settings.Mute || soloed && !settings.Solo {
		heard = 0
	}
	return audio.NewStrip(settings.GainDB, settings.Pan, heard)
}

// delay is how much later than its pictures the source sounds, in samples.
func (s *source) delay() int64 { return int64(s.config.Audio.DelayMs) * audio.Hz / 1000 }

func (s *source) close() {
	s.done()
	if s.test != nil {
		s.test.close()
	}
	if s.slate != nil {
		s.slate.Release()
		s.slate = nil
	}
}

// end takes the source out of the show; its decoders stop by themselves.
func (s *source) end() {
	if s.stop != nil {
		s.stop()
	}
	s.close()
}
