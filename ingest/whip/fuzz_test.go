package whip

import (
	"encoding/binary"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// split makes payloads of fuzzed bytes: each behind a length.
func split(data []byte) (payloads [][]byte) {
	for len(data) >= 2 {
		n := min(int(binary.BigEndian.Uint16(data)%1500)+1, len(data)-2)
		if data = data[2:]; n == 0 {
			break
		}
		payloads, data = append(payloads, data[:n]), data[n:]
	}
	return payloads
}

func joined(payloads [][]byte) (data []byte) {
	for _, p := range payloads {
		data = append(binary.BigEndian.AppendUint16(data, uint16(len(p)-1)), p...)
	}
	return data
}

// FuzzFormats: whatever a publisher sends is a frame or an error.
func FuzzFormats(f *testing.F) {
	pictures := []picture{h264Picture, vp8Picture, vp9Picture, av1Picture}
	payloaders := []rtp.Payloader{&codecs.H264Payloader{}, &codecs.VP8Payloader{}, &codecs.VP9Payloader{}, &codecs.AV1Payloader{}}
	for i, picture := range pictures {
		for n := range 2 {
			sent, _ := picture(n, n == 0)
			f.Add(uint8(i), joined(payloaders[i].Payload(1000, sent)))
		}
	}
	f.Add(uint8(4), joined([][]byte{opusPacket(0)}))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		names := []string{"H264", "VP8", "VP9", "AV1", "OPUS"}
		format := formatOf(codecOf(names[int(which)%len(names)], ""))
		payloads := split(data)
		if len(payloads) == 0 {
			return
		}
		format.begins(payloads[0])
		u, err := format.unit(payloads)
		if err == nil && len(u.data) > 4*len(data)+1024 {
			t.Fatalf("%d bytes out of %d", len(u.data), len(data))
		}
	})
}
