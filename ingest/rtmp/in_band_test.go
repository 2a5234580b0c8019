package rtmp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/ingest/codec"
	"millrace/internal/media"
)

// Parameter sets of other sizes and rates than those of the records.
const (
	avcLargeSPS  = "6742c01fda014016ec0440000003004000000c83c60ca8"
	avcSmallSPS  = "6742c00ada1c9e788c0440000003004000000c83c489a8"
	avcPPS       = "68ce0fc8"
	hevcWideVPS  = "40010c01ffff01600000030090000003000003003c959809"
	hevcWideSPS  = "42010101600000030090000003000003003ca0080809165959a4932bc05a020000030002000003006410"
	hevcWidePPS  = "4401c172b46240"
	hevcWideRate = 50
)

// An encoder that changes within the stream is followed, and so is one that
// says the same again.
func TestParameterSetsInBandChangeTheTrack(t *testing.T) {
	s := &script{T: t}
	s.video(0, "17 00 000000", avcC)
	s.video(0, "17 01 000000 00000017", avcSmallSPS, "00000004", avcPPS, "00000001 65")
	s.video(40, "17 01 000000 00000017", avcLargeSPS, "00000004", avcPPS, "00000001 65")
	s.video(80, "27 01 000000 00000001 41")
	s.video(120, "17 00 000000", avcC) // the muxer knows no other
	s.video(120, "17 01 000000 00000017", avcLargeSPS, "00000001 65")
	s.video(160, "17 01 000000 00000001 65")
	s.video(200, "17 01 000000 00000017 67ffffffffffffffffffffffffffffffffffffffffffff 00000001 65")
	s.video(240, "17 01 000000 00000017", avcSmallSPS, "00000001 65")
	require.Equal(t, Counts{}, s.tracks.counts)
	require.Len(t, s.units, 8-1)
	small, large, again := s.units[0].Track, s.units[1].Track, s.units[6].Track
	require.Equal(t, unhex(t, avcC), small.Config)
	require.Equal(t, media.Track{
		ID: "video", Kind: media.Video, Codec: media.H264, MIME: "avc1.42c01f", Config: unhex(t, avcCLarge),
		Width: 1280, Height: 720, Rate: media.Rate{Num: 25, Den: 1},
	}, *large)
	for _, u := range s.units[2:6] {
		require.Same(t, large, u.Track)
	}
	require.Equal(t, small, again)
}

func TestHEVCParameterSetsInBandChangeTheTrack(t *testing.T) {
	s := &script{T: t}
	s.video(0, "90", four("hvc1"), hvcC)
	s.video(0, "91", four("hvc1"), "000000 00000002 2601")
	s.video(20, "91", four("hvc1"), "000000 00000018", hevcWideVPS, "0000002a", hevcWideSPS, "00000007", hevcWidePPS, "00000002 2601")
	require.Len(t, s.units, 2)
	first, track := s.units[0].Track, s.units[1].Track
	require.Equal(t, []int{128, 96}, []int{first.Width, first.Height})
	require.Equal(t, []int{256, 144}, []int{track.Width, track.Height})
	require.Equal(t, media.Rate{Num: hevcWideRate, Den: 1}, track.Rate)
	require.Equal(t, "hvc1.1.6.L60.90", track.MIME)
	want := hvcC[:24] + "3c" + hvcC[26:46] + "20000100" + "18" + hevcWideVPS + "210001002a" + hevcWideSPS + "2200010007" + hevcWidePPS
	require.Equal(t, unhex(t, want), track.Config)
}

func FuzzParameterSetsInBand(f *testing.F) {
	f.Add(false, unhex(f, "00000017"+avcLargeSPS+"0000000165"))
	f.Add(true, unhex(f, "00000018"+hevcWideVPS+"0000002a"+hevcWideSPS+"00000007"+hevcWidePPS+"000000022601"))
	f.Fuzz(func(t *testing.T, hevc bool, data []byte) {
		track, err := codec.AVCTrack(unhex(t, avcC))
		if hevc {
			track, err = codec.HEVCTrack(unhex(t, hvcC))
		}
		require.NoError(t, err)
		unit, _ := track.AccessUnit(data)
		followed := track.Follow(unit)
		if followed.Track == nil || followed.Width < 1 {
			t.Fatalf("%+v", followed)
		}
	})
}
