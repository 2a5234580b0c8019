package clip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"millrace/ingest/codec"
	"millrace/internal/media"
)

// What a movie may have at most.
const (
	moovLimit   = 96 << 20 // bytes
	sampleLimit = 2 << 20  // of a track
	sampleBytes = 16 << 20 // of one
	boxLimit    = 4096     // at the top of a file
	longest     = 1e6      // seconds
)

// movie reads a progressive MP4 (ISO/IEC 14496-12) by its sample tables.
type movie struct {
	file   File
	tracks []*movieTrack // pictures first
}

// movieTrack is one track with its samples in the order of decoding.
type movieTrack struct {
	track   *media.Track
	nal     codec.NALTrack // where its samples are NAL units
	hz      int64          // ticks a second
	begin   int64          // ticks: what is shown first
	samples []movieSample
	next    int
}

type movieSample struct {
	offset   int64
	dts      int64 // ticks
	size     uint32
	duration uint32 // ticks
	shift    int32  // ticks from DTS to PTS
	key      bool
}

func openMovie(file File) (r Reader, err error) {
	defer guard(&err)
	moov, err := readMoov(file)
	if err != nil {
		return nil, err
	}
	if moov.Mvex != nil {
		return nil, unusable("it is a fragmented MP4; write it anew with ffmpeg -i IN -c copy OUT.mp4")
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, unusable("read it: %w", err)
	}
	m := &movie{file: file}
	var refused error
	for _, kind := range []media.Kind{media.Video, media.Audio} {
		for _, trak := range moov.Traks {
			track, err := newMovieTrack(trak, kind, moov.Mvhd, size)
			if track != nil {
				m.tracks = append(m.tracks, track)
				break
			}
			refused = errors.Join(refused, err)
		}
	}
	if len(m.tracks) == 0 {
		if refused == nil {
			refused = errors.New("it has no track of pictures or sound")
		}
		return nil, unusable("%w", refused)
	}
	m.align()
	return m, nil
}

// align makes the clip begin with its first picture.
func (m *movie) align() {
	first, found := int64(0), false
	t := m.tracks[0]
	for _, s := range t.samples {
		if pts := s.dts + int64(s.shift); pts >= t.begin && (!found || pts < first) {
			first, found = pts, true
		}
		if found && s.dts > first {
			break
		}
	}
	origin := t.time(first)
	for _, track := range m.tracks {
		track.begin += media.Time(origin).Ticks(track.hz)
	}
}

// readMoov finds the box at the top of the file and reads it whole.
func readMoov(file File) (*mp4.MoovBox, error) {
	at := int64(0)
	for range boxLimit {
		var head [16]byte
		n, err := file.ReadAt(head[:], at)
		if n < 8 {
			if errors.Is(err, io.EOF) {
				return nil, unusable("it has no moov box; it was cut off")
			}
			return nil, unusable("read it: %w", err)
		}
		size, header := int64(binary.BigEndian.Uint32(head[:])), int64(8)
		if size == 1 && n == len(head) {
			size, header = int64(binary.BigEndian.Uint64(head[8:])), 16
		}
		name := string(head[4:8])
		switch {
		case name == "moov" && size > moovLimit:
			return nil, unusable("its moov box has %d bytes; %d is the most", size, moovLimit)
		case name == "moov" && size >= header:
			return decodeMoov(io.NewSectionReader(file, at, size))
		case size < header || at > 1<<60-size:
			return nil, unusable("it has no moov box; it is damaged or was cut off")
		}
		at += size
	}
	return nil, unusable("it has more than %d boxes", boxLimit)
}

func decodeMoov(from *io.SectionReader) (*mp4.MoovBox, error) {
	text := make([]byte, from.Size())
	if _, err := io.ReadFull(from, text); err != nil {
		return nil, unusable("its moov box is cut off")
	}
	box, err := mp4.DecodeBox(0, bytes.NewReader(text))
	if err != nil {
		return nil, unusable("read its moov box: %w; write the file anew with ffmpeg -i IN -c copy OUT.mp4", err)
	}
	moov, ok := box.(*mp4.MoovBox)
	if !ok || moov.Mvhd == nil {
		return nil, unusable("its moov box says nothing of it")
	}
	return moov, nil
}

// Next implements Reader.
func (m *movie) Next() (sample Sample, err error) {
	defer guard(&err)
	for {
		track := m.earliest()
		if track == nil {
			return Sample{}, io.EOF
		}
		s := track.samples[track.next]
		track.next++
		sample, err := track.read(m.file, s)
		if err != nil {
			return Sample{}, err
		}
		if sample.Data != nil && (sample.PTS >= 0 || sample.Track.Kind == media.Video) {
			return sample, nil
		}
	}
}

// earliest is the track whose sample is decoded next; nil at the end.
func (m *movie) earliest() (first *movieTrack) {
	for _, track := range m.tracks {
		if track.next < len(track.samples) && (first == nil || track.at(track.next) < first.at(first.next)) {
			first = track
		}
	}
	return first
}

// at is when a sample is decoded.
func (t *movieTrack) at(i int) time.Duration { return t.time(t.samples[i].dts) }

// time is ticks of the track on the clip's clock.
func (t *movieTrack) time(ticks int64) time.Duration {
	return time.Duration(media.TimeOfTicks(ticks-t.begin, t.hz))
}

// read takes a sample from the file; its data is nil where it is damaged.
func (t *movieTrack) read(file File, s movieSample) (Sample, error) {
	data := make([]byte, s.size)
	if _, err := file.ReadAt(data, s.offset); err != nil {
		return Sample{}, unusable("read it: %w", err)
	}
	sample := Sample{
		Track: t.track, DTS: t.time(s.dts), PTS: t.time(s.dts + int64(s.shift)), Key: s.key, Data: data,
		Duration: time.Duration(media.TimeOfTicks(int64(s.duration), t.hz)),
	}
	switch t.track.Codec {
	case media.H264, media.HEVC:
		sample.Data, _ = t.nal.AccessUnit(data)
	case media.AV1:
		sample.Data = codec.TemporalUnit(data)
	}
	return sample, nil
}

// Rewind implements Reader.
func (m *movie) Rewind() error {
	for _, track := range m.tracks {
		track.next = 0
	}
	return nil
}

// Length implements Reader.
func (m *movie) Length() time.Duration { return m.tracks[0].length() }

func (t *movieTrack) length() time.Duration {
	end := t.begin
	for _, s := range t.samples {
		end = max(end, s.dts+int64(s.shift)+int64(s.duration))
	}
	return t.time(end)
}

// Rate implements Reader.
func (m *movie) Rate() media.Rate {
	t := m.tracks[0]
	if t.track.Kind != media.Video {
		return media.Rate{}
	}
	step := t.samples[0].duration
	last := len(t.samples) - 1 // which often lasts a little longer
	if step == 0 || slices.ContainsFunc(t.samples[:last], func(s movieSample) bool { return s.duration != step }) {
		return media.Rate{}
	}
	rate, err := media.ParseRate(rational(t.hz, int64(step)))
	if err != nil {
		return media.Rate{}
	}
	return rate
}

// Close implements Reader.
func (m *movie) Close() error { return m.file.Close() }
