package whip

import "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

// bits reads the beginning of a NAL unit, without emulation prevention.
type bits struct {
	data []byte
	at   int
}

func (b *bits) next() (bit uint, ok bool) {
	if b.at>>3 >= len(b.data) {
		return 0, false
	}
	bit = uint(b.data[b.at>>3]>>(7-b.at&7)) & 1
	b.at++
	return bit, true
}

// golomb reads ue(v) (ISO/IEC 14496-10 §9.1) of at most 32 bits.
func (b *bits) golomb() (value uint, ok bool) {
	zeros := 0
	for {
		bit, ok := b.next()
		if !ok || zeros > 31 {
			return 0, false
		}
		if bit == 1 {
			break
		}
		zeros++
	}
	value = 1
	for range zeros {
		bit, ok := b.next()
		if !ok {
			return 0, false
		}
		value = value<<1 | bit
	}
	return value - 1, true
}

// recoveryPoint finds the SEI message from which decoding may begin without an
// IDR picture (ISO/IEC 14496-10 §D.1.8): intra refresh has no other sign.
func recoveryPoint(nal []byte) bool {
	const kindRecovery = 6
	p := h264.EmulationPreventionRemove(nal[1:min(len(nal), 256)])
	for len(p) >= 2 {
		var kind, size int
		if kind, p = seiNumber(p); len(p) == 0 {
			return false
		}
		if kind == kindRecovery {
			return true
		}
		if size, p = seiNumber(p); size >= len(p) {
			return false
		}
		p = p[size:]
	}
	return false
}

func seiNumber(p []byte) (n int, rest []byte) {
	for len(p) > 0 && p[0] == 0xff {
		n += 255
		p = p[1:]
	}
	if len(p) == 0 {
		return n, nil
	}
	return n + int(p[0]), p[1:]
}
