package cmaf

import (
	"bytes"
	"compress/gzip"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/stretchr/testify/require"
)

// described is a window of segments of a rendition, as the store would give it:
// whole segments k..k+n-1, then parts of the next.
func described(r *Rendition, k int64, n, parts int) []Segment {
	var segments []Segment
	for i := range n + 1 {
		s := Segment{Number: k + int64(i), Complete: i < n}
		held := r.Grid.Parts()
		if i == n {
			held = parts
		}
		for part := range held {
			s.Parts = append(s.Parts, describedPart(r, s.Number, part))
		}
		if held > 0 {
			segments = append(segments, s)
		}
	}
	return segments
}

func describedPart(r *Rendition, k int64, part int) Part {
	from, to := r.FirstUnit(k, part), r.FirstUnit(k, part+1)
	return Part{
		Start: from * r.UnitTicks(), Duration: (to - from) * r.UnitTicks(),
		Independent: r.Group != "" || part%8 == 0, Bytes: 1000 + part, KeyBytes: 600,
	}
}

func livePlaylist(r *Rendition, renditions []*Rendition, segments []Segment) *MediaPlaylist {
	p := &MediaPlaylist{Rendition: r, Segments: segments, LowLatency: true, PartHoldBack: PartHoldBack(renditions)}
	number, part, _ := p.NextPart()
	for _, other := range renditions {
		if other == r {
			continue
		}
		report := Report{URI: "../" + other.ID + "/index.m3u8", LastSegment: number, LastPart: part - 1}
		if part == 0 {
			report.LastSegment, report.LastPart = number-1, r.Grid.Parts()-1
		}
		p.Reports = append(p.Reports, report)
	}
	return p
}

func channelRenditions(t testing.TB, g Grid) []*Rendition {
	t.Helper()
	return []*Rendition{rendition(t, g, videoTrack(t, "v90")), rendition(t, g, audioTrack(t, "audio"))}
}

func TestPlaylistsAreGolden(t *testing.T) {
	const k = 559_642_500 // 2026-10-01T12:00:00Z at 30 frames a second
	renditions := channelRenditions(t, gridOf(t, "30"))
	video, audio := renditions[0], renditions[1]
	crashed := described(video, k, 4, 3)
	crashed[1].Parts = crashed[1].Parts[:5] // the server ended here,
	crashed = append(crashed[:2], Segment{Number: k + 4, Complete: true, Parts: described(video, k+4, 1, 0)[0].Parts})
	renewed := described(video, k, 4, 3)
	renewed[0].InitName, renewed[1].InitName = "init-0123456789ab.mp4", "init-0123456789ab.mp4"
	elsewhere := described(audio, k, 3, 3)
	elsewhere[2].Discontinuity = true
	ended := livePlaylist(video, renditions, described(video, k, 2, 0))
	ended.Ended = true
	tests := []struct {
		name     string
		playlist *MediaPlaylist
		delta    bool
	}{
		{"live.m3u8", livePlaylist(video, renditions, described(video, k, 7, 3)), false},
		{"live-whole.m3u8", livePlaylist(video, renditions, described(video, k, 7, 0)), false},
		{"live-audio.m3u8", livePlaylist(audio, renditions, described(audio, k, 7, 3)), false},
		{"live-delta.m3u8", livePlaylist(video, renditions, described(video, k, 10, 3)), true},
		{"live-short-delta.m3u8", livePlaylist(video, renditions, described(video, k, 2, 3)), true},
		{"live-gap.m3u8", livePlaylist(video, renditions, crashed), false},
		{"live-new-init.m3u8", livePlaylist(video, renditions, renewed), false},
		{"live-new-init-elsewhere.m3u8", livePlaylist(audio, renditions, elsewhere), false},
		{"ended.m3u8", ended, false},
		{"vod.m3u8", &MediaPlaylist{Rendition: video, Type: VOD, Ended: true, Base: "/live/main/v90/",
			Segments: described(video, k, 3, 0)}, false},
		{"event.m3u8", &MediaPlaylist{Rendition: video, Type: Event, Base: "/live/main/v90/",
			Segments: described(video, k, 3, 4)}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.playlist.Marshal()
			if test.delta {
				got = test.playlist.AppendDelta(nil)
			}
			golden(t, test.name, got)
			secondOpinions(t, test.playlist, got)
		})
	}
}

