package clip

import (
	"bytes"
	"fmt"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"millrace/ingest/codec"
	"millrace/internal/media"
)

// newMovieTrack is a track of a kind with its samples; nil where it is of another
// kind, with an error where it cannot be read. size is the file's.
func newMovieTrack(trak *mp4.TrakBox, kind media.Kind, movie *mp4.MvhdBox, size int64) (*movieTrack, error) {
	if trak.Mdia == nil || trak.Mdia.Hdlr == nil || trak.Mdia.Mdhd == nil || trak.Mdia.Minf == nil || trak.Mdia.Minf.Stbl == nil {
		return nil, nil
	}
	handler := map[media.Kind]string{media.Video: "vide", media.Audio: "soun"}[kind]
	table := trak.Mdia.Minf.Stbl
	if trak.Mdia.Hdlr.HandlerType != handler || table.Stsd == nil || len(table.Stsd.Children) == 0 {
		return nil, nil
	}
	t := &movieTrack{hz: int64(trak.Mdia.Mdhd.Timescale)}
	if t.hz == 0 {
		return nil, fmt.Errorf("a track has no timescale")
	}
	if err := t.describe(table.Stsd, kind); err != nil {
		return nil, err
	}
	if err := t.list(table, size); err != nil {
		return nil, fmt.Errorf("track %q: %w", t.track.ID, err)
	}
	t.edit(trak, int64(movie.Timescale))
	last := t.samples[len(t.samples)-1]
	if last.dts/t.hz > longest || t.begin/t.hz > longest || t.begin/t.hz < -longest {
		return nil, fmt.Errorf("track %q lasts longer than %v", t.track.ID, time.Duration(longest)*time.Second)
	}
	return t, nil
}

// describe makes the track of the first sample description.
func (t *movieTrack) describe(stsd *mp4.StsdBox, kind media.Kind) (err error) {
	switch {
	case stsd.AvcX != nil && stsd.AvcX.AvcC != nil:
		t.nal, err = codec.AVCTrack(payload(stsd.AvcX.AvcC))
		t.track = t.nal.Track
	case stsd.HvcX != nil && stsd.HvcX.HvcC != nil:
		t.nal, err = codec.HEVCTrack(payload(stsd.HvcX.HvcC))
		t.track = t.nal.Track
	case stsd.Av01 != nil && stsd.Av01.Av1C != nil:
		t.track, err = codec.AV1Track(payload(stsd.Av01.Av1C))
	case stsd.Mp4a != nil && stsd.Mp4a.Esds != nil && stsd.Mp4a.Esds.DecConfigDescriptor != nil:
		descriptor := stsd.Mp4a.Esds.DecConfigDescriptor
		if descriptor.ObjectType != 0x40 || descriptor.DecSpecificInfo == nil { // AAC (ISO/IEC 14496-1 table 5)
			return fmt.Errorf("sound of object type %#x is not read; AAC, Opus and AC-3 are", descriptor.ObjectType)
		}
		t.track, err = codec.AACTrack(descriptor.DecSpecificInfo.DecConfig)
	case stsd.Opus != nil && stsd.Opus.Dops != nil:
		dops := stsd.Opus.Dops
		t.track = &media.Track{
			ID: codec.AudioID, Kind: media.Audio, Codec: media.Opus, MIME: "opus", Config: payload(dops),
			SampleRate: 48000, Channels: int(dops.OutputChannelCount),
		}
	case stsd.AC3 != nil:
		t.track = &media.Track{
			ID: codec.AudioID, Kind: media.Audio, Codec: media.AC3, MIME: "ac-3",
			SampleRate: int(stsd.AC3.SampleRate), Channels: int(stsd.AC3.ChannelCount),
		}
	default:
		return fmt.Errorf("%s as %q is not read; pictures may be H.264, HEVC or AV1, sound AAC, Opus or AC-3", kind, stsd.Children[0].Type())
	}
	if err != nil {
		return fmt.Errorf("read its %s: %w", kind, err)
	}
	return nil
}

// payload is what is in a box.
func payload(box mp4.Box) []byte {
	var out bytes.Buffer
	if err := box.Encode(&out); err != nil || out.Len() < 8 {
		return nil
	}
	return out.Bytes()[8:]
}

