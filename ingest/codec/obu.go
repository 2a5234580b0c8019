package codec

import (
	"fmt"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"

	"millrace/internal/media"
)

// AV1Track reads an AV1CodecConfigurationRecord (AV1 in ISOBMFF §2.3.3).
func AV1Track(record []byte) (*media.Track, error) {
	if len(record) < 4 || record[0] != 0x81 {
		return nil, fmt.Errorf("av1C of %d bytes", len(record))
	}
	t := &media.Track{
		ID: VideoID, Kind: media.Video, Codec: media.AV1, MIME: av1MIME(record), Config: slices.Clone(record),
	}
	for rest := record[4:]; len(rest) > 0; {
		obu, payload, after, ok := nextOBU(rest)
		if !ok {
			return nil, fmt.Errorf("av1C ends within an OBU")
		}
		if rest = after; obuType(obu) != av1.OBUTypeSequenceHeader {
			continue
		}
		var header av1.SequenceHeader
		// The library wants the OBU without its size and extension.
		if err := header.Unmarshal(append([]byte{obu[0] &^ 6}, payload...)); err != nil {
			return nil, fmt.Errorf("read sequence header: %w", err)
		}
		t.Width, t.Height = header.Width(), header.Height()
		return t, pictureSize(t)
	}
	return t, nil // the sequence header may stand in the stream only
}

// av1MIME is the codecs parameter of AV1 in ISOBMFF §5.
func av1MIME(record []byte) string {
	tier := byte('M')
	if record[2]&0x80 != 0 {
		tier = 'H'
	}
	depth := 8
	if record[2]&0x40 != 0 {
		depth = 10
		if record[2]&0x20 != 0 {
			depth = 12
		}
	}
	return fmt.Sprintf("av01.%d.%02d%c.%02d", record[1]>>5, record[1]&0x1F, tier, depth)
}

// TemporalUnit checks that data is whole OBUs and takes the temporal
// delimiters out. It is nil when it is not, or when nothing else is in it.
func TemporalUnit(data []byte) []byte {
	kept, delimiters := 0, false
	for rest := data; len(rest) > 0; {
		obu, _, after, ok := nextOBU(rest)
		if !ok {
			return nil
		}
		if rest = after; obuType(obu) == av1.OBUTypeTemporalDelimiter {
			delimiters = true
		} else {
			kept += len(obu)
		}
	}
	if kept == 0 || !delimiters {
		return data[:kept]
	}
	unit := make([]byte, 0, kept)
	for rest := data; len(rest) > 0; {
		obu, _, after, _ := nextOBU(rest)
		if rest = after; obuType(obu) != av1.OBUTypeTemporalDelimiter {
			unit = append(unit, obu...)
		}
	}
	return unit
}

func obuType(obu []byte) av1.OBUType { return av1.OBUType(obu[0] >> 3 & 0x0F) }

// nextOBU splits off the first OBU (AV1 §5.3). The last one of a sample may
// come without its size.
func nextOBU(b []byte) (obu, payload, rest []byte, ok bool) {
	const forbidden, extension, hasSize = 0x80, 4, 2
	header := 1
	if b[0]&extension != 0 {
		header = 2
	}
	if b[0]&forbidden != 0 || len(b) < header {
		return nil, nil, nil, false
	}
	if b[0]&hasSize == 0 {
		return b, b[header:], nil, true
	}
	var size av1.LEB128
	n, err := size.Unmarshal(b[header:])
	if err != nil || uint64(size) > uint64(len(b)-header-n) {
		return nil, nil, nil, false
	}
	end := header + n + int(size)
	return b[:end], b[header+n : end], b[end:], true
}
