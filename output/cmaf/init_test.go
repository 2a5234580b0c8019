package cmaf

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), name)
}

func decode(t testing.TB, data []byte) *mp4.File {
	t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	require.NoError(t, err)
	return file
}

func TestInitSectionIsDeterministic(t *testing.T) {
	for _, text := range []string{"30", "60000/1001"} {
		g := gridOf(t, text)
		for _, track := range []*media.Track{videoTrack(t, "v"), audioTrack(t, "a")} {
			first, second := rendition(t, g, track), rendition(t, g, track)
			require.Equal(t, first.Init, second.Init)
			require.Equal(t, first.InitName, second.InitName)
			require.Regexp(t, `^init-[0-9a-f]{12}\.mp4$`, first.InitName)
		}
	}
	g := gridOf(t, "30")
	golden(t, "video-init.hex", []byte(hex.Dump(rendition(t, g, videoTrack(t, "v")).Init)))
	golden(t, "audio-init.hex", []byte(hex.Dump(rendition(t, g, audioTrack(t, "a")).Init)))
}

// C05, C06, C07, D10 and the parameter sets of both encoders (design §1).
func TestVideoInitSection(t *testing.T) {
	r := rendition(t, gridOf(t, "60000/1001"), videoTrack(t, "v"))
	file := decode(t, r.Init)
	require.Equal(t, "cmf2", file.Ftyp.MajorBrand())
	require.Subset(t, file.Ftyp.CompatibleBrands(), []string{"iso6", "cmfc", "cmf2", "cfhd"})
	require.Nil(t, file.Moov.Trak.Edts, "no edit list")
	require.EqualValues(t, 60000, file.Moov.Trak.Mdia.Mdhd.Timescale)
	require.NotNil(t, file.Moov.Mvex.Trex)
	require.EqualValues(t, 160, file.Moov.Trak.Tkhd.Width>>16)
	require.EqualValues(t, 90, file.Moov.Trak.Tkhd.Height>>16)
	entry := file.Moov.Trak.Mdia.Minf.Stbl.Stsd.AvcX
	require.Equal(t, "avc1", entry.Type())
	require.Len(t, entry.AvcC.SPSnalus, 2)
	require.Len(t, entry.AvcC.PPSnalus, 2)
	require.NotEqual(t, entry.AvcC.SPSnalus[0], entry.AvcC.SPSnalus[1])
	names := map[string]bool{}
	for _, child := range entry.Children {
		names[child.Type()] = true
		if colr, ok := child.(*mp4.ColrBox); ok {
			require.Equal(t, &mp4.ColrBox{ColorType: "nclx", ColorPrimaries: 1, TransferCharacteristics: 1, MatrixCoefficients: 1}, colr)
		}
		if avcC, ok := child.(*mp4.AvcCBox); ok {
			var out bytes.Buffer
			require.NoError(t, avcC.DecConfRec.Encode(&out))
			require.Equal(t, r.Track.Config, out.Bytes(), "the avcC is the track's own")
		}
	}
	require.Equal(t, map[string]bool{"avcC": true, "colr": true, "pasp": true, "btrt": true}, names)
	require.Equal(t, "avc1.64000b", r.Codec)
}

func TestAudioInitSection(t *testing.T) {
	r := rendition(t, gridOf(t, "30"), audioTrack(t, "a"))
	file := decode(t, r.Init)
	require.Subset(t, file.Ftyp.CompatibleBrands(), []string{"iso6", "cmfc", "cmf2", "caac"})
	require.EqualValues(t, 48000, file.Moov.Trak.Mdia.Mdhd.Timescale)
	entry := file.Moov.Trak.Mdia.Minf.Stbl.Stsd.Mp4a
	require.EqualValues(t, 2, entry.ChannelCount)
	require.Equal(t, r.Track.Config, entry.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig)
	require.Equal(t, "mp4a.40.2", r.Codec)
}

func TestInitSectionRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*media.Track)
	}{
		{"no config", func(tr *media.Track) { tr.Config = nil }},
		{"cut config", func(tr *media.Track) { tr.Config = tr.Config[:9] }},
		{"other size than the SPS", func(tr *media.Track) { tr.Width = 320 }},
		{"codec that is not packaged", func(tr *media.Track) { tr.Codec = media.VP8 }},
		{"video config in audio", func(tr *media.Track) { tr.Kind, tr.Codec = media.Audio, media.AAC }},
	}
	for _, test := range tests {
		track := *videoTrack(t, "v")
		test.change(&track)
		_, err := NewRendition(gridOf(t, "30"), "v", &track, 60_000)
		require.ErrorIs(t, err, ErrTrack, test.name)
	}
}
