package whip

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"millrace/internal/media"
	"millrace/internal/rtc"
)

// H.264 over RTP (RFC 6184, packetization-mode 1).
const (
	nalMask   = 0x1f
	stapA     = 24
	fuA       = 28
	fuStart   = 0x80
	fuEnd     = 0x40
	maxSets   = 16
	maxSet    = 4096 // bytes; a larger parameter set is taken for damage
	maxUnits  = 4096 // NAL units of a frame
	forbidden = 0x80 // forbidden_zero_bit
	refIdc    = 0x60 // nal_ref_idc
)

// h264Format makes access units with 4-byte lengths. Its track follows the
// parameter sets in the stream.
type h264Format struct {
	sps, pps [][]byte // in force
	track    *media.Track
}

// newH264Format takes the parameter sets of the offer, if it has any.
func newH264Format(c rtc.Codec) *h264Format {
	f := &h264Format{}
	var changed bool
	for text := range strings.SplitSeq(c.Parameter("sprop-parameter-sets"), ",") {
		if nal, err := base64.StdEncoding.DecodeString(text); err == nil && len(nal) > 0 {
			changed = f.learn(nal) || changed
		}
	}
	f.describe(changed)
	return f
}

// begins: an access unit begins with a delimiter, a parameter set, SEI, or a
// slice of the first macroblock.
func (f *h264Format) begins(payload []byte) bool {
	nal := payload
	switch payload[0] & nalMask {
	case stapA:
		if len(payload) < 4 {
			return false
		}
		nal = payload[3:]
	case fuA:
		if len(payload) < 3 || payload[1]&fuStart == 0 {
			return false
		}
		nal = append([]byte{payload[1] & nalMask}, payload[2])
	}
	switch h264.NALUType(nal[0] & nalMask) {
	case h264.NALUTypeIDR, h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA:
		return len(nal) > 1 && nal[1]&0x80 != 0 // first_mb_in_slice is 0
	}
	return true
}

func (f *h264Format) unit(payloads [][]byte) (u unit, err error) {
	nals, err := nalUnits(payloads)
	if err != nil {
		return u, err
	}
	var kept [][]byte
	var changed, picture bool
	size := 0
	for _, nal := range nals {
		switch h264.NALUType(nal[0] & nalMask) {
		case h264.NALUTypeSPS, h264.NALUTypePPS:
			changed = f.learn(nal) || changed
		case h264.NALUTypeSEI:
			u.key = u.key || recoveryPoint(nal)
		case h264.NALUTypeIDR:
			u.key, picture = true, true
		case h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA:
			picture = true
		case h264.NALUTypeAccessUnitDelimiter, h264.NALUTypeEndOfSequence, h264.NALUTypeEndOfStream, h264.NALUTypeFillerData:
			continue
		}
		kept = append(kept, nal)
		size += 4 + len(nal)
	}
	f.describe(changed)
	if !picture {
		return unit{}, nil
	}
	u.track = f.track
	u.data = make([]byte, 0, size)
	for _, nal := range kept {
		u.data = binary.BigEndian.AppendUint32(u.data, uint32(len(nal)))
		u.data = append(u.data, nal...)
	}
	return u, nil
}

// nalUnits takes payloads apart.
func nalUnits(payloads [][]byte) (nals [][]byte, err error) {
	var fragments []byte // of a NAL unit; nil: none is open
	for _, p := range payloads {
		switch kind := p[0] & nalMask; {
		case len(nals) > maxUnits:
			return nil, fmt.Errorf("%w: more than %d NAL units", errMalformed, maxUnits)
		case kind == fuA:
			if fragments, err = joinFragment(fragments, p); err != nil {
				return nil, err
			}
			if p[1]&fuEnd != 0 {
				nals, fragments = append(nals, fragments), nil
			}
		case kind == stapA:
			if nals, err = splitAggregate(nals, p[1:]); err != nil {
				return nil, err
			}
		case kind == 0, kind > stapA, p[0]&forbidden != 0:
			return nil, fmt.Errorf("%w: packet of type %d", errMalformed, kind)
		default:
			nals = append(nals, p)
		}
	}
	if fragments != nil {
		return nil, fmt.Errorf("%w: a NAL unit without end", errMalformed)
	}
	return nals, nil
}

