package iso

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"millrace/internal/media"
)

// How much a fragment holds before it is written, if no key frame comes first.
const (
	fragmentLeast = time.Second
	fragmentMost  = 2 * time.Second
	fragmentBytes = 8 << 20
)

const (
	nonSync    = 0x01010000 // depends on others and is no sync sample
	longestGap = time.Second
)

// film lays out one file: access units in, boxes out. It is for one goroutine.
type film struct {
	origin   media.Time // decode time 0 of all tracks
	tracks   []*track
	sequence uint32
	written  int64 // bytes
	begun    bool  // ftyp and moov are out: no track can be added
	extends  int64 // offset of the box that becomes mehd
	oldest   media.Time
	held     int // bytes
}

// track is an elementary stream of a film. The newest access unit waits until
// the next one says how long it lasts.
type track struct {
	*media.Track
	id      uint32 // once the film has begun
	scale   int64
	entry   mp4.Box
	started bool // with a key frame

	pending *media.Packet
	at      int64 // decode time of pending
	last    int64 // duration of the one before
	samples []mp4.FullSample
	end     int64 // of samples
	random  []mp4.TfraEntry
}

// newFilm begins with a packet.
func newFilm(p *media.Packet) *film { return &film{origin: p.DTS, oldest: p.DTS} }

// find is the track that a packet belongs to, or nil.
func (f *film) find(t *media.Track) *track {
	for _, candidate := range f.tracks {
		if sameTrack(candidate.Track, t) {
			return candidate
		}
	}
	return nil
}

// replaces says that the film has a track of that id with another configuration.
func (f *film) replaces(t *media.Track) bool {
	for _, candidate := range f.tracks {
		if candidate.ID == t.ID {
			return !sameTrack(candidate.Track, t)
		}
	}
	return false
}

func (f *film) hasVideo() bool {
	for _, t := range f.tracks {
		if t.Kind == media.Video {
			return true
		}
	}
	return false
}

// admit adds a track with its first packet; the file has no moov yet.
func (f *film) admit(p *media.Packet) error {
	entry, err := entryOf(p.Track, p.Data)
	if err != nil {
		return err
	}
	f.tracks = append(f.tracks, &track{
		Track: p.Track, scale: int64(timescaleOf(p.Track)), entry: entry,
	})
	return nil
}

// add takes the next packet of a track of the film, and gives the bytes of a
// fragment where one is full.
func (f *film) add(t *track, p *media.Packet) ([]byte, error) {
	if !t.started && t.Kind == media.Video && !p.Key {
		return nil, nil
	}
	t.started = true
	var out []byte
	var err error
	if f.full(t, p) {
		out, err = f.flush(t, p)
	} else {
		t.settle(f.origin, p)
	}
	if err != nil {
		return nil, err
	}
	t.at = max((p.DTS - f.origin).Ticks(t.scale), t.end)
	if t.Kind == media.Audio && t.last > 0 && t.at-t.end < t.last/2 {
		t.at = t.end // what sounds is one row, whatever the source's clock rounded
	}
	t.pending = p
	f.held += len(p.Data)
	return out, nil
}

// full says that a fragment ends before packet p.
func (f *film) full(t *track, p *media.Packet) bool {
	span := p.DTS.Sub(f.oldest)
	key := t.Kind == media.Video && p.Key && t.pending != nil
	return f.held > fragmentBytes || span >= fragmentMost || key && span >= fragmentLeast ||
		t.pending != nil && p.DTS.Sub(t.pending.DTS) > longestGap
}

// settle says how long the pending access unit lasts, now that next is there; nil
// where none comes.
func (t *track) settle(origin media.Time, next *media.Packet) {
	p := t.pending
	if p == nil {
		return
	}
	t.pending = nil
	duration := t.nominal(p)
	if next != nil {
		if until := (next.DTS - origin).Ticks(t.scale) - t.at; t.Kind == media.Video || duration == 0 || until-duration >= duration/2 {
			duration = until
		}
		if next.DTS.Sub(p.DTS) > longestGap && t.nominal(p) > 0 {
			duration = t.nominal(p) // the next fragment says when it begins
		}
	}
	duration = max(duration, 1)
	flags := uint32(mp4.SyncSampleFlags)
	if t.Kind == media.Video && !p.Key {
		flags = nonSync
	}
	shift := (p.PTS - origin).Ticks(t.scale) - t.at
	if t.Kind == media.Audio {
		shift = 0
	}
	t.samples = append(t.samples, mp4.FullSample{
		Sample:     mp4.Sample{Flags: flags, Dur: uint32(duration), Size: uint32(len(p.Data)), CompositionTimeOffset: int32(shift)},
		DecodeTime: uint64(t.at), Data: p.Data,
	})
	t.last, t.end = duration, t.at+duration
}

// nominal is how long an access unit lasts by what is known of it alone.
func (t *track) nominal(p *media.Packet) int64 {
	switch {
	case t.Codec == media.AAC:
		return 1024
	case t.Codec == media.MP2 || t.Codec == media.MP3:
		return 1152
	case p.Duration > 0:
		return media.Time(p.Duration).Ticks(t.scale)
	case t.last > 0:
		return t.last
	}
	return t.scale / 30
}

// flush writes what is settled: all but the newest access unit of each track,
// that of t included, which ends where packet next begins.
func (f *film) flush(t *track, next *media.Packet) ([]byte, error) {
	if t != nil {
		t.settle(f.origin, next)
		f.oldest = next.DTS
	}
	var out bytes.Buffer
	if !f.begun {
		if err := f.begin(&out); err != nil {
			return nil, err
		}
	}
	if err := f.fragment(&out); err != nil {
		return nil, err
	}
	f.held = 0
	for _, other := range f.tracks {
		if other.pending != nil {
			f.held += len(other.pending.Data)
		}
	}
	f.written += int64(out.Len())
	return out.Bytes(), nil
}