// secondOpinions parses with two other implementations and compares.
func secondOpinions(t *testing.T, p *MediaPlaylist, data []byte) {
	t.Helper()
	var parsed playlist.Media
	require.NoError(t, parsed.Unmarshal(data))
	require.Equal(t, p.Rendition.Grid.TargetDuration(), parsed.TargetDuration)
	require.EqualValues(t, p.Segments[0].Number, parsed.MediaSequence)
	require.Equal(t, p.Ended, parsed.Endlist)
	require.Equal(t, p.LowLatency, parsed.ServerControl != nil && parsed.PartInf != nil)
	if p.LowLatency {
		require.Equal(t, !p.Ended, parsed.PreloadHint != nil)
		require.Greater(t, parsed.ServerControl.PartHoldBack.Seconds(), 2.9*parsed.PartInf.PartTarget.Seconds())
	}
	for _, s := range parsed.Segments {
		require.LessOrEqual(t, int(math.Round(s.Duration.Seconds())), parsed.TargetDuration, "H01")
		for _, part := range s.Parts {
			require.LessOrEqual(t, part.Duration, parsed.PartInf.PartTarget, "H05")
		}
	}
	if part := bytes.Index(data, []byte("#EXT-X-PART:")); part >= 0 && part < bytes.Index(data, []byte("#EXTINF:")) {
		return // the next parser knows no part before a whole segment
	}
	other, kind, err := m3u8.DecodeFrom(bytes.NewReader(data), true)
	require.NoError(t, err)
	require.Equal(t, m3u8.MEDIA, kind)
	media := other.(*m3u8.MediaPlaylist)
	require.EqualValues(t, p.Segments[0].Number, media.SeqNo)
	require.Equal(t, p.Ended, media.Closed)
}

// A09: the sum of EXTINF over any run is the real duration, at every rate, but for
// the two microseconds of each segment that a live playlist holds back; H01, H05
// and H06 hold for every segment and part.
func TestDurationsAtEveryRate(t *testing.T) {
	for _, text := range contractRates {
		g := gridOf(t, text)
		renditions := channelRenditions(t, g)
		for _, r := range renditions {
			segments := described(r, g.SegmentAt(noon), 300, 5)
			p := livePlaylist(r, renditions, segments)
			var parsed playlist.Media
			require.NoError(t, parsed.Unmarshal(p.Marshal()))
			var sum time.Duration
			for i, s := range parsed.Segments[:300] {
				sum += s.Duration
				start, _ := r.Extent(&segments[0])
				_, end := r.Extent(&segments[i])
				real := r.Time(end).Sub(r.Time(start))
				held := time.Duration(i+1) * 2 * time.Microsecond
				require.InDelta(t, real.Seconds(), (sum + held).Seconds(), 0.000_01, text)
				require.Less(t, sum, real, "no segment ends after its media")
				require.LessOrEqual(t, int(math.Round(s.Duration.Seconds())), parsed.TargetDuration)
				for _, part := range s.Parts {
					require.LessOrEqual(t, part.Duration, parsed.PartInf.PartTarget, text)
					require.GreaterOrEqual(t, part.Duration.Seconds(), 0.85*parsed.PartInf.PartTarget.Seconds(), text)
				}
			}
			date := parsed.Segments[0].DateTime
			require.NotNil(t, date)
			require.InDelta(t, 0, date.Sub(r.Time(segments[0].Parts[0].Start).UTC()).Seconds(), 0.000_501, text)
		}
	}
}

// H30: a delta update put on an older copy gives the full playlist.
func TestDeltaRebuildsPlaylist(t *testing.T) {
	g := gridOf(t, "30000/1001")
	renditions := channelRenditions(t, g)
	k := g.SegmentAt(noon)
	old := livePlaylist(renditions[0], renditions, described(renditions[0], k, 20, 3))
	all := described(renditions[0], k, 22, 7)
	all = append(all[:9:9], all[10:]...) // a number that is not stored
	now := livePlaylist(renditions[0], renditions, all[2:])

	var before, delta, full playlist.Media
	require.NoError(t, before.Unmarshal(old.Marshal()))
	require.NoError(t, delta.Unmarshal(now.AppendDelta(nil)))
	require.NoError(t, full.Unmarshal(now.Marshal()))
	require.NotNil(t, delta.Skip)
	require.Equal(t, now.Skippable(), delta.Skip.SkippedSegments)
	require.Equal(t, len(full.Segments), delta.Skip.SkippedSegments+len(delta.Segments))
	for i, s := range delta.Segments {
		want := *full.Segments[delta.Skip.SkippedSegments+i]
		require.Equal(t, &want, s)
	}
	require.Equal(t, 9, delta.Version)
	require.Equal(t, 6, full.Version)
	require.Equal(t, 1, strings.Count(string(now.AppendDelta(nil)), "#EXT-X-SKIP:"))
	// Only what ends at least 6 target durations before the end is left out.
	var kept time.Duration
	for _, s := range delta.Segments {
		kept += s.Duration
	}
	for _, part := range delta.Parts {
		kept += part.Duration
	}
	require.GreaterOrEqual(t, kept, 6*3*time.Second)
	require.Less(t, kept, 6*3*time.Second+g.SegmentDuration()+time.Millisecond)
}

