package whip

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/pion/rtp/codecs"

	"millrace/internal/media"
)

// av1Format is the AV1 RTP payload format of the Alliance for Open Media.
type av1Format struct{ track *media.Track }

// begins: the first OBU does not go on from the packet before (Z is 0).
func (f *av1Format) begins(payload []byte) bool { return payload[0]&0x80 == 0 }

func (f *av1Format) unit(payloads [][]byte) (u unit, err error) {
	var d codecs.AV1Depacketizer
	for i, payload := range payloads {
		if i == 0 && !f.begins(payload) {
			return u, fmt.Errorf("%w: a temporal unit that begins in the middle", errMalformed)
		}
		part, err := d.Unmarshal(payload)
		if err != nil {
			return u, fmt.Errorf("%w: %w", errMalformed, err)
		}
		u.data = append(u.data, part...)
	}
	if d.Y {
		return u, fmt.Errorf("%w: an OBU without end", errMalformed)
	}
	for rest := u.data; len(rest) > 0; {
		obu, payload, after, ok := nextOBU(rest)
		if !ok {
			return u, fmt.Errorf("%w: an OBU that ends early", errMalformed)
		}
		if rest = after; av1.OBUType(obu[0]>>3&0x0f) == av1.OBUTypeSequenceHeader {
			u.key = true // a sequence header comes with keyframes
			// The library wants the OBU without its size and extension.
			if err := f.describe(append([]byte{obu[0] &^ 6}, payload...)); err != nil {
				return u, err
			}
		}
	}
	u.track = f.track
	return u, nil
}

func (f *av1Format) describe(obu []byte) (err error) {
	var h av1.SequenceHeader
	if err := h.Unmarshal(obu); err != nil {
		return fmt.Errorf("%w: sequence header: %w", errMalformed, err)
	}
	level, tier := uint8(0), byte('M')
	if len(h.SeqLevelIdx) > 0 {
		level = h.SeqLevelIdx[0]
	}
	if len(h.SeqTier) > 0 && h.SeqTier[0] {
		tier = 'H'
	}
	mime := fmt.Sprintf("av01.%d.%02d%c.%02d", h.SeqProfile, level, tier, h.ColorConfig.BitDepth)
	f.track, err = sized(f.track, media.AV1, mime, h.Width(), h.Height())
	return err
}

// nextOBU splits off the first OBU (AV1 §5.3), which has its size.
func nextOBU(b []byte) (obu, payload, rest []byte, ok bool) {
	const reserved, extension, hasSize = 0x80, 4, 2
	header := 1
	if b[0]&extension != 0 {
		header = 2
	}
	if b[0]&reserved != 0 || b[0]&hasSize == 0 || len(b) <= header {
		return nil, nil, nil, false
	}
	var size av1.LEB128
	n, err := size.Unmarshal(b[header:])
	if err != nil || uint64(size) > uint64(len(b)-header-n) {
		return nil, nil, nil, false
	}
	end := header + n + int(size)
	return b[:end], b[header+n : end], b[end:], true
}
