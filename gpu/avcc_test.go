package gpu

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a publisher sends as NAL units: the copy is no longer than it was,
// what it was made from is not touched, and every unit in it was there before.
func FuzzStartCodes(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02ab\x00\x00\x00\x01c"))
	f.Add([]byte("\xff\xff\xff\xffab"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, unit []byte) {
		before := bytes.Clone(unit)
		stream := startCodes(unit)
		require.Equal(t, before, unit)
		require.LessOrEqual(t, len(stream), len(unit))
		for _, nal := range nalUnits(stream) {
			require.True(t, bytes.Contains(unit, nal))
		}
	})
}

// Whatever is read as an encoder's header is refused or joined, never a crash.
func FuzzTrackOf(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x67\x64\x00\x1f\xac\x00\x00\x01\x68\xeb"))
	f.Fuzz(func(t *testing.T, header []byte) {
		track, err := trackOf(config(Size{64, 64}), header)
		if err == nil {
			_, _ = JoinParameterSets(track, track)
		}
	})
}
