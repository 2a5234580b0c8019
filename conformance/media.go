package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"
)

// Init is what an init section says.
type Init struct {
	Timescale  uint32
	Codec      string // RFC 6381; "" when not known here
	Brands     []string
	EditList   bool
	Boxes      []string // below the sample entry
	SPS        []*avc.SPS
	Level      byte
	Profile    byte
	Channels   int
	DefaultDur uint32 // trex
}

// ReadInit reads an init section with one track.
func ReadInit(data []byte) (in *Init, err error) {
	defer survive(&err)
	file, err := decodeFile(data)
	if err != nil {
		return nil, fmt.Errorf("read init section: %w", err)
	}
	if file.Ftyp == nil || file.Moov == nil || file.Moov.Trak == nil || file.Moov.Mvex == nil {
		return nil, errors.New("read init section: no ftyp, moov, trak or mvex")
	}
	trak := file.Moov.Trak
	in = &Init{
		Timescale: trak.Mdia.Mdhd.Timescale, EditList: trak.Edts != nil,
		Brands: append(file.Ftyp.CompatibleBrands(), file.Ftyp.MajorBrand()),
	}
	if file.Moov.Mvex.Trex != nil {
		in.DefaultDur = file.Moov.Mvex.Trex.DefaultSampleDuration
	}
	stsd := trak.Mdia.Minf.Stbl.Stsd
	switch {
	case stsd.AvcX != nil && stsd.AvcX.AvcC != nil:
		in.readAVC(stsd.AvcX)
	case stsd.Mp4a != nil && stsd.Mp4a.Esds != nil:
		in.Channels = int(stsd.Mp4a.ChannelCount)
		config := stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
		in.Codec = fmt.Sprintf("mp4a.40.%d", config[0]>>3)
	}
	return in, nil
}

func (in *Init) readAVC(entry *mp4.VisualSampleEntryBox) {
	config := entry.AvcC
	in.Profile, in.Level = config.AVCProfileIndication, config.AVCLevelIndication
	in.Codec = fmt.Sprintf("%s.%02x%02x%02x", entry.Type(), in.Profile, config.ProfileCompatibility, in.Level)
	for _, child := range entry.Children {
		in.Boxes = append(in.Boxes, child.Type())
	}
	for _, nalu := range config.SPSnalus {
		if sps, err := avc.ParseSPSNALUnit(nalu, true); err == nil {
			in.SPS = append(in.SPS, sps)
		}
	}
}

// decodeFile reads boxes of which none is longer than what there is: the parser
// makes room for what a box announces before it looks.
func decodeFile(data []byte) (*mp4.File, error) {
	for rest := data; len(rest) > 0; {
		if len(rest) < 8 {
			return nil, errors.New("bytes behind the last box")
		}
		size := binary.BigEndian.Uint32(rest)
		if size < 8 || uint64(size) > uint64(len(rest)) {
			return nil, fmt.Errorf("box %q of %d bytes in %d", rest[4:8], size, len(rest))
		}
		rest = rest[size:]
	}
	return mp4.DecodeFile(bytes.NewReader(data))
}

// survive turns a panic of the box parser, which trusts sizes and children, into
// an error: what is read comes from the origin under test.
func survive(err *error) {
	if fault := recover(); fault != nil {
		*err = fmt.Errorf("read boxes: %v", fault)
	}
}

// Chunk is a CMAF chunk as its boxes say.
type Chunk struct {
	Brands     []string // styp; nil where it has none
	Trafs      int
	Truns      int
	Version    byte // of tfdt
	BaseIsMoof bool
	Defaults   bool // default duration and flags stand in the fragment, or each sample has its own
	DataOffset bool
	Start      uint64 // tfdt
	Duration   uint64
	Samples    int
	FirstSync  bool
	FirstIDR   bool // by NAL unit type; always for audio
	Reference  *mp4.PrftBox
	Bytes      int
}

