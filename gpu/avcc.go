package gpu

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/Eyevinn/mp4ff/avc"

	"millrace/internal/media"
)

// slices264 turns an Annex B access unit into its slices behind 4-byte lengths:
// parameter sets, delimiters, SEI (x264's version string) and padding are left
// out. key is true for an IDR.
func slices264(stream []byte) (unit []byte, key bool) {
	unit = make([]byte, 0, len(stream)+16)
	for _, nal := range nalUnits(stream) {
		switch avc.GetNaluType(nal[0]) {
		case avc.NALU_IDR:
			key = true
		case avc.NALU_NON_IDR:
		default:
			continue
		}
		unit = binary.BigEndian.AppendUint32(unit, uint32(len(nal)))
		unit = append(unit, nal...)
	}
	return unit, key
}

// nalUnits splits an Annex B byte stream (H.264 B.1), without copying.
func nalUnits(stream []byte) (nals [][]byte) {
	start := []byte{0, 0, 1}
	_, rest, found := bytes.Cut(stream, start)
	for found {
		var nal []byte
		nal, rest, found = bytes.Cut(rest, start)
		// A NAL unit ends in a stop bit: zeros behind it belong to the next start code.
		if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 {
			nals = append(nals, nal)
		}
	}
	return nals
}

// startCodes turns NAL units behind 4-byte lengths into an Annex B copy; what
// follows a length beyond the end is left out.
func startCodes(unit []byte) []byte {
	stream := bytes.Clone(unit)
	for at := 0; at+4 <= len(stream); {
		n := int(binary.BigEndian.Uint32(stream[at:]))
		if n > len(stream)-at-4 {
			return stream[:at]
		}
		copy(stream[at:], []byte{0, 0, 0, 1})
		at += 4 + n
	}
	return stream
}

// trackOf describes an encoder's stream from its Annex B parameter sets.
func trackOf(config EncoderConfig, header []byte) (*media.Track, error) {
	var sps, pps [][]byte
	for _, nal := range nalUnits(header) {
		switch avc.GetNaluType(nal[0]) {
		case avc.NALU_SPS:
			sps = append(sps, nal)
		case avc.NALU_PPS:
			pps = append(pps, nal)
		}
	}
	record, err := decoderConfig(sps, pps)
	if err != nil {
		return nil, err
	}
	return &media.Track{
		ID: config.ID, Kind: media.Video, Codec: media.H264,
		MIME:   fmt.Sprintf("avc1.%02x%02x%02x", sps[0][1], sps[0][2], sps[0][3]),
		Config: record,
		Width:  config.Size.Width, Height: config.Size.Height, Rate: config.Rate,
	}, nil
}

// decoderConfig is the avcC with those parameter sets (ISO/IEC 14496-15, 5.3.3).
func decoderConfig(sps, pps [][]byte) ([]byte, error) {
	if len(sps) == 0 || len(pps) == 0 {
		return nil, errors.New("no parameter sets")
	}
	record, err := avc.CreateAVCDecConfRec(sps, pps, true)
	if err != nil {
		return nil, fmt.Errorf("build avcC: %w", err)
	}
	var out bytes.Buffer
	if err := record.Encode(&out); err != nil {
		return nil, fmt.Errorf("write avcC: %w", err)
	}
	return out.Bytes(), nil
}