// list reads the sample tables (ISO/IEC 14496-12 §8.6, §8.7).
func (t *movieTrack) list(table *mp4.StblBox, size int64) error {
	if table.Stsz == nil || table.Stts == nil || table.Stsc == nil || table.Stco == nil && table.Co64 == nil {
		return fmt.Errorf("its sample tables are not whole")
	}
	count := int(table.Stsz.SampleNumber)
	if count == 0 || count > sampleLimit {
		return fmt.Errorf("it has %d samples; 1 to %d can be played", count, sampleLimit)
	}
	t.samples = make([]movieSample, count)
	if err := t.locate(table, size); err != nil {
		return err
	}
	if err := t.schedule(table.Stts); err != nil {
		return err
	}
	if table.Ctts != nil {
		t.reorder(table.Ctts)
	}
	t.sync(table.Stss)
	if t.track.Kind == media.Video && !t.samples[0].key {
		return fmt.Errorf("it does not begin with a key frame")
	}
	return nil
}

// locate says where each sample lies.
func (t *movieTrack) locate(table *mp4.StblBox, size int64) error {
	chunks := 0
	offset := func(i int) int64 { return int64(table.Stco.ChunkOffset[i]) }
	if table.Stco != nil {
		chunks = len(table.Stco.ChunkOffset)
	} else {
		chunks = len(table.Co64.ChunkOffset)
		offset = func(i int) int64 { return int64(min(table.Co64.ChunkOffset[i], 1<<62)) }
	}
	next, entries := 0, table.Stsc.Entries
	for chunk := 0; chunk < chunks && next < len(t.samples) && len(entries) > 0; chunk++ {
		for len(entries) > 1 && int(entries[1].FirstChunk) <= chunk+1 {
			entries = entries[1:]
		}
		at := offset(chunk)
		for range min(int(entries[0].SamplesPerChunk), len(t.samples)-next) {
			length := table.Stsz.SampleUniformSize
			if length == 0 {
				length = table.Stsz.SampleSize[next]
			}
			if length > sampleBytes || at > size-int64(length) {
				return fmt.Errorf("sample %d lies outside the file, which was cut off", next+1)
			}
			t.samples[next].offset, t.samples[next].size = at, length
			at += int64(length)
			next++
		}
	}
	if next < len(t.samples) {
		return fmt.Errorf("%d of its %d samples are nowhere", len(t.samples)-next, len(t.samples))
	}
	return nil
}

// schedule says when each sample is decoded.
func (t *movieTrack) schedule(stts *mp4.SttsBox) error {
	next, at := 0, int64(0)
	for i, count := range stts.SampleCount {
		for range min(int(count), len(t.samples)-next) {
			t.samples[next].dts, t.samples[next].duration = at, stts.SampleTimeDelta[i]
			at += int64(stts.SampleTimeDelta[i])
			next++
		}
	}
	if next < len(t.samples) {
		return fmt.Errorf("%d of its %d samples have no time", len(t.samples)-next, len(t.samples))
	}
	return nil
}

// reorder says when each sample is shown.
func (t *movieTrack) reorder(ctts *mp4.CttsBox) {
	next := 0
	for i := range ctts.SampleOffset {
		for range min(ctts.SampleCount(i), uint32(len(t.samples)-next)) {
			t.samples[next].shift = ctts.SampleOffset[i]
			next++
		}
	}
}

// sync marks the samples that decoding can begin with.
func (t *movieTrack) sync(stss *mp4.StssBox) {
	if stss == nil { // all of them (ISO/IEC 14496-12 §8.6.2)
		for i := range t.samples {
			t.samples[i].key = true
		}
		return
	}
	for _, number := range stss.SampleNumber {
		if i := int64(number) - 1; i >= 0 && i < int64(len(t.samples)) {
			t.samples[i].key = true
		}
	}
}

// edit follows the beginning of the edit list (§8.6.6): what is left out before
// the first sample that is shown, and how long nothing is shown before it.
func (t *movieTrack) edit(trak *mp4.TrakBox, movieHz int64) {
	if trak.Edts == nil || len(trak.Edts.Elst) == 0 {
		return
	}
	for _, entry := range trak.Edts.Elst[0].Entries {
		if entry.MediaTime >= 0 {
			t.begin += entry.MediaTime
			return
		}
		if movieHz > 0 && entry.SegmentDuration < longest*uint64(movieHz) {
			t.begin -= media.TimeOfTicks(int64(entry.SegmentDuration), movieHz).Ticks(t.hz)
		}
	}
}

// rational words a rate.
func rational(num, den int64) string { return fmt.Sprintf("%d/%d", num, den) }