// H14: the hint of a version is the next part of the later one.
func TestHintNamesLaterPart(t *testing.T) {
	g := gridOf(t, "30")
	renditions := channelRenditions(t, g)
	k := g.SegmentAt(noon)
	hint := ""
	for step := range 40 {
		segments := described(renditions[0], k, 3+step/16, step%16)
		if len(segments[len(segments)-1].Parts) == 16 { // all parts are there
			segments[len(segments)-1].Complete = true
		}
		var parsed playlist.Media
		require.NoError(t, parsed.Unmarshal(livePlaylist(renditions[0], renditions, segments).Marshal()))
		parts := parsed.Parts
		if len(parts) == 0 {
			parts = parsed.Segments[len(parsed.Segments)-1].Parts
		}
		if hint != "" {
			require.Equal(t, hint, parts[len(parts)-1].URI, "step %d", step)
		}
		hint = parsed.PreloadHint.URI
	}
}

// Gaps at either end count with the time they cover.
func TestGapsAtTheEnds(t *testing.T) {
	g := gridOf(t, "30")
	renditions := channelRenditions(t, g)
	segments := described(renditions[0], 559_642_500, 12, 0)
	whole := livePlaylist(renditions[0], renditions, described(renditions[0], 559_642_500, 12, 0)).Skippable()
	segments[0].Parts, segments[11].Parts = nil, nil
	p := livePlaylist(renditions[0], renditions, segments)
	require.Equal(t, whole, p.Skippable())
	number, part, ok := p.NextPart()
	require.True(t, ok)
	require.Equal(t, [2]int64{559_642_512, 0}, [2]int64{number, int64(part)})
	golden(t, "gaps-at-ends.m3u8", p.Marshal())

	m := &MPD{Windows: []Window{{Rendition: renditions[0], Segments: segments}}, PublishTime: g.SegmentTime(559_642_512), Depth: time.Hour}
	require.Equal(t, 12*g.SegmentDuration(), time.Duration(*parseMPD(t, m).TimeShiftBufferDepth))
}

func TestPlaylistOfNothing(t *testing.T) {
	renditions := channelRenditions(t, gridOf(t, "30"))
	p := &MediaPlaylist{Rendition: renditions[0], LowLatency: true, PartHoldBack: PartHoldBack(renditions)}
	require.Zero(t, p.Skippable())
	require.NotContains(t, string(p.AppendDelta(nil)), "PRELOAD-HINT")
}

// A day of segments in one playlist is below 100 kB compressed, at every rate.
func TestDayIsSmall(t *testing.T) {
	for _, rate := range contractRates {
		g := gridOf(t, rate)
		for _, r := range channelRenditions(t, g) {
			k := g.SegmentAt(noon)
			p := &MediaPlaylist{
				Rendition: r, Type: Event, Segments: described(r, k, int(g.SegmentAt(noon.Add(24*time.Hour))-k), 0), Base: "../../../../live/main/" + r.ID + "/",
			}
			var small bytes.Buffer
			w := gzip.NewWriter(&small)
			_, err := w.Write(p.Append(nil))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.Less(t, small.Len(), 100_000, "%s %s", rate, r.ID)
			t.Logf("%s %s: %d bytes", rate, r.ID, small.Len())
		}
	}
}

func BenchmarkPlaylistOfADay(b *testing.B) {
	renditions := channelRenditions(b, gridOf(b, "30"))
	p := &MediaPlaylist{Rendition: renditions[0], Type: Event, Segments: described(renditions[0], 559_642_500, 27_000, 0), Base: "../../../../live/main/v720/"}
	b.ReportAllocs()
	for b.Loop() {
		p.Append(nil)
	}
}

func BenchmarkPlaylistOfTwoHours(b *testing.B) {
	renditions := channelRenditions(b, gridOf(b, "30"))
	p := livePlaylist(renditions[0], renditions, described(renditions[0], 559_642_500, 2250, 3))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = p.Append(dst[:0])
	}
	b.SetBytes(int64(len(dst)))
}
