package engine

import (
	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// soundDesk sums the sources of each tick and encodes the sum. Owned by the
// tick.
type soundDesk struct {
	rate    media.Rate
	program []*soundRung // AAC and Opus of one sound
	limiter audio.Limiter
	bus     audio.Block
}

// newSoundDesk is for the renditions of sound among those of Ready.
func newSoundDesk(show worker.Show, renditions []worker.Rendition, emit func(int, *media.Packet)) soundDesk {
	d := soundDesk{rate: show.Canvas.Rate}
	for i, sound := range soundsOf(show) {
		stream := len(show.Ladder) + i
		d.program = append(d.program, &soundRung{sound: sound, stream: stream, track: renditions[stream].Track, emit: emit})
	}
	return d
}

// open begins the renditions with the first access unit that belongs to frame.
func (d *soundDesk) open(frame int64) error {
	for _, r := range d.program {
		if err := r.open(d.rate, frame); err != nil {
			return err
		}
	}
	return nil
}

// tick mixes and encodes exactly the samples of frame n.
func (d *soundDesk) tick(n int64, desk *desk) error {
	from, to := d.rate.Samples(n, audio.Hz), d.rate.Samples(n+1, audio.Hz)
	length := int(to - from)
	if d.bus.Len() < length {
		d.bus = audio.NewBlock(length)
	}
	bus := d.bus.Slice(0, length)
	bus.Clear()
	for id, s := range desk.sources {
		s.voice.Mix(bus, s.sound(), from-s.delay(), s.level(desk.onAir[id]))
	}
	d.limiter.Process(bus)
	for _, r := range d.program {
		if err := r.write(bus); err != nil {
			return err
		}
	}
	return nil
}

func (d *soundDesk) close() {
	for _, r := range d.program {
		r.close()
	}
}
