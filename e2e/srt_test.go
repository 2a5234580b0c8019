package e2e

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The handshake of SRT (draft-sharabayko-srt §3.2.1 and §4.3.1), written out,
// because ffmpeg does not print why it was refused.
const (
	srtHeader     = 16 // bytes
	srtHandshake  = 48
	srtInduction  = 1
	srtConclusion = 0xffffffff
	srtFailure    = 1000 // handshake types from here on are rejection codes
)

// srtRefusal calls a listener with a stream ID and gives the rejection code; 0
// where the caller is let in, and then leaves.
func srtRefusal(t *testing.T, address, streamID string) int {
	t.Helper()
	conn, err := net.Dial("udp", address)
	require.NoError(t, err)
	defer conn.Close()
	induction := srtExchange(t, conn, srtRequest(4, 2, srtInduction, 0, nil))
	cookie := binary.BigEndian.Uint32(induction[srtHeader+28:])

	const handshakeRequest, streamIDExtension = 1, 5
	extensions := append([]byte{0, handshakeRequest, 0, 3}, 0, 1, 5, 1, 0, 0, 0, 0xbf, 0, 120, 0, 120)
	padded := append([]byte(streamID), make([]byte, -len(streamID)&3)...)
	if len(padded) > 0 {
		extensions = binary.BigEndian.AppendUint16(extensions, streamIDExtension)
		extensions = binary.BigEndian.AppendUint16(extensions, uint16(len(padded)/4))
	}
	for ; len(padded) > 0; padded = padded[4:] { // each word is turned round (§3.2.1.3)
		extensions = append(extensions, padded[3], padded[2], padded[1], padded[0])
	}
	answer := srtExchange(t, conn, srtRequest(5, 1|4, srtConclusion, cookie, extensions))
	kind := binary.BigEndian.Uint32(answer[srtHeader+20:])
	if kind == srtConclusion {
		shutdown := binary.BigEndian.AppendUint32([]byte{0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
			binary.BigEndian.Uint32(answer[srtHeader+24:]))
		_, err = conn.Write(append(shutdown, 0, 0, 0, 0))
		require.NoError(t, err)
		return 0
	}
	require.Greater(t, kind, uint32(srtFailure))
	return int(kind - srtFailure)
}

// srtRequest is a handshake packet of a caller.
func srtRequest(version uint32, extensionField uint16, kind, cookie uint32, extensions []byte) []byte {
	const socket, firstSequence, mtu, window = 0x1234567, 1000, 1500, 8192
	packet := append(make([]byte, 0, 128), 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	packet = binary.BigEndian.AppendUint32(packet, version)
	packet = binary.BigEndian.AppendUint32(packet, uint32(extensionField))
	for _, field := range []uint32{firstSequence, mtu, window, kind, socket, cookie} {
		packet = binary.BigEndian.AppendUint32(packet, field)
	}
	packet = append(packet, 1, 0, 0, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return append(packet, extensions...)
}

// srtExchange sends a handshake until it is answered.
func srtExchange(t *testing.T, conn net.Conn, request []byte) []byte {
	t.Helper()
	answer := make([]byte, 1500)
	for range 20 {
		_, err := conn.Write(request)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
		n, err := conn.Read(answer)
		if err == nil && n >= srtHeader+srtHandshake && answer[0] == 0x80 && answer[1] == 0 {
			return answer[:n]
		}
	}
	require.Fail(t, "nobody answers over SRT")
	return nil
}
