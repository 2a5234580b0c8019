package cmaf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"

	"millrace/internal/media"
)

// trackID is the only track of every init section and chunk.
const trackID = 1

// initHashBytes is how much of the SHA-256 stands in an init section's name.
const initHashBytes = 6

// makeInit writes the CMAF header (ISO/IEC 23000-19 §7.3.1): no edit list, no
// creation time, so that the same track always gives the same bytes.
func (r *Rendition) makeInit(bitrate int) error {
	section := mp4.NewMP4Init()
	moov := mp4.NewMoovBox()
	moov.AddChild(mp4.CreateMvhd())
	trak := mp4.CreateEmptyTrak(trackID, r.Timescale(), r.Track.Kind.String(), "und")
	moov.Mvhd.NextTrackID = trackID + 1
	moov.AddChild(trak)
	mvex := mp4.NewMvexBox()
	mvex.AddChild(mp4.CreateTrex(trackID))
	moov.AddChild(mvex)

	var profile []string
	var err error
	switch r.Track.Codec {
	case media.H264:
		profile, err = r.describeAVC(trak, bitrate)
	case media.HEVC:
		profile, err = r.describeHEVC(trak, bitrate)
	case media.AV1:
		profile, err = r.describeAV1(trak, bitrate)
	case media.AAC:
		profile, err = r.describeAAC(trak, bitrate)
	default:
		err = fmt.Errorf("%w: codec %q", ErrTrack, r.Track.Codec)
	}
	if err != nil {
		return err
	}
	section.AddChild(mp4.NewFtyp("cmf2", 0, append([]string{"iso6", "cmfc", "cmf2"}, profile...)))
	section.AddChild(moov)
	var out bytes.Buffer
	if err := section.Encode(&out); err != nil {
		return fmt.Errorf("encode boxes: %w", err)
	}
	r.Init = out.Bytes()
	hash := sha256.Sum256(r.Init)
	r.InitName = "init-" + hex.EncodeToString(hash[:initHashBytes]) + ".mp4"
	return nil
}

// describeAVC fills the sample description of H.264 with parameter sets out of
// band (avc1) and returns the brands of the CMAF media profiles it obeys.
func (r *Rendition) describeAVC(trak *mp4.TrakBox, bitrate int) ([]string, error) {
	config, err := avc.DecodeAVCDecConfRec(r.Track.Config)
	if err != nil {
		return nil, fmt.Errorf("%w: read avcC: %w", ErrTrack, err)
	}
	if len(config.SPSnalus) == 0 || len(config.PPSnalus) == 0 {
		return nil, fmt.Errorf("%w: avcC holds no parameter sets", ErrTrack)
	}
	width, height := r.Track.Width, r.Track.Height
	for _, nalu := range config.SPSnalus {
		sps, err := avc.ParseSPSNALUnit(nalu, true)
		if err != nil {
			return nil, fmt.Errorf("%w: read SPS: %w", ErrTrack, err)
		}
		if width == 0 && height == 0 {
			width, height = int(sps.Width), int(sps.Height)
		}
		if int(sps.Width) != width || int(sps.Height) != height {
			return nil, fmt.Errorf("%w: SPS of %dx%d in a track of %dx%d", ErrTrack, sps.Width, sps.Height, width, height)
		}
	}
	r.Codec = fmt.Sprintf("avc1.%02x%02x%02x", config.AVCProfileIndication, config.ProfileCompatibility, config.AVCLevelIndication)
	if err := r.describeVideo(trak, "avc1", &mp4.AvcCBox{DecConfRec: config}, width, height, bitrate); err != nil {
		return nil, err
	}
	return videoProfiles(config, width, height), nil
}

// describeVideo fills in what all codecs of pictures have.
func (r *Rendition) describeVideo(trak *mp4.TrakBox, name string, config mp4.Box, width, height, bitrate int) error {
	if width <= 0 || height <= 0 || width > math.MaxUint16 || height > math.MaxUint16 {
		return fmt.Errorf("%w: size %dx%d", ErrTrack, width, height)
	}
	r.Width, r.Height = width, height
	trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(width<<16), mp4.Fixed32(height<<16)
	entry := mp4.CreateVisualSampleEntryBox(name, uint16(width), uint16(height), config)
	entry.CompressorName = ""
	// BT.709 in all three, limited range: the only colours that leave the mixer.
	entry.AddChild(&mp4.ColrBox{
		ColorType: mp4.ColorTypeOnScreenColors, ColorPrimaries: 1, TransferCharacteristics: 1, MatrixCoefficients: 1,
	})
	entry.AddChild(&mp4.PaspBox{HSpacing: 1, VSpacing: 1})
	entry.AddChild(bitrates(bitrate, bitrate+bitrate/10))
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return nil
}

// videoProfiles are the CMAF media profiles of ISO/IEC 23000-19 annex A. Every
// one that holds is named, so that the rungs of a ladder share one (C04).
func videoProfiles(config avc.DecConfRec, width, height int) []string {
	const high, level40, level42 = 100, 40, 42
	if config.AVCProfileIndication > high || width > 1920 || height > 1080 || config.AVCLevelIndication > level42 {
		return nil
	}
	if config.AVCLevelIndication > level40 {
		return []string{"chdf"}
	}
	return []string{"cfhd", "chdf"}
}

// describeAAC fills the sample description of AAC-LC.
func (r *Rendition) describeAAC(trak *mp4.TrakBox, bitrate int) ([]string, error) {
	config, err := aac.DecodeAudioSpecificConfig(bytes.NewReader(r.Track.Config))
	if err != nil {
		return nil, fmt.Errorf("%w: read AudioSpecificConfig: %w", ErrTrack, err)
	}
	if config.ObjectType != aac.AAClc || config.SBRPresentFlag {
		return nil, fmt.Errorf("%w: AAC object type %d", ErrTrack, config.ObjectType)
	}
	if r.Track.SampleRate != config.SamplingFrequency || r.Track.SampleRate <= 0 || r.Track.SampleRate > math.MaxUint16 {
		return nil, fmt.Errorf("%w: %d Hz in a track of %d Hz", ErrTrack, config.SamplingFrequency, r.Track.SampleRate)
	}
	r.Codec = fmt.Sprintf("mp4a.40.%d", config.ObjectType)
	esds := mp4.CreateEsdsBox(r.Track.Config)
	esds.DecConfigDescriptor.MaxBitrate = uint32(bitrate)
	esds.DecConfigDescriptor.AvgBitrate = uint32(bitrate)
	entry := mp4.CreateAudioSampleEntryBox("mp4a", uint16(r.Track.Channels), 16, uint16(r.Track.SampleRate), esds)
	entry.AddChild(bitrates(bitrate, bitrate))
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return []string{"caac"}, nil
}

func bitrates(average, highest int) *mp4.BtrtBox {
	return &mp4.BtrtBox{BufferSizeDB: uint32(highest / 8), MaxBitrate: uint32(highest), AvgBitrate: uint32(average)}
}
