package whep

import (
	"github.com/pion/rtp/codecs"

	"millrace/internal/media"
)

// payloadsOf makes RTP payloads of an access unit. sets are H.264's parameter
// sets that belong before it.
func payloadsOf(packet *media.Packet, sets [][]byte) [][]byte {
	switch packet.Track.Codec {
	case media.H264:
		return packetize(packet.Data, sets)
	case media.VP8:
		return described(packet.Data, vp8Descriptor)
	case media.VP9:
		return described(packet.Data, vp9Descriptor(packet.Key))
	case media.AV1:
		return (&codecs.AV1Payloader{}).Payload(payloadSize, packet.Data)
	}
	return nil
}

// sendable says whether a viewer can be sent a codec's packets as they are.
func sendable(c media.Codec) bool {
	switch c {
	case media.H264, media.VP8, media.VP9, media.AV1, media.Opus:
		return true
	}
	return false
}

// setsOf are the parameter sets of a track.
func setsOf(t *media.Track) [][]byte {
	if t.Codec != media.H264 {
		return nil
	}
	return parameterSets(t.Config)
}

// described splits a frame and puts a descriptor of one byte before each part.
// Neither VP8 nor VP9 needs a picture ID, and one would say of what is sent
// again that it is old.
func described(data []byte, descriptor func(first, last bool) byte) (payloads [][]byte) {
	const room = payloadSize - 1
	count := (len(data) + room - 1) / room
	buffer := make([]byte, 0, len(data)+count)
	for i := range count {
		begin := len(buffer)
		buffer = append(buffer, descriptor(i == 0, i == count-1))
		buffer = append(buffer, data[i*room:min((i+1)*room, len(data))]...)
		payloads = append(payloads, buffer[begin:len(buffer):len(buffer)])
	}
	return payloads
}

// vp8Descriptor is RFC 7741 §4.2's first byte: S at the beginning of the frame.
func vp8Descriptor(first, _ bool) byte {
	if first {
		return 0x10
	}
	return 0
}

// vp9Descriptor is RFC 9628 §4.2's first byte: P unless it is a keyframe, B and
// E at the ends of the frame.
func vp9Descriptor(key bool) func(first, last bool) byte {
	return func(first, last bool) (b byte) {
		if !key {
			b |= 0x40
		}
		if first {
			b |= 0x08
		}
		if last {
			b |= 0x04
		}
		return b
	}
}
