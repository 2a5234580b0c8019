package gpu

import (
	"bytes"
	"testing"

	"github.com/Eyevinn/mp4ff/avc"
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

// Two encoders may time and buffer a rung in ways of their own, but not show it.
func TestWhatOneInitSectionDescribes(t *testing.T) {
	shown := func(change func(*avc.VUIParameters)) *avc.SPS {
		vui := &avc.VUIParameters{SampleAspectRatioWidth: 1, SampleAspectRatioHeight: 1, ColourDescriptionFlag: true, ColourPrimaries: 1, TimingInfoPresentFlag: true, NumUnitsInTick: 1, TimeScale: 60}
		change(vui)
		return &avc.SPS{Profile: 100, Level: 31, Width: 1280, Height: 720, VUI: vui}
	}
	same := shown(func(*avc.VUIParameters) {})
	require.NoError(t, agree(same, shown(func(v *avc.VUIParameters) { v.TimeScale, v.NumUnitsInTick, v.FixedFrameRateFlag = 120, 2, true })))
	require.NoError(t, agree(same, shown(func(v *avc.VUIParameters) { v.TimingInfoPresentFlag, v.TimeScale = false, 0 })))
	require.ErrorContains(t, agree(same, shown(func(v *avc.VUIParameters) { v.TimeScale = 50 })), "VUI")
	require.NoError(t, agree(same, shown(func(v *avc.VUIParameters) { v.NalHrdParametersPresentFlag, v.PicStructPresentFlag = true, true })))
	require.ErrorContains(t, agree(same, shown(func(v *avc.VUIParameters) { v.ColourPrimaries = 9 })), "VUI")
	require.ErrorContains(t, agree(same, shown(func(v *avc.VUIParameters) { v.VideoFullRangeFlag = true })), "VUI")
	require.ErrorContains(t, agree(same, shown(func(v *avc.VUIParameters) { v.SampleAspectRatioWidth = 4 })), "VUI")
}
