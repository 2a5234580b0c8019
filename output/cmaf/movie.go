package cmaf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/Eyevinn/mp4ff/mp4"

	"millrace/internal/media"
)

// Movie plans a progressive MP4 file of one or more renditions: moov first, then
// the samples of chunks in the order in which they were added. The samples
// themselves do not pass through it.
type Movie struct {
	// Begin and End are what is shown of the tracks, where they are set: samples
	// before Begin are there for decoders only (edit list, ISO/IEC 14496-12 §8.6.6).
	Begin, End media.Time

	tracks  []*movieTrack
	payload int64 // bytes of mdat so far
}

// movieTimescale is the unit of edit lists and of the file's duration.
const movieTimescale = 90_000

type movieTrack struct {
	rendition *Rendition
	inits     [][]byte
	names     []string // of inits
	start     int64    // decode time of the first sample
	end       int64    // of the last, with its duration
	runs      []sampleRun
	sizes     []uint32
	sync      []uint32 // numbers of sync samples, from 1
	chunks    []movieChunk
}

type sampleRun struct{ count, duration uint32 }

type movieChunk struct {
	offset      int64 // in mdat
	samples     uint32
	description uint32 // from 1
}

// Add appends samples [from, to) of a chunk of a rendition that needs an init
// section. Decode times of a rendition rise; where some are missing the sample
// before lasts longer, so that sound and picture stay together.
func (m *Movie) Add(r *Rendition, initName string, init []byte, s *Samples, from, to int) error {
	if from >= to {
		return nil
	}
	t := m.track(r)
	start := s.Start + int64(from)*int64(s.Duration)
	switch {
	case len(t.sizes) == 0:
		t.start, t.end = start, start
	case start < t.end:
		return fmt.Errorf("%w: decode time %d of rendition %q follows %d", ErrChunk, start, r.ID, t.end)
	case start > t.end:
		if err := t.stretch(start - t.end); err != nil {
			return err
		}
	}
	for i := from; i < to; i++ {
		t.sizes = append(t.sizes, s.Sizes[i])
		if s.Sync[i] {
			t.sync = append(t.sync, uint32(len(t.sizes)))
		}
	}
	t.append(uint32(to-from), s.Duration)
	t.end = start + int64(to-from)*int64(s.Duration)
	t.chunks = append(t.chunks, movieChunk{offset: m.payload, samples: uint32(to - from), description: t.describe(initName, init)})
	m.payload += s.Bytes(from, to)
	return nil
}

func (m *Movie) track(r *Rendition) *movieTrack {
	for _, t := range m.tracks {
		if t.rendition.ID == r.ID {
			return t
		}
	}
	t := &movieTrack{rendition: r}
	m.tracks = append(m.tracks, t)
	return t
}

// append counts samples of one duration.
func (t *movieTrack) append(count, duration uint32) {
	if n := len(t.runs); n > 0 && t.runs[n-1].duration == duration {
		t.runs[n-1].count += count
		return
	}
	t.runs = append(t.runs, sampleRun{count, duration})
}

// stretch makes the last sample last longer.
func (t *movieTrack) stretch(by int64) error {
	last := &t.runs[len(t.runs)-1]
	longer := int64(last.duration) + by
	if longer > math.MaxUint32 {
		return fmt.Errorf("%w: %d ticks of rendition %q are missing", ErrChunk, by, t.rendition.ID)
	}
	if last.count--; last.count == 0 {
		t.runs = t.runs[:len(t.runs)-1]
	}
	t.runs = append(t.runs, sampleRun{1, uint32(longer)})
	t.end += by
	return nil
}

// describe is the number of the sample description of an init section.
func (t *movieTrack) describe(name string, init []byte) uint32 {
	i := slices.Index(t.names, name)
	if i < 0 {
		i = len(t.names)
		t.names, t.inits = append(t.names, name), append(t.inits, init)
	}
	return uint32(i + 1)
}

// Head is everything before the first sample. It fails with ErrNoSegments where
// nothing was added.
func (m *Movie) Head() ([]byte, error) {
	if m.payload == 0 {
		return nil, fmt.Errorf("write movie: %w", ErrNoSegments)
	}
	moov, tables, err := m.moov()
	if err != nil {
		return nil, fmt.Errorf("write movie: %w", err)
	}
	ftyp := mp4.NewFtyp("isom", 0x200, []string{"isom", "iso2", "avc1", "mp41"})
	const mdatBytes = 2 * boxHeaderBytes // with a size of 64 bits
	before := int64(ftyp.Size()+moov.Size()) + mdatBytes
	for i, table := range tables {
		for j, c := range m.tracks[i].chunks {
			table.ChunkOffset[j] = uint64(before + c.offset)
		}
	}
	var out bytes.Buffer
	for _, box := range []mp4.Box{ftyp, moov} {
		if err := box.Encode(&out); err != nil {
			return nil, fmt.Errorf("write movie: encode %s: %w", box.Type(), err)
		}
	}
	head := binary.BigEndian.AppendUint32(out.Bytes(), 1)
	head = append(head, "mdat"...)
	return binary.BigEndian.AppendUint64(head, uint64(m.payload+mdatBytes)), nil
}

