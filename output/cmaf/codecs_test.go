package cmaf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// film is a stream out of a file that FFmpeg wrote: hevc.mp4 by x265, av1.mp4 by
// libaom, eight pictures of 320x192 with every fourth one to begin with.
func film(t testing.TB, name string, codec media.Codec) (*media.Track, elementary) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	file := decode(t, raw)
	track := &media.Track{ID: string(codec), Kind: media.Video, Codec: codec, Width: 320, Height: 192}
	var config bytes.Buffer
	table := file.Moov.Trak.Mdia.Minf.Stbl
	for _, child := range table.Stsd.Children[0].(*mp4.VisualSampleEntryBox).Children {
		switch box := child.(type) {
		case *mp4.HvcCBox:
			require.NoError(t, box.DecConfRec.Encode(&config))
		case *mp4.Av1CBox:
			require.NoError(t, box.CodecConfRec.Encode(&config))
		}
	}
	track.Config = config.Bytes()
	var e elementary
	at := int64(file.Mdat.PayloadAbsoluteOffset())
	for n := range table.Stsz.SampleNumber {
		size := int64(table.Stsz.GetSampleSize(int(n) + 1))
		e.units, e.keys = append(e.units, raw[at:at+size]), append(e.keys, table.Stss.IsSyncSample(n+1))
		at += size
	}
	return track, e
}

// Rungs of cards' codecs are described as their bindings say, and decode to the same
// pictures as what went in.
func TestCodecsOfCards(t *testing.T) {
	g := gridOf(t, "30")
	for _, test := range []struct {
		codec       media.Codec
		file, codes string
		entry       string
		brands      []string
	}{
		{media.HEVC, "hevc.mp4", "hvc1.1.6.L60.90", "hvc1", []string{"chhd", "cud8"}},
		{media.AV1, "av1.mp4", "av01.0.00M.08", "av01", []string{"av01"}},
	} {
		t.Run(string(test.codec), func(t *testing.T) {
			track, stream := film(t, test.file, test.codec)
			r := rendition(t, g, track)
			require.Equal(t, test.codes, r.Codec)
			require.Equal(t, []int{320, 192}, []int{r.Width, r.Height})
			file := decode(t, r.Init)
			require.Subset(t, file.Ftyp.CompatibleBrands(), append([]string{"iso6", "cmfc", "cmf2"}, test.brands...))
			require.Equal(t, test.entry, file.Moov.Trak.Mdia.Minf.Stbl.Stsd.Children[0].Type())

			var chunks []*Chunk
			p := NewPackager([]*Rendition{r}, func(c *Chunk) { chunks = append(chunks, c) })
			first := r.FirstUnit(g.SegmentAt(noon), 0)
			for i := range 6 {
				sample := packet(r, first+int64(i))
				sample.Data, sample.Key = stream.units[i], stream.keys[i]
				p.Write(sample)
			}
			require.Len(t, chunks, 1)
			got := decoded(t, "-i", stored(t, r, chunks), "-f", "framemd5", "-")
			want := decoded(t, "-i", filepath.Join("testdata", test.file), "-f", "framemd5", "-")
			require.Equal(t, want[:6], got)

			for name, change := range map[string]func(*media.Track){
				"another size": func(tr *media.Track) { tr.Width = 640 },
				"cut":          func(tr *media.Track) { tr.Config = tr.Config[:3] },
				"no sets":      func(tr *media.Track) { tr.Config = tr.Config[:min(len(tr.Config), 4)] },
			} {
				broken := *track
				change(&broken)
				_, err := NewRendition(g, "v", &broken, 60_000)
				require.ErrorIs(t, err, ErrTrack, name)
			}
		})
	}
}

// A ladder of several codecs has an adaptation set for each, and every variant names
// its own codec.
func TestLadderOfSeveralCodecs(t *testing.T) {
	g := gridOf(t, "30")
	hevc, _ := film(t, "hevc.mp4", media.HEVC)
	av1, _ := film(t, "av1.mp4", media.AV1)
	renditions := []*Rendition{
		rendition(t, g, videoTrack(t, "v90")), rendition(t, g, hevc), rendition(t, g, videoTrack(t, "v91")), rendition(t, g, av1), rendition(t, g, audioTrack(t, "audio")),
	}
	playlist := string((&Multivariant{Renditions: renditions, IFrames: true}).Marshal())
	for _, codecs := range []string{"avc1.64000b,mp4a.40.2", "hvc1.1.6.L60.90,mp4a.40.2", "av01.0.00M.08,mp4a.40.2"} {
		require.Contains(t, playlist, `CODECS="`+codecs+`"`)
	}
	k := g.SegmentAt(noon)
	m, _ := liveMPD(t, g, k)
	m.Windows = nil
	for _, r := range renditions {
		m.Windows = append(m.Windows, Window{Rendition: r, Segments: described(r, k, 3, 4)})
	}
	var rungs []string
	for _, set := range parseMPD(t, m).Periods[0].AdaptationSets {
		var ids []string
		for _, representation := range set.Representations {
			ids = append(ids, representation.Id)
		}
		rungs = append(rungs, strings.Join(ids, " "))
	}
	require.Equal(t, []string{"v90 v91", "hevc", "av1", "audio"}, rungs)
}
