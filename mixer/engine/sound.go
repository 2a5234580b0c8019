package engine

import (
	"time"

	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// soundDesk sums the sources of each tick and encodes the sum. Owned by the
// tick.
type soundDesk struct {
	index   int // of the rendition
	rate    media.Rate
	track   *media.Track
	encoder *audio.Encoder
	limiter audio.Limiter
	bus     audio.Block
	emit    func(rendition int, p *media.Packet)
}

// open begins the rendition with the first access unit that belongs to frame.
func (d *soundDesk) open(show worker.Show, frame int64) (err error) {
	first := worker.FirstAccessUnit(d.rate, frame)
	d.encoder, err = audio.NewEncoder(show.AudioID, audio.AAC(show.AudioBitrate), first, d.rate.Samples(frame, audio.Hz))
	return err
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
	return d.encoder.Write(bus, d.out)
}

func (d *soundDesk) out(i int64, data []byte) {
	pts := worker.AccessUnitTime(i)
	d.emit(d.index, &media.Packet{
		Track: d.track, PTS: pts, DTS: pts, Duration: audio.AACUnit * time.Second / audio.Hz, Key: true, Data: data,
	})
}

func (d *soundDesk) close() {
	if d.encoder != nil {
		d.encoder.Close()
		d.encoder = nil
	}
}