// begin writes ftyp and moov. A box of mehd's size holds its place.
func (f *film) begin(out *bytes.Buffer) error {
	slices.SortStableFunc(f.tracks, func(a, b *track) int { return int(a.Kind) - int(b.Kind) })
	for i, t := range f.tracks {
		t.id = uint32(i + 1)
	}
	section := mp4.NewMP4Init()
	section.AddChild(mp4.NewFtyp("iso6", 0, []string{"iso6", "isom", "mp41"}))
	moov := mp4.NewMoovBox()
	section.AddChild(moov)
	mvhd := mp4.CreateMvhd()
	mvhd.Timescale, mvhd.NextTrackID = movieTimescale, uint32(len(f.tracks)+1)
	moov.AddChild(mvhd)
	mvex := mp4.NewMvexBox()
	moov.AddChild(mvex)
	mvex.AddChild(mp4.CreateUnknownBox("free", extendsBytes, make([]byte, extendsBytes-8)))
	for _, t := range f.tracks {
		trak := mp4.CreateEmptyTrak(t.id, uint32(t.scale), t.Kind.String(), "und")
		trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(t.Width<<16), mp4.Fixed32(t.Height<<16)
		trak.Mdia.Minf.Stbl.Stsd.AddChild(t.entry)
		moov.AddChild(trak)
		mvex.AddChild(mp4.CreateTrex(t.id))
	}
	if err := section.Encode(out); err != nil {
		return fmt.Errorf("encode moov: %w", err)
	}
	f.extends = int64(bytes.Index(out.Bytes(), []byte("mvex"))) + 4
	f.begun = true
	return nil
}

// extendsBytes is the size of a mehd of version 1.
const extendsBytes = 20

// duration is a mehd that says how long the film is.
func (f *film) duration() ([]byte, error) {
	var longest int64
	for _, t := range f.tracks {
		longest = max(longest, t.end*movieTimescale/t.scale)
	}
	var out bytes.Buffer
	err := (&mp4.MehdBox{Version: 1, FragmentDuration: longest}).Encode(&out)
	return out.Bytes(), err
}

// fragment writes prft, moof and mdat of what is settled; nothing where that is
// nothing.
func (f *film) fragment(out *bytes.Buffer) error {
	var ids []uint32
	var head *track
	for _, t := range f.tracks {
		if len(t.samples) > 0 {
			ids = append(ids, t.id)
			if head == nil || t.Kind == media.Video {
				head = t
			}
		}
	}
	if head == nil {
		return nil
	}
	f.sequence++
	fragment, err := mp4.CreateMultiTrackFragment(f.sequence, ids)
	if err != nil {
		return fmt.Errorf("make fragment: %w", err)
	}
	first := head.samples[0]
	at := f.origin + media.TimeOfTicks(int64(first.DecodeTime), head.scale)
	prft := mp4.CreatePrftBox(1, mp4.PrftTimeEncoderInput, head.id, ntp(at), first.DecodeTime)
	offset := f.written + int64(out.Len()) + int64(prft.Size())
	if err := prft.Encode(out); err != nil {
		return fmt.Errorf("encode prft: %w", err)
	}
	for number, t := range f.tracks {
		if t.Kind == media.Video && len(t.samples) > 0 && t.samples[0].Flags == mp4.SyncSampleFlags {
			t.random = append(t.random, mp4.TfraEntry{
				Time: t.samples[0].DecodeTime, MoofOffset: uint64(offset), TrafNumber: uint32(number + 1), TrunNumber: 1, SampleNumber: 1,
			})
		}
		for _, s := range t.samples {
			if err := fragment.AddFullSampleToTrack(s, t.id); err != nil {
				return fmt.Errorf("make fragment: %w", err)
			}
		}
		t.samples = nil
	}
	if err := fragment.Encode(out); err != nil {
		return fmt.Errorf("encode fragment: %w", err)
	}
	return nil
}

// finish gives what is left, and the index that ends the file.
func (f *film) finish() ([]byte, error) {
	for _, t := range f.tracks {
		t.settle(f.origin, nil)
	}
	left, err := f.flush(nil, nil)
	if err != nil {
		return nil, err
	}
	index := &mp4.MfraBox{}
	for _, t := range f.tracks {
		if len(t.random) > 0 {
			tfra := &mp4.TfraBox{Version: 1, TrackID: t.id, LengthSizeOfTrafNum: 3, LengthSizeOfTrunNum: 3, LengthSizeOfSampleNum: 3, Entries: t.random}
			if err := index.AddChild(tfra); err != nil {
				return nil, fmt.Errorf("make index: %w", err)
			}
		}
	}
	mfro := &mp4.MfroBox{}
	if err := index.AddChild(mfro); err != nil {
		return nil, fmt.Errorf("make index: %w", err)
	}
	mfro.ParentSize = uint32(index.Size())
	out := bytes.NewBuffer(left)
	if err := index.Encode(out); err != nil {
		return nil, fmt.Errorf("encode index: %w", err)
	}
	return out.Bytes(), nil
}

// ntp is t as an RFC 5905 timestamp, and timeOf the way back, to the nanosecond.
func ntp(t media.Time) mp4.NTP64 {
	seconds, nanos := uint64(t)/1e9, uint64(t)%1e9
	return mp4.NTP64((seconds+mp4.NTPEpochOffset)<<32 | (nanos<<32+999_999_999)/1e9)
}

func timeOf(n mp4.NTP64) media.Time {
	seconds, fraction := uint64(n)>>32, uint64(n)&0xffffffff
	return media.Time((seconds-mp4.NTPEpochOffset)*1e9 + fraction*1e9>>32)
}
