package gpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// What runs on a card runs here on the emulation, as far as that goes; the decoders'
// comparison is held against the CPU's own.
func TestMeasureMedia(t *testing.T) {
	rows, err := MeasureMedia(emulationLibrary(t, ""), "cuda:0", 2)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Contains(t, rows[0].Result, "not there: ")
	require.Contains(t, rows[1].Result, "not there: ")
	require.Contains(t, rows[2].Result, "2 ticks of 4 x 1920x1080 up, 4 rungs down")
	_, err = MeasureMedia("no-such-library.so", "cuda:0", 1)
	require.ErrorIs(t, err, ErrNoDevice)
	_, err = MeasureMedia("", "cpu", 1)
	require.ErrorContains(t, err, "cpu is no card")
}

func TestCompareDecoders(t *testing.T) {
	device := openEmulated(t, "")
	config := config(Size{320, 180})
	track, packets, err := device.encodeSample(config, 10)
	require.NoError(t, err)
	require.Contains(t, device.compareDecoders(track, packets).Result, "10 pictures, worst 100.0 dB")
	require.Contains(t, device.compareDecoders(&media.Track{ID: "v", Codec: "none"}, packets).Result, "failed: ")
}