// JoinParameterSets is the avcC with the parameter sets of several encoders
// that may carry one rung in turn. They must differ in their ids and agree on
// profile, level, size and VUI, so that one init section serves them all.
func JoinParameterSets(tracks ...*media.Track) ([]byte, error) {
	var sps, pps [][]byte
	var first *avc.SPS
	ids := map[uint32]bool{}
	for _, track := range tracks {
		record, err := avc.DecodeAVCDecConfRec(track.Config)
		if err != nil {
			return nil, fmt.Errorf("read avcC of track %q: %w", track.ID, err)
		}
		for _, nal := range record.SPSnalus {
			set, err := avc.ParseSPSNALUnit(nal, true)
			if err != nil {
				return nil, fmt.Errorf("read SPS of track %q: %w", track.ID, err)
			}
			if ids[set.ParameterID] {
				return nil, fmt.Errorf("join parameter sets: SPS id %d is there twice", set.ParameterID)
			}
			ids[set.ParameterID] = true
			if first == nil {
				first = set
			}
			if err := agree(first, set); err != nil {
				return nil, err
			}
		}
		sps, pps = append(sps, record.SPSnalus...), append(pps, record.PPSnalus...)
	}
	return decoderConfig(sps, pps)
}

// Lists says whether an avcC has every parameter set of a track.
func Lists(config []byte, track *media.Track) bool {
	all, err := avc.DecodeAVCDecConfRec(config)
	if err != nil {
		return false
	}
	own, err := avc.DecodeAVCDecConfRec(track.Config)
	if err != nil {
		return false
	}
	known := append(slices.Clone(all.SPSnalus), all.PPSnalus...)
	for _, set := range append(slices.Clone(own.SPSnalus), own.PPSnalus...) {
		if !slices.ContainsFunc(known, func(other []byte) bool { return bytes.Equal(other, set) }) {
			return false
		}
	}
	return true
}

// agree says in what two sequences differ that one init section must describe.
// What a decoder sizes itself by (reference frames, the VUI's bitstream
// restriction) may differ within the level, and so may the VUI's buffering.
func agree(a, b *avc.SPS) error {
	av, bv := a.VUI, b.VUI
	if av == nil || bv == nil {
		return errors.New("join parameter sets: an SPS has no VUI")
	}
	differ := ""
	switch {
	case a.Profile != b.Profile || a.ConstraintFlags() != b.ConstraintFlags():
		differ = "profile"
	case a.Level != b.Level:
		differ = "level"
	case a.Width != b.Width || a.Height != b.Height || a.ChromaFormatIDC != b.ChromaFormatIDC:
		differ = "size"
	case !reflect.DeepEqual(display(av), display(bv)) || !samePace(av, bv):
		differ = "VUI"
	}
	if differ != "" {
		return fmt.Errorf("join parameter sets: the encoders differ in %s", differ)
	}
	return nil
}

// samePace says whether both count the same time for a picture, where both say so.
func samePace(a, b *avc.VUIParameters) bool {
	return !a.TimingInfoPresentFlag || !b.TimingInfoPresentFlag || a.NumUnitsInTick*b.TimeScale == b.NumUnitsInTick*a.TimeScale
}

// display is the part of the VUI that says how to show the pictures. How the stream
// times and buffers itself beside that (fixed rate, HRD) differs between makes of
// encoder, and whoever plays takes both from the container.
func display(v *avc.VUIParameters) avc.VUIParameters {
	return avc.VUIParameters{
		SampleAspectRatioWidth: v.SampleAspectRatioWidth, SampleAspectRatioHeight: v.SampleAspectRatioHeight,
		OverscanInfoPresentFlag: v.OverscanInfoPresentFlag, OverscanAppropriateFlag: v.OverscanAppropriateFlag,
		VideoSignalTypePresentFlag: v.VideoSignalTypePresentFlag, VideoFormat: v.VideoFormat, VideoFullRangeFlag: v.VideoFullRangeFlag,
		ColourDescriptionFlag: v.ColourDescriptionFlag, ColourPrimaries: v.ColourPrimaries,
		TransferCharacteristics: v.TransferCharacteristics, MatrixCoefficients: v.MatrixCoefficients,
		ChromaLocInfoPresentFlag:    v.ChromaLocInfoPresentFlag,
		ChromaSampleLocTypeTopField: v.ChromaSampleLocTypeTopField, ChromaSampleLocTypeBottomField: v.ChromaSampleLocTypeBottomField,
	}
}