// ReadChunks reads the chunks of a part or a segment.
func ReadChunks(data []byte, in *Init, audio bool) (out []*Chunk, err error) {
	defer survive(&err)
	file, err := decodeFile(data)
	if err != nil {
		return nil, fmt.Errorf("read media: %w", err)
	}
	open := &Chunk{}
	var moof *mp4.MoofBox
	for _, box := range file.Children {
		open.Bytes += int(box.Size())
		switch b := box.(type) {
		case *mp4.StypBox:
			open.Brands = append(b.CompatibleBrands(), b.MajorBrand())
		case *mp4.PrftBox:
			open.Reference = b
		case *mp4.MoofBox:
			moof = b
		case *mp4.MdatBox:
			if moof == nil {
				return nil, errors.New("read media: mdat without moof")
			}
			if err := open.read(moof, b, in, audio); err != nil {
				return nil, err
			}
			out = append(out, open)
			open, moof = &Chunk{}, nil
		}
	}
	if len(out) == 0 {
		return nil, errors.New("read media: no chunk")
	}
	return out, nil
}

func (c *Chunk) read(moof *mp4.MoofBox, mdat *mp4.MdatBox, in *Init, audio bool) error {
	c.Trafs = len(moof.Trafs)
	traf := moof.Traf
	if traf == nil || traf.Tfhd == nil || traf.Tfdt == nil || traf.Trun == nil {
		return errors.New("read media: moof without tfhd, tfdt or trun")
	}
	c.Truns = len(traf.Truns)
	c.Version, c.Start = traf.Tfdt.Version, traf.Tfdt.BaseMediaDecodeTime()
	c.BaseIsMoof = traf.Tfhd.DefaultBaseIfMoof()
	c.DataOffset = traf.Trun.HasDataOffset()
	_, first := traf.Trun.FirstSampleFlags()
	c.Defaults = (traf.Tfhd.HasDefaultSampleDuration() || traf.Trun.HasSampleDuration()) &&
		(traf.Tfhd.HasDefaultSampleFlags() || traf.Trun.HasSampleFlags() || first && traf.Trun.SampleCount() == 1)
	duration := in.DefaultDur
	if traf.Tfhd.HasDefaultSampleDuration() {
		duration = traf.Tfhd.DefaultSampleDuration
	}
	c.Duration = traf.Trun.Duration(duration)
	c.Samples = int(traf.Trun.SampleCount())
	traf.Trun.AddSampleDefaultValues(traf.Tfhd, nil)
	if c.Samples == 0 || int(traf.Trun.Samples[0].Size) > len(mdat.Data) {
		return errors.New("read media: samples beyond mdat")
	}
	c.FirstSync = traf.Trun.Samples[0].IsSync()
	c.FirstIDR = audio || holdsIDR(mdat.Data[:traf.Trun.Samples[0].Size])
	return nil
}

// holdsIDR looks for an IDR slice among NAL units behind 4-byte lengths.
func holdsIDR(sample []byte) bool {
	for len(sample) > 4 {
		size := binary.BigEndian.Uint32(sample)
		if avc.GetNaluType(sample[4]) == avc.NALU_IDR {
			return true
		}
		if uint64(size) > uint64(len(sample)-4) {
			return false
		}
		sample = sample[4+size:]
	}
	return false
}

// hasBrand says that the chunk is marked with a brand.
func (c *Chunk) hasBrand(brand string) bool { return slices.Contains(c.Brands, brand) }

// seconds is a number of ticks of an init section's timescale.
func (in *Init) seconds(ticks uint64) float64 { return float64(ticks) / float64(in.Timescale) }

// wall is the instant that a decode time has by prft.
func (c *Chunk) wall(in *Init) (at time.Time, ok bool) {
	if c.Reference == nil {
		return time.Time{}, false
	}
	ahead := (float64(c.Start) - float64(c.Reference.MediaTime)) / float64(in.Timescale)
	return c.Reference.NTPTimestamp.Time().Add(time.Duration(ahead * float64(time.Second))), true
}

// profiles are the CMAF media profile brands among an init section's.
func (in *Init) profiles() []string {
	var out []string
	for _, brand := range in.Brands {
		if strings.HasPrefix(brand, "c") && brand != "cmfc" && brand != "cmf2" && !slices.Contains(out, brand) {
			out = append(out, brand)
		}
	}
	return out
}
