package whep

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// FuzzPayloads packs what a publisher may have sent: whatever it is, each
// payload fits into a packet, and no more leaves than came.
func FuzzPayloads(f *testing.F) {
	f.Add(uint8(0), picture(0, 0, true), avcC("64001f"))
	f.Add(uint8(1), []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 48, 0}, []byte(nil))
	f.Add(uint8(2), []byte{0x82, 0x49, 0x83, 0x42, 0}, []byte(nil))
	f.Add(uint8(3), []byte{0x0a, 3, 1, 2, 3, 0x32, 2, 9, 9}, []byte(nil))
	f.Add(uint8(3), []byte{0x36, 0x08, 0x80}, []byte(nil))
	f.Fuzz(func(t *testing.T, codec uint8, data, config []byte) {
		codecs := []media.Codec{media.H264, media.VP8, media.VP9, media.AV1}
		track := &media.Track{ID: "video", Kind: media.Video, Codec: codecs[int(codec)%len(codecs)], Config: config}
		r := &rung{Rung: Rung{ID: "video", Track: track}, sets: setsOf(track)}
		made := r.frame(&media.Packet{Track: track, Key: true, Data: data})
		for _, payload := range made.payloads {
			require.NotEmpty(t, payload)
			require.LessOrEqual(t, len(payload), payloadSize)
		}
		require.LessOrEqual(t, made.size, 4*(len(data)+len(config))+16)
	})
}
