package worker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/bits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// parameterSets are the sequence and picture parameter sets of an avcC, as far
// as the head of a slice needs them.
type parameterSets struct {
	units    [][]byte             // every NAL unit, as it stands in the avcC
	sequence map[uint32]*h264.SPS // by seq_parameter_set_id
	picture  map[uint32]uint32    // pic_parameter_set_id to seq_parameter_set_id
}

var errAVCC = errors.New("not an avcC")

// parseAVCC reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
func parseAVCC(config []byte) (*parameterSets, error) {
	if len(config) < 7 || config[0] != 1 || config[4]&3 != 3 {
		return nil, fmt.Errorf("%w with 4-byte lengths", errAVCC)
	}
	sets := &parameterSets{sequence: map[uint32]*h264.SPS{}, picture: map[uint32]uint32{}}
	rest := config[5:]
	for _, mask := range []byte{0x1f, 0xff} { // numOfSequenceParameterSets has 3 reserved bits
		count, ok := take(&rest, 1)
		if !ok {
			return nil, fmt.Errorf("%w: cut short", errAVCC)
		}
		for range count[0] & mask {
			size, ok := take(&rest, 2)
			if ok {
				size, ok = take(&rest, uint32(binary.BigEndian.Uint16(size)))
			}
			if !ok {
				return nil, fmt.Errorf("%w: cut short", errAVCC)
			}
			if err := sets.add(size); err != nil {
				return nil, err
			}
		}
	}
	return sets, nil
}

func (s *parameterSets) add(unit []byte) error {
	if len(unit) < 2 {
		return fmt.Errorf("%w: empty parameter set", errAVCC)
	}
	s.units = append(s.units, unit)
	switch h264.NALUType(unit[0] & 0x1f) {
	case h264.NALUTypeSPS:
		sps := &h264.SPS{}
		if err := sps.Unmarshal(unit); err != nil {
			return fmt.Errorf("%w: sequence parameter set: %w", errAVCC, err)
		}
		s.sequence[sps.ID] = sps
	case h264.NALUTypePPS:
		body := h264.EmulationPreventionRemove(unit[1:])
		position := 0
		picture, err := bits.ReadGolombUnsigned(body, &position)
		if err != nil {
			return fmt.Errorf("%w: picture parameter set: %w", errAVCC, err)
		}
		sequence, err := bits.ReadGolombUnsigned(body, &position)
		if err != nil {
			return fmt.Errorf("%w: picture parameter set: %w", errAVCC, err)
		}
		s.picture[picture] = sequence
	}
	return nil
}

// sliceHead is how much of a slice is looked at, in bytes: idr_pic_id ends
// within 27 at the longest codes there can be.
const sliceHead = 64

// idrPicID is idr_pic_id of an access unit (ISO/IEC 14496-10 7.3.3), which
// must differ between consecutive IDR pictures; false when it is no IDR or
// cannot be read.
func (s *parameterSets) idrPicID(unit []byte) (uint32, bool) {
	for len(unit) >= 4 {
		size, _ := take(&unit, 4)
		nal, ok := take(&unit, binary.BigEndian.Uint32(size))
		if !ok {
			return 0, false
		}
		if len(nal) > 1 && h264.NALUType(nal[0]&0x1f) == h264.NALUTypeIDR {
			return s.sliceIDRPicID(nal[1:min(len(nal), sliceHead)])
		}
	}
	return 0, false
}

func (s *parameterSets) sliceIDRPicID(slice []byte) (uint32, bool) {
	data := h264.EmulationPreventionRemove(slice)
	position := 0
	var fields [3]uint32 // first_mb_in_slice, slice_type, pic_parameter_set_id
	for i := range fields {
		var err error
		if fields[i], err = bits.ReadGolombUnsigned(data, &position); err != nil {
			return 0, false
		}
	}
	sequence, known := s.picture[fields[2]]
	sps := s.sequence[sequence]
	if !known || sps == nil || sps.Log2MaxFrameNumMinus4 > 12 {
		return 0, false
	}
	skip := int(sps.Log2MaxFrameNumMinus4) + 4 // frame_num
	if sps.SeparateColourPlaneFlag {
		skip += 2 // colour_plane_id
	}
	if _, err := bits.ReadBits(data, &position, skip); err != nil {
		return 0, false
	}
	if !sps.FrameMbsOnlyFlag {
		field, err := bits.ReadFlag(data, &position) // field_pic_flag
		if err != nil {
			return 0, false
		}
		if field {
			position++ // bottom_field_flag; a read past the end fails below
		}
	}
	if position > 8*len(data) {
		return 0, false
	}
	id, err := bits.ReadGolombUnsigned(data, &position)
	return id, err == nil
}
