package whep

import (
	"encoding/binary"

	"millrace/internal/media"
)

// H.264 over RTP (RFC 6184, packetization-mode 1).
const (
	nalMask      = 0x1f
	nalSPS       = 7
	nalDelimiter = 9
	nalFiller    = 12
	stapA        = 24
	fuA          = 28
	fuStart      = 0x80
	fuEnd        = 0x40

	// payloadSize keeps a packet within IPv6's least MTU, with all that is
	// around it: 1280 less IP, UDP, RTP, its extensions, RTX and the SRTP tag.
	payloadSize = 1190 // bytes
)

// frame is an access unit as RTP payloads, shared by all viewers and read-only.
type frame struct {
	rung      int      // soundRung: sound
	replay    []*frame // what came since a keyframe, to be sent at once; the frame itself is empty
	key       bool
	timestamp uint32
	payloads  [][]byte
	size      int // bytes
	due       media.Time
}

const soundRung = -1

// packetize makes payloads of NAL units behind 4-byte lengths, with parameter
// sets before them unless they bring their own.
func packetize(data []byte, sets [][]byte) (payloads [][]byte) {
	nals := units(data)
	for _, nal := range nals {
		if nal[0]&nalMask == nalSPS {
			sets = nil
		}
	}
	payloads = aggregate(payloads, sets)
	for _, nal := range nals {
		if len(nal) <= payloadSize {
			payloads = append(payloads, nal)
			continue
		}
		payloads = fragments(payloads, nal)
	}
	return payloads
}

// units are the NAL units that are worth sending.
func units(data []byte) (nals [][]byte) {
	for len(data) > 4 {
		n := int(binary.BigEndian.Uint32(data))
		if data = data[4:]; n > len(data) {
			return nals // not of our encoders
		}
		if n > 0 && data[0]&nalMask != nalDelimiter && data[0]&nalMask != nalFiller {
			nals = append(nals, data[:n:n])
		}
		data = data[n:]
	}
	return nals
}

// aggregate puts parameter sets into one packet (RFC 6184 §5.7.1), or as many
// as it takes.
func aggregate(payloads, sets [][]byte) [][]byte {
	var open []byte
	for _, set := range sets {
		if open != nil && len(open)+2+len(set) > payloadSize {
			payloads, open = append(payloads, open), nil
		}
		if 3+len(set) > payloadSize {
			payloads = fragments(payloads, set)
			continue
		}
		if open == nil {
			open = []byte{stapA | set[0]&0x60}
		}
		open = binary.BigEndian.AppendUint16(open, uint16(len(set)))
		open = append(open, set...)
	}
	if open != nil {
		payloads = append(payloads, open)
	}
	return payloads
}

// fragments splits a NAL unit (RFC 6184 §5.8), all but the last as large as
// fits: the kernel sends datagrams of one size in one call.
func fragments(payloads [][]byte, nal []byte) [][]byte {
	const room = payloadSize - 2
	body := nal[1:]
	count := (len(body) + room - 1) / room
	buffer := make([]byte, 0, len(body)+2*count)
	for i := range count {
		part := body[i*room : min((i+1)*room, len(body))]
		header := nal[0] & nalMask
		if i == 0 {
			header |= fuStart
		}
		if i == count-1 {
			header |= fuEnd
		}
		begin := len(buffer)
		buffer = append(append(buffer, fuA|nal[0]&0xe0, header), part...)
		payloads = append(payloads, buffer[begin:len(buffer):len(buffer)])
	}
	return payloads
}

// parameterSets are the SPS and PPS of an avcC (ISO/IEC 14496-15 §5.3.3.1.2).
func parameterSets(config []byte) (sets [][]byte) {
	if len(config) < 7 {
		return nil
	}
	rest := config[5:]
	for range 2 { // SPS, then PPS
		if len(rest) == 0 {
			return sets
		}
		count := int(rest[0] & nalMask)
		rest = rest[1:]
		for range count {
			if len(rest) < 2 {
				return sets
			}
			n := int(binary.BigEndian.Uint16(rest))
			if rest = rest[2:]; n == 0 || n > len(rest) {
				return sets
			}
			sets, rest = append(sets, rest[:n]), rest[n:]
		}
	}
	return sets
}
