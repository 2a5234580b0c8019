package mpegts

import (
	"bytes"
	"encoding/binary"
)

var startCode = []byte{0, 0, 1}

// units splits an Annex B byte stream into its NAL units (ISO/IEC 14496-10
// Annex B), without copying.
func units(p []byte) (list [][]byte) {
	begin := bytes.Index(p, startCode)
	if begin < 0 {
		return nil
	}
	for p = p[begin+3:]; ; {
		end := bytes.Index(p, startCode)
		nal := p
		if end >= 0 {
			nal = p[:end]
		}
		nal = bytes.TrimRight(nal, "\x00")
		if len(nal) > 0 {
			list = append(list, nal)
		}
		if end < 0 {
			return list
		}
		p = p[end+3:]
	}
}

// joined lays NAL units out behind 4-byte lengths.
func joined(list [][]byte) []byte {
	size := 0
	for _, nal := range list {
		size += 4 + len(nal)
	}
	out := make([]byte, 0, size)
	for _, nal := range list {
		out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
		out = append(out, nal...)
	}
	return out
}

// bitReader reads the beginning of a NAL unit, without emulation prevention.
type bitReader struct {
	data []byte
	at   int // bits
}

func (r *bitReader) bit() (b uint, ok bool) {
	if r.at>>3 >= len(r.data) {
		return 0, false
	}
	b = uint(r.data[r.at>>3]>>(7-r.at&7)) & 1
	r.at++
	return b, true
}

// golomb reads ue(v) (ISO/IEC 14496-10 §9.1) of at most 32 bits.
func (r *bitReader) golomb() (value uint, ok bool) {
	zeros := 0
	for {
		b, ok := r.bit()
		if !ok || zeros > 31 {
			return 0, false
		}
		if b == 1 {
			break
		}
		zeros++
	}
	value = 1
	for range zeros {
		b, ok := r.bit()
		if !ok {
			return 0, false
		}
		value = value<<1 | b
	}
	return value - 1, true
}
