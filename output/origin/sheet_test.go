package origin

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What goes on has a picture for each segment, under the segment's number; what
// has ended has sheets.
func TestThumbnailTracks(t *testing.T) {
	s := newStage(t)
	s.handler.config.Draw = func(context.Context, Sheet) ([]byte, error) { return nil, nil }
	s.segments(s.first, s.first+4)
	s.segments(s.first+6, s.first+30)
	single := func(k int64) string {
		return fmt.Sprintf("#EXTINF:3.200000,\n#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=1x1,DURATION=3.200000\nthumbnails/at-%d.jpg\n", k)
	}
	for name, row := range map[string]struct {
		span         string
		first, last  int64 // listed
		kind         string
		gaps         int
		periods      int
		vtt, sheetOf int // status
	}{
		"start-over": {s.at(s.first, 0) + "-now", 0, 29, "EVENT", 2, 2, 200, 404},
		"rewind":     {"rewind-16", 7, 24, "", 0, 1, 404, 404},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/dvr/main/" + row.span + "/"
			require.Contains(t, s.get(path+"index.m3u8").body, "#EXT-X-IMAGE-STREAM-INF:")
			list := s.get(path + "thumbnails.m3u8").body
			require.Contains(t, list, "#EXT-X-TARGETDURATION:3\n", "Shaka Player stays three of the longest behind")
			require.Contains(t, list, fmt.Sprintf("#EXT-X-MEDIA-SEQUENCE:%d\n", s.first+row.first))
			require.Contains(t, list, "#EXT-X-PROGRAM-DATE-TIME:"+s.layout.Grid.SegmentTime(s.first+row.first).UTC().Format("2006-01-02T15:04:05.000Z\n"))
			require.Equal(t, row.kind != "", strings.Contains(list, "#EXT-X-PLAYLIST-TYPE:"+row.kind))
			require.NotContains(t, list, "ENDLIST")
			require.Equal(t, row.gaps, strings.Count(list, "#EXT-X-GAP\n"))
			require.Contains(t, list, single(s.first+row.first))
			require.True(t, strings.HasSuffix(list, single(s.first+row.last)), list)
			require.Equal(t, row.vtt, s.get(path+"thumbnails.vtt").StatusCode)
			require.Equal(t, 404, s.get(path+fmt.Sprintf("thumbnails/at-%d.jpg", s.first+40)).StatusCode)
			manifest := s.manifest(path)
			require.Len(t, manifest.Periods, row.periods)
			for _, period := range manifest.Periods {
				sets := period.AdaptationSets
				pictures, video := sets[len(sets)-1].SegmentTemplate, sets[0].Representations[0].SegmentTemplate
				require.Equal(t, "thumbnails/at-$Number$.jpg", pictures.Media)
				require.Equal(t, *video.StartNumber, *pictures.StartNumber, "numbered as the segments are")
				require.Equal(t, 96_000, int(*pictures.Duration)*30_000/int(*pictures.Timescale))
			}
		})
	}
	ended := "/dvr/main/" + s.at(s.first+6, 0) + "-" + s.at(s.first+12, 0) + "/"
	require.Contains(t, s.get(ended+"thumbnails.m3u8").body, "LAYOUT=5x5,DURATION=3.200000\nthumbnails/0.jpg\n#EXT-X-ENDLIST\n")
	require.Contains(t, s.get(ended+"manifest.mpd").body, `media="thumbnails/$Number$.jpg"`)
	require.NotContains(t, s.get("/live/main/manifest.mpd").body, "thumbnails")
}
