package cmaf

import (
	"testing"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/stretchr/testify/require"
)

// A05, A11, A16-A18, H47.
func TestMultivariant(t *testing.T) {
	g := gridOf(t, "30000/1001")
	renditions := channelRenditions(t, g)
	small := rendition(t, g, videoTrack(t, "v45"))
	small.Bandwidth /= 2
	renditions = append(renditions[:1], small, renditions[1])
	renditions[2].Language, renditions[2].Name = "en", "English"
	data := (&Multivariant{Renditions: renditions, IFrames: true}).Marshal()
	golden(t, "multivariant.m3u8", data)

	var parsed playlist.Multivariant
	require.NoError(t, parsed.Unmarshal(data))
	require.True(t, parsed.IndependentSegments)
	require.Len(t, parsed.Variants, 2)
	audio := renditions[2]
	for i, v := range parsed.Variants {
		r := renditions[i]
		require.Equal(t, r.Bandwidth+audio.Bandwidth, v.Bandwidth)
		require.Equal(t, r.AverageBandwidth+audio.AverageBandwidth, *v.AverageBandwidth)
		require.Equal(t, []string{"avc1.64000b", "mp4a.40.2"}, v.Codecs)
		require.Equal(t, "160x90", v.Resolution)
		require.InDelta(t, 29.97, *v.FrameRate, 0.001)
		require.Equal(t, r.ID+"/index.m3u8", v.URI)
		require.Equal(t, "audio", v.Audio)
	}
	require.Len(t, parsed.Renditions, 1)
	require.Equal(t, "en", parsed.Renditions[0].Language)
	require.True(t, parsed.Renditions[0].Default)

	golden(t, "multivariant-audio.m3u8", (&Multivariant{Renditions: renditions[2:]}).Marshal())
}

// A04: the promise covers what the boxes cost.
func TestBandwidthCoversBoxes(t *testing.T) {
	for _, text := range contractRates {
		g := gridOf(t, text)
		for _, r := range channelRenditions(t, g) {
			var boxes, payload int
			p := NewPackager([]*Rendition{r}, func(c *Chunk) { boxes += len(c.Data) })
			k := g.SegmentAt(noon)
			for unit := r.FirstUnit(k, 0); unit < r.FirstUnit(k+10, 0); unit++ {
				sample := packet(r, unit)
				payload += len(sample.Data)
				p.Write(sample)
			}
			cost := float64(8*(boxes-payload)) / (10 * g.SegmentDuration().Seconds())
			require.InDelta(t, cost, float64(r.overhead()), 1500, text)
		}
	}
}
