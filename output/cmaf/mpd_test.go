package cmaf

import (
	"testing"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// liveMPD has three whole segments and four parts of the next in each window.
func liveMPD(t testing.TB, g Grid, k int64) (*MPD, []*Rendition) {
	t.Helper()
	renditions := channelRenditions(t, g)
	m := &MPD{Depth: time.Hour, TimeURL: "/time"}
	for _, r := range renditions {
		m.Windows = append(m.Windows, Window{Rendition: r, Segments: described(r, k, 3, 4)})
	}
	m.PublishTime = g.Rate.At(g.PartStart(k+3, 4)).Add(50 * time.Millisecond)
	return m, renditions
}

func parseMPD(t testing.TB, m *MPD) *mpd.MPD {
	t.Helper()
	data, err := m.Marshal()
	require.NoError(t, err)
	parsed, err := mpd.MPDFromBytes(data)
	require.NoError(t, err)
	return parsed
}

func TestManifestsAreGolden(t *testing.T) {
	for _, test := range []struct {
		name, rate string
		static     bool
	}{{"live-number.mpd", "30", false}, {"live-timeline.mpd", "30000/1001", false}, {"static.mpd", "24", true}} {
		g := gridOf(t, test.rate)
		m, _ := liveMPD(t, g, g.SegmentAt(noon))
		m.Static = test.static
		if test.static {
			m.Base = "/live/main/"
			for i := range m.Windows {
				m.Windows[i].Segments = m.Windows[i].Segments[:3]
			}
		}
		data, err := m.Marshal()
		require.NoError(t, err)
		golden(t, test.name, data)
	}
}

// D02-D05, D08, D10-D12, C11.
func TestLiveManifest(t *testing.T) {
	for _, text := range contractRates {
		g := gridOf(t, text)
		m, renditions := liveMPD(t, g, g.SegmentAt(noon))
		got := parseMPD(t, m)
		require.Equal(t, "dynamic", got.GetType(), text)
		require.EqualValues(t, "1970-01-01T00:00:00Z", got.AvailabilityStartTime)
		require.Len(t, got.Periods, 1)
		require.Zero(t, *got.Periods[0].Start)
		require.NotEmpty(t, got.Periods[0].Id)
		require.Empty(t, got.BaseURL)
		require.NotNil(t, got.LeapSecondInformation)
		require.EqualValues(t, "urn:mpeg:dash:utc:http-iso:2014", got.UTCTimings[0].SchemeIdUri)
		require.EqualValues(t, 3000, *got.ServiceDescription[0].Latencies[0].Target)
		require.Len(t, got.Periods[0].AdaptationSets, 2)
		ids := map[uint32]bool{}
		for i, set := range got.Periods[0].AdaptationSets {
			r := renditions[i]
			require.True(t, set.SegmentAlignment)
			require.EqualValues(t, r.Track.Kind.String(), set.ContentType)
			require.Equal(t, r.Codec, set.Representations[0].Codecs)
			template := set.Representations[0].SegmentTemplate
			mdhd := decode(t, r.Init).Moov.Trak.Mdia.Mdhd
			require.Equal(t, mdhd.Timescale, *template.Timescale)
			require.Equal(t, "$RepresentationID$/"+r.InitName, template.Initialization)
			require.Equal(t, "$RepresentationID$/$Number$.m4s", template.Media)
			require.False(t, *template.AvailabilityTimeComplete)
			require.Positive(t, float64(template.AvailabilityTimeOffset))
			require.LessOrEqual(t, float64(template.AvailabilityTimeOffset), (g.SegmentDuration() - g.PartDuration()).Seconds())
			require.NotEmpty(t, set.Resyncs)
			checkProducerReference(t, r, set.ProducerReferenceTimes)
			ids[set.ProducerReferenceTimes[0].Id] = true
			// At 24000/1001 a segment is 160160 samples; at the other two there is a rest.
			numbered := text != "30000/1001" && text != "60000/1001"
			require.Equal(t, numbered, template.SegmentTimeline == nil, text)
			if numbered {
				checkNumbers(t, r, template)
			}
		}
		require.Len(t, ids, 2, "unique ids (D04)")
	}
}

// The reference ties media to wall clock as prft does, within a frame (D04).
func checkProducerReference(t *testing.T, r *Rendition, references []*mpd.ProducerReferenceTimeType) {
	t.Helper()
	require.Len(t, references, 1)
	wall, err := time.Parse(time.RFC3339, references[0].WallClockTime)
	require.NoError(t, err)
	require.InDelta(t, 0, r.Time(int64(references[0].PresentationTime)).Sub(media.TimeOf(wall)).Seconds(), 0.000_6)
	require.NotNil(t, references[0].UTCTiming)
}

// What a client computes from its clock is the grid's number; the times are
// those in the segment, within half of it (D09).
func checkNumbers(t *testing.T, r *Rendition, template *mpd.SegmentTemplateType) {
	t.Helper()
	require.Zero(t, *template.StartNumber)
	ticks := int64(*template.Duration)
	for at := noon; at < noon.Add(time.Minute); at = at.Add(170 * time.Millisecond) {
		k := at.Ticks(int64(r.Timescale())) / ticks
		require.Equal(t, r.Grid.SegmentAt(at), k)
		start, _ := r.Span(k)
		require.GreaterOrEqual(t, start, k*ticks)
		require.LessOrEqual(t, start-k*ticks, int64(1023), "an access unit belongs where it starts")
	}
}

// D09, D16: a timeline holds real times, numbers do not move at a gap.
func TestTimelineOfGaps(t *testing.T) {
	g := gridOf(t, "30000/1001")
	renditions := channelRenditions(t, g)
	r, k := renditions[0], g.SegmentAt(noon)
	segments := described(r, k, 8, 5)
	segments[2].Parts = segments[2].Parts[:7] // a short one,
	segments = append(segments[:3], segments[5:]...)
	m := &MPD{Windows: []Window{{Rendition: r, Segments: segments}, {Rendition: renditions[1], Segments: described(renditions[1], k, 8, 5)}}, PublishTime: noon, TimeURL: "/time"}
	template := parseMPD(t, m).Periods[0].AdaptationSets[0].Representations[0].SegmentTemplate
	number, at := int64(*template.StartNumber), uint64(0)
	seen := map[int64][2]int64{}
	for _, s := range template.SegmentTimeline.S {
		if s.T != nil {
			at = *s.T
		}
		for range s.R + 1 {
			seen[number] = [2]int64{int64(at), int64(s.D)}
			at, number = at+s.D, number+1
		}
	}
	require.Len(t, seen, 9)
	for _, s := range segments[:len(segments)-1] {
		start, end := r.Extent(&s)
		require.Equal(t, [2]int64{start, end - start}, seen[s.Number])
	}
	for _, missing := range []int64{k + 3, k + 4, k + 8} {
		start, length := r.Span(missing)
		require.Equal(t, [2]int64{start, length}, seen[missing])
	}
}

func TestManifestOfNothing(t *testing.T) {
	_, err := (&MPD{}).Marshal()
	require.ErrorIs(t, err, ErrNoSegments)
	r := rendition(t, gridOf(t, "30"), videoTrack(t, "v"))
	_, err = (&MPD{Windows: []Window{{Rendition: r}}}).Marshal()
	require.ErrorIs(t, err, ErrNoSegments)
}

// A period has one init section: what came before it is left out.
func TestManifestBeginsWithPresentInit(t *testing.T) {
	g := gridOf(t, "30000/1001")
	m, _ := liveMPD(t, g, g.SegmentAt(noon))
	for i := range m.Windows {
		m.Windows[i].Segments[1].InitName = "init-0123456789ab.mp4"
	}
	template := parseMPD(t, m).Periods[0].AdaptationSets[0].Representations[0].SegmentTemplate
	require.EqualValues(t, m.Windows[0].Segments[2].Number, *template.StartNumber)
	for i := range m.Windows {
		m.Windows[i].Segments[3].InitName = "init-0123456789ab.mp4"
	}
	_, err := m.Marshal()
	require.ErrorIs(t, err, ErrNoSegments)
}

// A client never asks for what was before the channel.
func TestDepthEndsAtFirstSegment(t *testing.T) {
	g := gridOf(t, "30")
	m, _ := liveMPD(t, g, g.SegmentAt(noon))
	require.Equal(t, 10450*time.Millisecond, time.Duration(*parseMPD(t, m).TimeShiftBufferDepth))
	m.Depth = 5 * time.Second
	require.Equal(t, 5*time.Second, time.Duration(*parseMPD(t, m).TimeShiftBufferDepth))
}
