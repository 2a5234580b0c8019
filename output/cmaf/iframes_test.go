package cmaf

import (
	"strconv"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"
)

// storedSegments is how a store describes chunks, with their bytes beside.
func storedSegments(chunks []*Chunk, rendition string) (segments []Segment, data map[int64][]byte) {
	data = map[int64][]byte{}
	for _, c := range chunks {
		if c.Rendition != rendition {
			continue
		}
		if n := len(segments); n == 0 || segments[n-1].Number != c.Segment {
			segments = append(segments, Segment{Number: c.Segment})
		}
		s := &segments[len(segments)-1]
		s.Parts, s.Complete = append(s.Parts, c.Describe()), c.Last
		data[c.Segment] = append(data[c.Segment], c.Data...)
	}
	return segments, data
}

// A06: each range holds boxes from styp on and ends with exactly one IDR.
func TestIFrameRangesHoldOneIDR(t *testing.T) {
	g := gridOf(t, "30")
	renditions, chunks := recorded(t, g, 559_642_500)
	segments, data := storedSegments(chunks, "v90")
	p := &IFramePlaylist{MediaPlaylist{
		Rendition: renditions[0], Segments: segments, LowLatency: true, PartHoldBack: PartHoldBack(renditions),
	}}
	text := string(p.Marshal())
	golden(t, "iframes.m3u8", []byte(text))
	require.Equal(t, int64(559_642_501*2+1), p.LastNumber())

	lines := strings.Split(text, "\n")
	ranges := 0
	for i, line := range lines {
		value, found := strings.CutPrefix(line, "#EXT-X-BYTERANGE:")
		if !found {
			continue
		}
		lengthText, offsetText, _ := strings.Cut(value, "@")
		length, _ := strconv.Atoi(lengthText)
		offset, _ := strconv.Atoi(offsetText)
		number, err := strconv.ParseInt(strings.TrimSuffix(lines[i+1], ".m4s"), 10, 64)
		require.NoError(t, err)
		checkIDR(t, data[number], offset, length)
		ranges++
	}
	require.Equal(t, 4, ranges)
}

func checkIDR(t *testing.T, segment []byte, offset, length int) {
	t.Helper()
	part := segment[offset : offset+length]
	require.Equal(t, "styp", string(part[4:8]))
	at := strings.Index(string(part), "mdat")
	picture := part[at+4:]
	require.True(t, avc.IsIDRSample(picture))
	moofAt := strings.Index(string(part), "moof") - 4
	box, err := mp4.DecodeBox(0, strings.NewReader(string(part[moofAt:])))
	require.NoError(t, err)
	require.EqualValues(t, len(picture), box.(*mp4.MoofBox).Traf.Trun.Samples[0].Size)
}

func TestIFramesOfGapsAndDeltas(t *testing.T) {
	g := gridOf(t, "30")
	renditions := channelRenditions(t, g)
	segments := described(renditions[0], 559_642_500, 12, 5)
	segments[9].Parts = segments[9].Parts[:6]
	segments = append(segments[:10], segments[11:]...)
	p := &IFramePlaylist{MediaPlaylist{Rendition: renditions[0], Segments: segments, LowLatency: true, PartHoldBack: 640_002}}
	golden(t, "iframes-gap.m3u8", p.Marshal())
	golden(t, "iframes-delta.m3u8", p.AppendDelta(nil))
	require.Equal(t, 24, strings.Count(string(p.Marshal()), "#EXTINF:"))
	require.Equal(t, 24, p.Skippable()+strings.Count(string(p.AppendDelta(nil)), "#EXTINF:"))
	require.EqualValues(t, -1, (&IFramePlaylist{MediaPlaylist{Rendition: renditions[0]}}).LastNumber())
}
