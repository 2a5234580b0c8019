package mpegts

import (
	"bytes"
	"time"

	"millrace/internal/media"
)

// frame is one audio frame at the beginning of a buffer.
type frame struct {
	size    int    // bytes in the stream, its header included
	data    []byte // the access unit; empty: nothing to hear
	samples int    // it lasts
	format  format
}

// format is what makes an audio track.
type format struct {
	codec    media.Codec
	mime     string
	config   string
	rate     int // Hz
	channels int
}

// framer cuts a self-framing audio stream into its frames, which need not
// begin where PES packets do.
type framer struct {
	stream *stream
	sync   byte // the first byte of every frame
	// next reads the frame at the beginning of a buffer: size 0 and ok asks
	// for more bytes, !ok says that no frame begins there.
	next func(p []byte) (f frame, ok bool)

	rest   []byte // the beginning of a frame
	locked bool   // a frame begins where the last one ended
	marks  []mark // timestamps not used yet, by position in rest
	track  *media.Track
	format format

	base    time.Duration // source time of the last timestamp
	samples int64         // since base
	known   bool          // base is meaningful
}

// mark is a PTS: that of the first frame that begins at or after a position
// (ISO/IEC 13818-1 §2.4.3.7).
type mark struct {
	at  int
	pts int64
}

func (p *framer) kind() media.Kind { return media.Audio }

func (p *framer) reset() {
	p.rest = p.rest[:0]
	p.marks = p.marks[:0]
	p.locked = false
}

func (p *framer) parse(u unit) {
	if u.timed {
		p.marks = append(p.marks, mark{len(p.rest), u.pts})
	}
	p.rest = append(p.rest, u.data...)
	at := 0
	for at < len(p.rest) {
		f, ok := p.next(p.rest[at:])
		if ok && (f.size == 0 || f.size > len(p.rest)-at) {
			break
		}
		if !ok || !p.locked && !p.followed(at+f.size) {
			p.locked = false
			at = p.search(at + 1)
			continue
		}
		p.locked = true
		for len(p.marks) > 0 && p.marks[0].at <= at {
			p.base, p.samples, p.known = duration(p.marks[0].pts), 0, true
			p.marks = p.marks[1:]
		}
		p.emit(f)
		at += f.size
	}
	p.rest = append(p.rest[:0], p.rest[at:]...)
	for i := range p.marks {
		p.marks[i].at = max(0, p.marks[i].at-at)
	}
	if len(p.rest) > audioLimit/8 || len(p.marks) > 64 {
		p.reset()
	}
}

// followed guards against a header that only looks like one: what ends at the
// position is a frame if another begins there, or nothing more has come.
func (p *framer) followed(at int) bool {
	if at == len(p.rest) {
		return true
	}
	_, ok := p.next(p.rest[at:])
	return ok
}

// search is where the next frame may begin, from a position on.
func (p *framer) search(from int) int {
	next := bytes.IndexByte(p.rest[from:], p.sync)
	if next < 0 {
		return len(p.rest)
	}
	return from + next
}

func (p *framer) emit(f frame) {
	if !p.known || f.format.rate == 0 {
		return
	}
	if p.track == nil || p.format != f.format {
		if p.track != nil {
			p.base, p.samples = p.now(), 0
		}
		p.format = f.format
		p.track = f.format.track(p.stream)
	}
	at := p.now()
	p.samples += int64(f.samples)
	if len(f.data) > 0 {
		p.stream.demuxer.emit(p.track, at, at, true, bytes.Clone(f.data))
	}
}

// now is when the next frame begins.
func (p *framer) now() time.Duration {
	if p.samples == 0 {
		return p.base
	}
	return p.base + time.Duration(p.samples*int64(time.Second)/int64(p.format.rate))
}

func (f format) track(s *stream) *media.Track {
	track := &media.Track{
		ID:         s.trackID(),
		Kind:       media.Audio,
		Codec:      f.codec,
		MIME:       f.mime,
		SampleRate: f.rate,
		Channels:   f.channels,
	}
	if f.config != "" {
		track.Config = []byte(f.config)
	}
	return track
}
