package cmaf

import (
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"millrace/internal/media"
)

// nonSyncFlags: depends on others and is not a sync sample. Sync samples carry
// mp4.SyncSampleFlags: depends on none (ISO/IEC 14496-12 §8.8.3.1).
const nonSyncFlags = 0x01010000

const boxHeaderBytes = 8

// position says where in the stream a chunk stands, for its brands.
type position struct {
	segment, fragment bool // the chunk is the first of one
	filler            bool
	last              bool // nothing follows in this presentation
}

// brands of a chunk's styp: cmfs, cmff and cmfl mark the start of a CMAF
// segment, fragment and chunk (ISO/IEC 23000-19 §7.3.3), msdh a DASH segment,
// slat filler and lmsg the last of the presentation.
func (p position) brands() []string {
	var brands []string
	if p.segment {
		brands = append(brands, "msdh", "cmfs")
	}
	if p.segment || p.fragment {
		brands = append(brands, "cmff")
	}
	brands = append(brands, "cmfl")
	if p.filler {
		brands = append(brands, "slat")
	}
	if p.last {
		brands = append(brands, "lmsg")
	}
	return brands
}

// chunkWriter makes the bytes of one rendition's chunks. Its boxes are used
// again for each; it belongs to the goroutine that writes packets.
type chunkWriter struct {
	timescale uint32
	video     bool
	styps     map[position]*mp4.StypBox
	prft      *mp4.PrftBox
	mfhd      *mp4.MfhdBox
	tfdt      *mp4.TfdtBox
	trun      *mp4.TrunBox
	moof      *mp4.MoofBox
}

func newChunkWriter(r *Rendition) *chunkWriter {
	w := &chunkWriter{timescale: r.Timescale(), video: r.Track.Kind == media.Video, styps: make(map[position]*mp4.StypBox)}
	w.prft = mp4.CreatePrftBox(1, mp4.PrftTimeEncoderInput, trackID, 0, 0)
	w.mfhd = mp4.CreateMfhd(0)
	tfhd := mp4.CreateTfhd(trackID)
	tfhd.Flags = mp4.TfhdDefaultBaseIsMoofFlag | mp4.TfhdDefaultSampleDurationPresentFlag | mp4.TfhdDefaultSampleFlagsPresentFlag
	tfhd.DefaultSampleDuration = uint32(r.UnitTicks())
	tfhd.DefaultSampleFlags = mp4.SyncSampleFlags
	if w.video {
		tfhd.DefaultSampleFlags = nonSyncFlags
	}
	w.tfdt = mp4.CreateTfdt(0)
	w.trun = mp4.CreateTrun(0)
	w.moof = &mp4.MoofBox{}
	traf := &mp4.TrafBox{}
	for _, err := range []error{
		w.moof.AddChild(w.mfhd), w.moof.AddChild(traf),
		traf.AddChild(tfhd), traf.AddChild(w.tfdt), traf.AddChild(w.trun),
	} {
		if err != nil { // only for a second box of a kind
			panic(err)
		}
	}
	return w
}

// write gives the bytes of a chunk of consecutive samples that begins at start
// (in the timescale), and the length of the prefix that ends with its first
// sample. The samples are copied, once.
func (w *chunkWriter) write(at position, sequence uint32, start int64, samples []*media.Packet) ([]byte, int, error) {
	payload := w.describe(samples)
	w.mfhd.SequenceNumber = sequence
	w.tfdt.SetBaseMediaDecodeTime(uint64(start))
	w.tfdt.Version = 1 // also below 2^32, so that every chunk has one shape (C07)
	w.prft.MediaTime = uint64(start)
	w.prft.NTPTimestamp = ntp(media.TimeOfTicks(start, int64(w.timescale)))
	styp := w.styps[at]
	if styp == nil {
		brands := at.brands()
		styp = mp4.NewStyp(brands[0], 0, brands)
		w.styps[at] = styp
	}
	moofBytes := w.moof.Size()
	w.trun.DataOffset = int32(moofBytes + boxHeaderBytes)

	head := int(styp.Size() + w.prft.Size() + moofBytes)
	data := make([]byte, head+boxHeaderBytes+payload)
	sw := bits.NewFixedSliceWriterFromSlice(data[:head])
	for _, box := range []mp4.Box{styp, w.prft, w.moof} {
		if err := box.EncodeSW(sw); err != nil {
			return nil, 0, fmt.Errorf("encode %s: %w", box.Type(), err)
		}
	}
	binary.BigEndian.PutUint32(data[head:], uint32(boxHeaderBytes+payload))
	copy(data[head+4:], "mdat")
	rest := data[head+boxHeaderBytes:]
	for _, sample := range samples {
		rest = rest[copy(rest, sample.Data):]
	}
	return data, head + boxHeaderBytes + len(samples[0].Data), nil
}

// describe fills the trun and returns how many bytes the samples have.
func (w *chunkWriter) describe(samples []*media.Packet) (payload int) {
	w.trun.RemoveFirstSampleFlags()
	w.trun.Flags = mp4.TrunDataOffsetPresentFlag | mp4.TrunSampleSizePresentFlag
	w.trun.Samples = w.trun.Samples[:0]
	for i, sample := range samples {
		flags := uint32(mp4.SyncSampleFlags)
		if w.video && !sample.Key {
			flags = nonSyncFlags
		}
		w.trun.AddSample(mp4.Sample{Size: uint32(len(sample.Data)), Flags: flags})
		payload += len(sample.Data)
		if w.video && sample.Key && i > 0 { // no default holds: say it of each
			w.trun.Flags |= mp4.TrunSampleFlagsPresentFlag
		}
	}
	if w.video && samples[0].Key && !w.trun.HasSampleFlags() {
		w.trun.SetFirstSampleFlags(mp4.SyncSampleFlags)
	}
	return payload
}

// ntp is t as an RFC 5905 timestamp.
func ntp(t media.Time) mp4.NTP64 {
	const second = 1_000_000_000
	seconds, nanos := floorDiv(int64(t), second), int64(t)
	nanos -= seconds * second
	return mp4.NTP64(uint64(seconds+mp4.NTPEpochOffset)<<32 | uint64(nanos)<<32/second)
}
