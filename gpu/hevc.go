package gpu

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/hevc"

	"millrace/internal/media"
)

// slicesHEVC turns an Annex B access unit into its slices behind 4-byte lengths:
// parameter sets, delimiters and SEI are left out. key is true for an IDR.
func slicesHEVC(stream []byte) (unit []byte, key bool) {
	unit = make([]byte, 0, len(stream)+16)
	for _, nal := range nalUnits(stream) {
		kind := hevc.GetNaluType(nal[0])
		if !hevc.IsVideoNaluType(kind) {
			continue
		}
		key = key || kind == hevc.NALU_IDR_W_RADL || kind == hevc.NALU_IDR_N_LP
		unit = binary.BigEndian.AppendUint32(unit, uint32(len(nal)))
		unit = append(unit, nal...)
	}
	return unit, key
}

// trackOfHEVC describes an encoder's stream from its Annex B parameter sets.
func trackOfHEVC(config EncoderConfig, header []byte) (*media.Track, error) {
	sets := map[hevc.NaluType][][]byte{}
	for _, nal := range nalUnits(header) {
		kind := hevc.GetNaluType(nal[0])
		sets[kind] = append(sets[kind], nal)
	}
	vps, sps, pps := sets[hevc.NALU_VPS], sets[hevc.NALU_SPS], sets[hevc.NALU_PPS]
	if len(vps) == 0 || len(sps) == 0 || len(pps) == 0 {
		return nil, errors.New("no parameter sets")
	}
	sequence, err := hevc.ParseSPSNALUnit(sps[0])
	if err != nil {
		return nil, fmt.Errorf("read SPS: %w", err)
	}
	if width, height := sequence.ImageSize(); int(width) != config.Size.Width || int(height) != config.Size.Height {
		return nil, fmt.Errorf("the encoder's SPS says %dx%d, not %v", width, height, config.Size)
	}
	record, err := hevc.CreateHEVCDecConfRec(vps, sps, pps, true, true, true, true)
	if err != nil {
		return nil, fmt.Errorf("build hvcC: %w", err)
	}
	record.NumTemporalLayers, record.TemporalIDNested = sequence.MaxSubLayersMinus1+1, 0
	if sequence.TemporalIDNestingFlag {
		record.TemporalIDNested = 1
	}
	var out bytes.Buffer
	if err := record.Encode(&out); err != nil {
		return nil, fmt.Errorf("write hvcC: %w", err)
	}
	return &media.Track{
		ID: config.ID, Kind: media.Video, Codec: media.HEVC, MIME: hevc.CodecString("hvc1", sequence), Config: out.Bytes(),
		Width: config.Size.Width, Height: config.Size.Height, Rate: config.Rate,
	}, nil
}