// moov gives the box, and the tables of chunk offsets that are still to be filled.
func (m *Movie) moov() (*mp4.MoovBox, []*mp4.Co64Box, error) {
	moov := mp4.NewMoovBox()
	mvhd := mp4.CreateMvhd()
	mvhd.Version, mvhd.Timescale, mvhd.NextTrackID = 1, movieTimescale, uint32(len(m.tracks)+1)
	moov.AddChild(mvhd)
	first := m.first()
	tables := make([]*mp4.Co64Box, len(m.tracks))
	for i, t := range m.tracks {
		trak, err := t.trak()
		if err != nil {
			return nil, nil, fmt.Errorf("rendition %q: %w", t.rendition.ID, err)
		}
		shown := m.shown(t, first)
		trak.Tkhd.TrackID, trak.Tkhd.Version, trak.Tkhd.Duration = uint32(i+1), 1, shown.empty+shown.length
		mvhd.Duration = max(mvhd.Duration, shown.empty+shown.length)
		shown.edit(trak)
		tables[i] = t.tables(trak.Mdia.Minf.Stbl)
		moov.AddChild(trak)
	}
	return moov, tables, nil
}

// first is the instant at which the file begins.
func (m *Movie) first() media.Time {
	if m.Begin > 0 {
		return m.Begin
	}
	first := media.Time(math.MaxInt64)
	for _, t := range m.tracks {
		first = min(first, t.rendition.Time(t.start))
	}
	return first
}

// presentation is what is shown of a track.
type presentation struct {
	empty, length uint64 // before it, and of it, in movieTimescale
	skip          int64  // of the samples, in the track's timescale
	cut           bool   // the last sample ends later than what is shown
}

func (m *Movie) shown(t *movieTrack, first media.Time) presentation {
	scale := int64(t.rendition.Timescale())
	start, end := t.start, t.end
	var p presentation
	if m.Begin > 0 {
		start = max(start, m.Begin.Ticks(scale))
		p.skip = start - t.start
	}
	if m.End > 0 {
		end = max(start, min(end, m.End.Ticks(scale)))
		p.cut = end < t.end
	}
	if late := t.rendition.Time(start).Sub(first); late > 0 && p.skip == 0 {
		p.empty = uint64(late) * movieTimescale / 1e9
	}
	p.length = (uint64(end-start)*movieTimescale + uint64(scale)/2) / uint64(scale)
	return p
}

// edit writes the edit list, where one is needed.
func (p presentation) edit(trak *mp4.TrakBox) {
	list := &mp4.ElstBox{Version: 1}
	switch {
	case p.empty > 0:
		list.Entries = append(list.Entries, mp4.ElstEntry{SegmentDuration: p.empty, MediaTime: -1, MediaRateInteger: 1})
	case p.skip == 0 && !p.cut:
		return
	}
	list.Entries = append(list.Entries, mp4.ElstEntry{SegmentDuration: p.length, MediaTime: p.skip, MediaRateInteger: 1})
	edts := &mp4.EdtsBox{}
	edts.AddChild(list)
	trak.AddChild(edts)
}

// trak takes over what the first init section says, with the sample
// descriptions of all.
func (t *movieTrack) trak() (*mp4.TrakBox, error) {
	var trak *mp4.TrakBox
	for _, init := range t.inits {
		file, err := mp4.DecodeFile(bytes.NewReader(init))
		if err != nil {
			return nil, fmt.Errorf("read init section: %w", err)
		}
		if file.Init == nil || file.Init.Moov == nil || file.Init.Moov.Trak == nil {
			return nil, fmt.Errorf("%w: init section without a track", ErrTrack)
		}
		other := file.Init.Moov.Trak
		if trak == nil {
			trak = other
			continue
		}
		for _, entry := range other.Mdia.Minf.Stbl.Stsd.Children {
			trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
		}
	}
	trak.Mdia.Mdhd.Version = 1
	trak.Mdia.Mdhd.Duration = uint64(t.end - t.start)
	return trak, nil
}

// tables writes the sample tables into stbl and gives that of the chunks' offsets.
func (t *movieTrack) tables(stbl *mp4.StblBox) *mp4.Co64Box {
	stts := &mp4.SttsBox{}
	for _, run := range t.runs {
		stts.SampleCount = append(stts.SampleCount, run.count)
		stts.SampleTimeDelta = append(stts.SampleTimeDelta, run.duration)
	}
	stsc := &mp4.StscBox{}
	for i, c := range t.chunks {
		if i > 0 && c.samples == t.chunks[i-1].samples && c.description == t.chunks[i-1].description {
			continue
		}
		_ = stsc.AddEntry(uint32(i+1), c.samples, c.description) // fails only where chunks do not rise
	}
	co64 := &mp4.Co64Box{ChunkOffset: make([]uint64, len(t.chunks))}
	stsd := stbl.Stsd
	*stbl = mp4.StblBox{}
	stbl.AddChild(stsd)
	stbl.AddChild(stts)
	if t.rendition.Track.Kind == media.Video {
		stbl.AddChild(&mp4.StssBox{SampleNumber: t.sync})
	}
	stbl.AddChild(stsc)
	stbl.AddChild(&mp4.StszBox{SampleNumber: uint32(len(t.sizes)), SampleSize: t.sizes})
	stbl.AddChild(co64)
	return co64
}
