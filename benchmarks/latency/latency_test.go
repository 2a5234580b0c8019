package latency

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/media"
)

func TestSpread(t *testing.T) {
	require.Zero(t, spread{}.at(95))
	require.Equal(t, 3.0, spread{3}.at(95))
	require.Equal(t, []float64{2, 4}, []float64{spread{4, 1, 3, 2}.at(50), spread{4, 1, 3, 2}.at(95)})
}

func TestPlaylist(t *testing.T) {
	text := "#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.600\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"init-1.mp4\"\n" +
		"#EXT-X-PART:DURATION=0.2,URI=\"9.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.2,URI=\"9.1.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9.2.m4s\"\n"
	k, part, ok := newest([]byte(text))
	require.True(t, ok)
	require.Equal(t, int64(9), k)
	require.Equal(t, 1, part)
	require.Equal(t, "0.600", string(submatch(holdTag, []byte(text))))
	_, _, ok = newest([]byte("#EXTM3U\n"))
	require.False(t, ok)
}

func TestParameterSets(t *testing.T) {
	sets, err := parameterSets([]byte{1, 0x64, 0, 0x1e, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 1, 0x68})
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68}, sets)
	for n := range 14 {
		_, _ = parameterSets([]byte{1, 0x64, 0, 0x1e, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 1, 0x68}[:n])
	}
	require.Equal(t, []byte{0, 0, 0, 1, 7, 0, 0, 0, 1, 8}, startCodes([]byte{0, 0, 0, 1, 7, 0, 0, 0, 1, 8}))
	require.Empty(t, startCodes([]byte{0, 0, 1, 1, 7}))
}

// TestTheTimeCanBeRead: burned in, encoded, decoded, read from four cells.
func TestTheTimeCanBeRead(t *testing.T) {
	device, err := gpu.Open("cpu")
	require.NoError(t, err)
	defer device.Close()
	size := gpu.Size{Width: width, Height: height}
	encoder, err := device.NewEncoder(gpu.EncoderConfig{ID: "guest", Size: size, Rate: media.Rate{Num: rate, Den: 1}, Bitrate: bitrate})
	require.NoError(t, err)
	defer encoder.Close()
	decoder, err := device.NewDecoder(encoder.Track())
	require.NoError(t, err)
	defer decoder.Close()
	p := &publisher{device: device, clock: clock{time.Now().Add(-time.Hour)}}
	var d delays
	for n := range int64(5) {
		unit, err := p.encode(encoder, size, n)
		require.NoError(t, err)
		at := p.clock.now()
		require.NoError(t, decoder.Decode(&media.Packet{Track: encoder.Track(), PTS: media.Time(n), DTS: media.Time(n), Key: unit.Key, Data: unit.Data}, func(f *gpu.Frame) {
			defer f.Release()
			picture := picture(f)
			d.seeCell(picture, 0, at, time.Second)
		}))
	}
	list := d.take()
	require.NotEmpty(t, list)
	for _, ms := range list {
		require.GreaterOrEqual(t, ms, 1000.0)
		require.Less(t, ms, 60_000.0)
	}
}
