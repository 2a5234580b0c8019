package whep

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pion/rtp/codecs"
	"github.com/stretchr/testify/require"
)

// depacketized is what a receiver makes of payloads: Annex B.
func depacketized(t *testing.T, payloads [][]byte) (stream []byte) {
	t.Helper()
	var d codecs.H264Packet
	for _, p := range payloads {
		require.LessOrEqual(t, len(p), payloadSize)
		part, err := d.Unmarshal(p)
		require.NoError(t, err)
		stream = append(stream, part...)
	}
	return stream
}

func accessUnit(nals ...[]byte) (data []byte) {
	for _, nal := range nals {
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(nal))), nal...)
	}
	return data
}

func stream(nals ...[]byte) (data []byte) {
	for _, nal := range nals {
		data = append(append(data, 0, 0, 0, 1), nal...)
	}
	return data
}

func nal(kind byte, size int) []byte { return append([]byte{kind}, bytes.Repeat([]byte{7}, size-1)...) }

func TestPacketize(t *testing.T) {
	sps, pps := unhex(testSPS), unhex(testPPS)
	large := nal(0x67, 2000)
	cases := []struct {
		name       string
		data       []byte
		sets, want [][]byte
		packets    int
	}{
		{"small", accessUnit(nal(0x41, 100)), nil, [][]byte{nal(0x41, 100)}, 1},
		{"as large as fits", accessUnit(nal(0x41, payloadSize)), nil, [][]byte{nal(0x41, payloadSize)}, 1},
		{"fragments", accessUnit(nal(0x65, payloadSize+1)), nil, [][]byte{nal(0x65, payloadSize+1)}, 2},
		{"many fragments", accessUnit(nal(0x65, 100_000)), nil, [][]byte{nal(0x65, 100_000)}, 85},
		{"parameter sets first", accessUnit(nal(0x65, 10)), [][]byte{sps, pps}, [][]byte{sps, pps, nal(0x65, 10)}, 2},
		{"it brings its own", accessUnit(sps, pps, nal(0x65, 10)), [][]byte{pps}, [][]byte{sps, pps, nal(0x65, 10)}, 3},
		{"delimiters and filler are left out", accessUnit(nal(9, 2), nal(0x41, 10), nal(12, 500)), nil, [][]byte{nal(0x41, 10)}, 1},
		{"sets that need two packets", accessUnit(nal(0x65, 10)), [][]byte{nal(0x67, 700), nal(0x68, 700)}, [][]byte{nal(0x67, 700), nal(0x68, 700), nal(0x65, 10)}, 3},
		{"a set that needs two itself", accessUnit(nal(0x65, 10)), [][]byte{large, pps}, [][]byte{large, pps, nal(0x65, 10)}, 4},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			payloads := packetize(c.data, c.sets)
			require.Len(t, payloads, c.packets)
			require.Equal(t, stream(c.want...), depacketized(t, payloads))
		})
	}
}

func TestParameterSets(t *testing.T) {
	require.Equal(t, [][]byte{unhex(testSPS), unhex(testPPS)}, parameterSets(avcC("64001f")))
	for n := range len(avcC("64001f")) {
		parameterSets(avcC("64001f")[:n])
	}
}

func FuzzPacketize(f *testing.F) {
	f.Add(accessUnit(nal(0x65, 3000), nal(0x41, 10)), avcC("64001f"))
	f.Fuzz(func(t *testing.T, data, config []byte) {
		for _, p := range packetize(data, parameterSets(config)) {
			require.NotEmpty(t, p)
			require.LessOrEqual(t, len(p), payloadSize)
		}
	})
}
