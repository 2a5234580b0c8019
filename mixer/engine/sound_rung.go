package engine

import (
	"fmt"
	"time"

	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// sound is a rendition of sound as it is asked for.
type sound struct {
	id     string
	format audio.Format
}

// soundsOf are the renditions of the program's sound, in the order of Ready.
func soundsOf(show worker.Show) []sound {
	return []sound{
		{show.AudioID, audio.AAC(show.AudioBitrate)},
		{worker.OpusID, audio.Opus(worker.OpusBitrate)},
	}
}

// describeSound describes a rendition of sound. Its encoder is opened with the
// first frame, because its first access unit follows from that.
func describeSound(s sound, filler bool) (worker.Rendition, error) {
	rendition := worker.Rendition{ID: s.id, Bitrate: s.format.Bitrate}
	encoder, err := audio.NewEncoder(s.id, s.format, 1, 0)
	if err != nil {
		return rendition, fmt.Errorf("open rendition %q: %w", s.id, err)
	}
	defer encoder.Close()
	rendition.Track = encoder.Track()
	if filler {
		silence, err := audio.Silence(s.format)
		if err != nil {
			return rendition, fmt.Errorf("make silence of rendition %q: %w", s.id, err)
		}
		rendition.Filler = []worker.Filler{{silence}}
	}
	return rendition, nil
}

// soundRung encodes one rendition of sound, within the tick.
type soundRung struct {
	sound
	stream  int          // number of the rendition
	track   *media.Track // as Ready describes it
	encoder *audio.Encoder
	emit    func(rendition int, p *media.Packet)
}

// open begins with the first access unit that belongs to frame.
func (r *soundRung) open(rate media.Rate, frame int64) (err error) {
	r.encoder, err = audio.NewEncoder(r.id, r.format, r.first(rate, frame), rate.Samples(frame, audio.Hz))
	if err != nil {
		return fmt.Errorf("open rendition %q: %w", r.id, err)
	}
	return nil
}

func (r *soundRung) grid() worker.AudioGrid { return worker.AudioGrid(r.format.Unit) }

// first is the access unit that open begins with.
func (r *soundRung) first(rate media.Rate, frame int64) int64 { return r.grid().First(rate, frame) }

// write takes the samples of the next tick.
func (r *soundRung) write(samples audio.Block) error {
	if err := r.encoder.Write(samples, r.out); err != nil {
		return fmt.Errorf("encode rendition %q: %w", r.id, err)
	}
	return nil
}

func (r *soundRung) out(i int64, data []byte) {
	pts := r.grid().At(i)
	r.emit(r.stream, &media.Packet{
		Track: r.track, PTS: pts, DTS: pts, Duration: time.Duration(r.grid()) * time.Second / audio.Hz, Key: true, Data: data,
	})
}

func (r *soundRung) close() {
	if r.encoder != nil {
		r.encoder.Close()
		r.encoder = nil
	}
}
