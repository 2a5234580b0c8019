package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"millrace/internal/media"
)

// largestSet bounds the parameter sets that are followed, bytes.
const largestSet = 4096

// Follow is the track that an access unit belongs to which begins a sequence:
// another than t when it brings parameter sets of another size or rate, as
// encoders that change without a new configuration send them.
func (t NALTrack) Follow(unit []byte) NALTrack {
	sets := t.parameterSets(unit)
	kind := byte(h264.NALUTypeSPS)
	if t.Codec == media.HEVC {
		kind = byte(h265.NALUType_SPS_NUT)
	}
	if len(sets[kind]) == 0 || bytes.Equal(sets[kind][0], t.inBand) {
		return t
	}
	t.inBand = bytes.Clone(sets[kind][0])
	var other NALTrack
	var err error
	if t.Codec == media.HEVC {
		other, err = HEVCTrack(hevcRecord(t.Config, sets))
	} else {
		other, err = AVCTrack(avcRecord(t.Config, sets))
	}
	if err != nil || other.Width == t.Width && other.Height == t.Height && other.Rate == t.Rate {
		return t
	}
	t.Track = other.Track
	return t
}

// parameterSets are those in a unit, by their NAL unit type.
func (t NALTrack) parameterSets(unit []byte) map[byte][][]byte {
	sets := map[byte][][]byte{}
	for len(unit) >= 4 {
		n := int(binary.BigEndian.Uint32(unit))
		nal := unit[4 : 4+n]
		if unit = unit[4+n:]; n < 4 || n > largestSet {
			continue
		}
		kind := nal[0] & 0x1F
		if t.Codec == media.HEVC {
			kind = nal[0] >> 1 & 0x3F
		}
		switch {
		case len(sets[kind]) == 31: // as many as an avcC can list
		case t.Codec == media.H264 && (kind == 7 || kind == 8), t.Codec == media.HEVC && kind >= 32 && kind <= 34:
			sets[kind] = append(sets[kind], nal)
		}
	}
	return sets
}

// avcRecord is an AVCDecoderConfigurationRecord of the sets, what is missing
// being taken from another.
func avcRecord(old []byte, sets map[byte][][]byte) []byte {
	sps, pps := sets[byte(h264.NALUTypeSPS)], sets[byte(h264.NALUTypePPS)]
	if len(pps) == 0 {
		if _, rest, err := nalArray(old[6:], int(old[5]&0x1F)); err == nil && len(rest) > 0 {
			pps, _, _ = nalArray(rest[1:], int(rest[0]))
		}
	}
	record := append([]byte{1}, sps[0][1:4]...)
	record = append(record, 0xFF, 0xE0|byte(len(sps)))
	record = appendSets(record, sps)
	record = appendSets(append(record, byte(len(pps))), pps)
	var parsed h264.SPS
	switch sps[0][1] {
	case 100, 110, 122, 144: // §5.3.3.1.2
		if parsed.Unmarshal(sps[0]) == nil {
			record = append(record, 0xFC|byte(parsed.ChromaFormatIdc&3), 0xF8|byte(parsed.BitDepthLumaMinus8&7),
				0xF8|byte(parsed.BitDepthChromaMinus8&7), 0)
		}
	}
	return record
}

// hevcRecord is the same for HEVC.
func hevcRecord(old []byte, sets map[byte][][]byte) []byte {
	record := bytes.Clone(old[:23])
	rest := old[23:]
	for range old[22] {
		if len(rest) < 3 {
			return nil
		}
		kind := rest[0] & 0x3F
		units, after, err := nalArray(rest[3:], int(binary.BigEndian.Uint16(rest[1:])))
		if err != nil {
			return nil
		}
		if rest = after; len(sets[kind]) == 0 {
			sets[kind] = units
		}
	}
	const vps, sps, last = byte(h265.NALUType_VPS_NUT), byte(h265.NALUType_SPS_NUT), 64
	// The profile, tier and level stand behind the header and one byte.
	if plain := h264.EmulationPreventionRemove(sets[sps][0][2:]); len(plain) >= 13 {
		copy(record[1:13], plain[1:13])
	}
	var parsed h265.SPS
	if parsed.Unmarshal(sets[sps][0]) == nil {
		record[16] = 0xFC | byte(parsed.ChromaFormatIdc&3)
		record[17], record[18] = 0xF8|byte(parsed.BitDepthLumaMinus8&7), 0xF8|byte(parsed.BitDepthChromaMinus8&7)
	}
	record[22] = 0
	for kind := range byte(last) {
		kind = (kind + vps) % last // VPS, SPS and PPS come first
		if units := sets[kind]; len(units) > 0 {
			record[22]++
			record = append(record, kind)
			record = binary.BigEndian.AppendUint16(record, uint16(len(units)))
			record = appendSets(record, units)
		}
	}
	return record
}

// appendSets writes each set behind its 16-bit length.
func appendSets(out []byte, sets [][]byte) []byte {
	for _, set := range sets {
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(set))), set...)
	}
	return out
}

// rate is what an SPS says of its timing, zero where that is no rate.
func rate(timeScale, unitsPerPicture uint64) media.Rate {
	rate, err := media.ParseRate(fmt.Sprintf("%d/%d", timeScale, unitsPerPicture))
	if err != nil {
		return media.Rate{}
	}
	return rate
}
