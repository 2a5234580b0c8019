package clip

import (
	"errors"
	"io"
	"reflect"
	"time"

	"millrace/internal/media"
	"millrace/internal/mpegts"
)

const (
	probeBytes = 8 << 20 // of a transport stream, in which its first picture must be
	chunkBytes = 64 << 10
	leap       = 2 * time.Second // a longer step between access units is none of the stream's
)

// transport reads an MPEG transport stream from its beginning to its end. Its
// clock begins with its first key frame, or first sound where it has no pictures.
type transport struct {
	file    File
	demuxer *mpegts.Demuxer
	read    int64 // bytes since the beginning
	ended   bool
	ready   []Sample // of the newest piece
	tracks  map[string]*media.Track

	video  bool
	origin time.Duration // on the stream's clock
	shift  time.Duration // of this pass, where streams were joined
	last   time.Duration // DTS of the access unit before
	reach  reach         // of this pass
	length time.Duration // of the last whole pass
	rate   media.Rate
	buffer []byte
}

// reach is how far the track that counts got.
type reach struct {
	count       int
	first, last time.Duration // the least and the greatest PTS
}

func (r *reach) add(pts time.Duration) {
	if r.count == 0 || pts < r.first {
		r.first = pts
	}
	if r.count == 0 || pts > r.last {
		r.last = pts
	}
	r.count++
}

// end is one step behind the last.
func (r *reach) end() time.Duration {
	if r.count < 2 {
		return r.last
	}
	return r.last + (r.last-r.first)/time.Duration(r.count-1)
}

func openTransport(file File) (Reader, error) {
	t := &transport{file: file, tracks: map[string]*media.Track{}, buffer: make([]byte, chunkBytes)}
	if err := t.Rewind(); err != nil {
		return nil, err
	}
	if err := t.probe(); err != nil {
		return nil, err
	}
	return t, t.Rewind()
}

// probe looks for what the clip begins with.
func (t *transport) probe() error {
	var sound *Sample
	for t.read < probeBytes && !t.ended {
		if err := t.fill(); err != nil {
			return err
		}
		for _, s := range t.ready {
			switch {
			case s.Track.Kind == media.Video && s.Key:
				t.video, t.origin, t.rate = true, s.PTS, s.Track.Rate
				return nil
			case s.Track.Kind == media.Audio && sound == nil:
				sound = &s
			}
		}
		t.ready = t.ready[:0]
	}
	if sound == nil {
		return unusable("its first %d MB have neither a key frame nor sound that can be read", probeBytes>>20)
	}
	t.origin = sound.PTS
	return nil
}

// fill reads one piece of the file.
func (t *transport) fill() (err error) {
	defer guard(&err)
	n, err := t.file.Read(t.buffer)
	t.read += int64(n)
	t.demuxer.Write(t.buffer[:n])
	if errors.Is(err, io.EOF) {
		t.ended = true
		t.demuxer.Flush()
		return nil
	}
	if err != nil {
		return unusable("read it: %w", err)
	}
	return nil
}

// take is the demuxer's emit. A track that is the same in every pass is the same
// pointer.
func (t *transport) take(track *media.Track, pts, dts time.Duration, key bool, data []byte) {
	if known := t.tracks[track.ID]; known != nil && reflect.DeepEqual(known, track) {
		track = known
	} else {
		t.tracks[track.ID] = track
	}
	t.ready = append(t.ready, Sample{Track: track, PTS: pts, DTS: dts, Key: key, Data: data, Duration: lasting(track)})
}

// lasting is how long an access unit of sound is, where the format says so.
func lasting(track *media.Track) time.Duration {
	samples := map[media.Codec]int64{media.AAC: 1024, media.AACLATM: 1024, media.MP2: 1152, media.AC3: 1536, media.EAC3: 1536}[track.Codec]
	if samples == 0 || track.SampleRate <= 0 {
		return 0
	}
	return time.Duration(media.TimeOfTicks(samples, int64(track.SampleRate)))
}

// Next implements Reader.
func (t *transport) Next() (Sample, error) {
	for {
		for len(t.ready) == 0 {
			if t.ended {
				t.length = t.reach.end()
				return Sample{}, io.EOF
			}
			if err := t.fill(); err != nil {
				return Sample{}, err
			}
		}
		s := t.ready[0]
		t.ready = t.ready[1:]
		t.level(&s)
		if s.PTS < 0 || t.video && s.Track.Kind == media.Video && t.reach.count == 0 && !s.Key {
			continue
		}
		if counts := s.Track.Kind == media.Video; counts == t.video {
			t.reach.add(s.PTS)
		}
		return s, nil
	}
}

// level brings an access unit to the clip's clock, and makes up for a leap of the
// stream's.
func (t *transport) level(s *Sample) {
	s.PTS, s.DTS = s.PTS-t.origin+t.shift, s.DTS-t.origin+t.shift
	if step := s.DTS - t.last; step.Abs() > leap {
		t.shift -= step
		s.PTS, s.DTS = s.PTS-step, s.DTS-step
	}
	t.last = s.DTS
}

// Rewind implements Reader.
func (t *transport) Rewind() error {
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return unusable("read it: %w", err)
	}
	t.demuxer, t.read, t.ended, t.ready, t.reach = mpegts.NewDemuxer(t.take), 0, false, nil, reach{}
	t.shift, t.last = 0, 0
	return nil
}

// Length implements Reader.
func (t *transport) Length() time.Duration { return t.length }

// Rate implements Reader.
func (t *transport) Rate() media.Rate { return t.rate }

// Close implements Reader.
func (t *transport) Close() error { return t.file.Close() }