// joinFragment is RFC 6184 §5.8.
func joinFragment(open, p []byte) ([]byte, error) {
	if len(p) < 3 {
		return nil, fmt.Errorf("%w: short FU-A", errMalformed)
	}
	start := p[1]&fuStart != 0
	if start != (open == nil) {
		return nil, fmt.Errorf("%w: FU-A out of order", errMalformed)
	}
	if start {
		open = append(make([]byte, 0, 8*len(p)), p[0]&(forbidden|refIdc)|p[1]&nalMask)
	}
	return append(open, p[2:]...), nil
}

// splitAggregate is RFC 6184 §5.7.1.
func splitAggregate(nals [][]byte, p []byte) ([][]byte, error) {
	for len(p) > 0 {
		if len(p) < 2 {
			return nil, fmt.Errorf("%w: short STAP-A", errMalformed)
		}
		n := int(binary.BigEndian.Uint16(p))
		if p = p[2:]; n > len(p) {
			return nil, fmt.Errorf("%w: STAP-A ends early", errMalformed)
		}
		if n > 0 {
			nals = append(nals, p[:n])
		}
		p = p[n:]
	}
	return nals, nil
}

// learn takes a parameter set; changed: it is another than the one in force.
func (f *h264Format) learn(nal []byte) (changed bool) {
	if len(nal) > maxSet {
		return false
	}
	sets := &f.pps
	if h264.NALUType(nal[0]&nalMask) == h264.NALUTypeSPS {
		var sps h264.SPS
		if len(nal) < 4 || sps.Unmarshal(nal) != nil || !plausible(sps.Width(), sps.Height()) {
			return false
		}
		sets = &f.sps
	}
	id, ok := setID(nal)
	if !ok {
		return false
	}
	for i, set := range *sets {
		if other, _ := setID(set); other == id {
			changed = !bytes.Equal(set, nal)
			(*sets)[i] = nal
			return changed
		}
	}
	if len(*sets) == maxSets {
		*sets = slices.Delete(*sets, 0, 1)
	}
	*sets = append(*sets, nal)
	return true
}

// setID is a parameter set's own id.
func setID(nal []byte) (id uint, ok bool) {
	b := bits{data: nal[1:]}
	if h264.NALUType(nal[0]&nalMask) == h264.NALUTypeSPS {
		b.data = nal[min(4, len(nal)):] // behind profile and level
	}
	return b.golomb()
}

// describe makes a new track of changed parameter sets, with its avcC (ISO/IEC
// 14496-15 §5.3.3.1.2).
func (f *h264Format) describe(changed bool) {
	if !changed || len(f.sps) == 0 || len(f.pps) == 0 {
		return
	}
	var sps h264.SPS
	first := f.sps[len(f.sps)-1]
	if sps.Unmarshal(first) != nil {
		return
	}
	config := append([]byte{1}, first[1:4]...)
	config = append(config, 0xff, 0xe0|byte(len(f.sps)))
	config = appendSets(config, f.sps)
	config = appendSets(append(config, byte(len(f.pps))), f.pps)
	switch first[1] {
	case 100, 110, 122, 144:
		config = append(config, 0xfc|byte(sps.ChromaFormatIdc&3), 0xf8|byte(sps.BitDepthLumaMinus8&7), 0xf8|byte(sps.BitDepthChromaMinus8&7), 0)
	}
	f.track = &media.Track{
		ID: videoID, Kind: media.Video, Codec: media.H264, Config: config,
		MIME:  fmt.Sprintf("avc1.%02x%02x%02x", first[1], first[2], first[3]),
		Width: sps.Width(), Height: sps.Height(),
	}
}

func appendSets(out []byte, sets [][]byte) []byte {
	for _, set := range sets {
		out = binary.BigEndian.AppendUint16(out, uint16(len(set)))
		out = append(out, set...)
	}
	return out
}
