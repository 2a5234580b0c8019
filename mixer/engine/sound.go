package engine

import (
	"slices"
	"time"

	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// soundDesk sums the sources of each tick and encodes the sum, and for each
// source that asks the sum of the others. Owned by the tick.
type soundDesk struct {
	rate    media.Rate
	matrix  audio.Matrix
	program []*soundRung // AAC and Opus of one sound
	limiter *audio.Limiter
	leveler *audio.Leveler
	level   float32 // of the program at the end of the last tick: what a fade to black left of it
	returns returns
}

// newSoundDesk is for the renditions of sound in Ready.
func newSoundDesk(show worker.Show, ready worker.Ready, config Config) soundDesk {
	d := soundDesk{rate: show.Canvas.Rate, level: 1, limiter: audio.NewLimiter(audio.DefaultCeiling), leveler: audio.NewLeveler(), returns: newReturns(show, ready, config)}
	for i, sound := range soundsOf(show) {
		stream := firstSound(ready) + i
		d.program = append(d.program, &soundRung{
			sound: sound, stream: stream, track: ready.Renditions[stream].Track, emit: config.Emit,
		})
	}
	return d
}

// open begins the renditions with the first access units that belong to frame.
func (d *soundDesk) open(frame int64) error {
	for _, r := range d.program {
		if err := r.open(d.rate, frame); err != nil {
			return err
		}
	}
	return d.returns.open(frame)
}

// tick mixes, measures and encodes exactly the samples of frame n, which hear gets
// before they are encoded.
func (d *soundDesk) tick(n int64, desk *desk, meter *audio.Meter, hear func(audio.Block)) error {
	from, to := d.rate.Samples(n, audio.Hz), d.rate.Samples(n+1, audio.Hz)
	d.matrix.Reset(int(to-from), len(d.returns.list))
	soloed := slices.ContainsFunc(desk.show.Sources, func(s worker.Source) bool { return s.Audio.Solo })
	mix := func(id string, made float32) {
		s, bus := desk.sources[id], d.matrix.Bus()
		if i := d.returns.index(id); i >= 0 {
			bus = d.matrix.Part(i)
		}
		s.voice.Mix(bus, s.sound(), from+audio.Lookahead-s.delay(), s.strip(desk.onAir[id], soloed).Times(made))
	}
	for _, config := range desk.show.Sources {
		if config.Audio.Duck == nil {
			mix(config.ID, 1)
		}
	}
	for _, config := range desk.show.Sources { // by those that were just heard
		if duck := config.Audio.Duck; duck != nil {
			mix(config.ID, desk.sources[config.ID].duck(duck, desk.sources, d.rate.Interval()))
		}
	}
	d.matrix.Sum()
	bus, level := d.matrix.Bus(), float32(1-desk.black.at(n))*master(desk.show.Master)
	d.leveler.Aim(desk.show.Loudness.TargetLUFS)
	d.leveler.Process(bus)
	bus.Ramp(d.level, level)
	d.level = level
	d.limiter.Aim(desk.show.Loudness.Ceiling())
	d.limiter.Process(bus)
	meter.Write(bus)
	hear(bus)
	for _, r := range d.program {
		if err := r.write(bus); err != nil {
			return err
		}
	}
	return d.returns.write(&d.matrix)
}

// master is the factor of the sum.
func master(settings worker.Master) float32 {
	if settings.Mute {
		return 0
	}
	return audio.Gain(settings.GainDB)
}

// duck is what a source leaves of itself for the others that are heard.
func (s *source) duck(by *worker.Duck, sources map[string]*source, length time.Duration) float32 {
	peak := float32(0)
	for _, key := range by.Keys {
		if other := sources[key]; other != nil && other != s {
			peak = max(peak, other.voice.Heard())
		}
	}
	return s.ducker.Gain(audio.Ducking{
		ThresholdDB: by.ThresholdDB, Ratio: by.Ratio,
		Attack: time.Duration(by.AttackMs) * time.Millisecond, Release: time.Duration(by.ReleaseMs) * time.Millisecond,
	}, peak, length)
}

func (d *soundDesk) close() {
	for _, r := range d.program {
		r.close()
	}
	d.returns.close()
}
