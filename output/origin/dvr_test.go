package origin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]span{
		"100-200":       {start: media.Time(100e9), end: media.Time(200e9)},
		"100.5-200.25":  {start: media.Time(100.5e9), end: media.Time(200.25e9)},
		"100-now":       {start: media.Time(100e9), open: true},
		"rewind-30":     {rewind: 30 * time.Second},
		"rewind-0.5":    {rewind: time.Second / 2},
		"0-0.000000001": {end: 1},
	} {
		got, ok := parseSpan(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "-", "100", "100-", "-100", "200-100", "100-100", "now-100", "1e3-2e3", "100-200-300", "1.-2", "100-200.", "1.0000000001-2", "+1-2",
		"1.+5-2", "rewind-", "rewind-0", "rewind--5", "rewind-999999999", "99999999999999999-now",
	} {
		_, ok := parseSpan(text)
		require.False(t, ok, text)
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, seed := range []string{"100-200", "100.5-now", "rewind-30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, ok := parseSpan(text); ok {
			require.GreaterOrEqual(t, s.start, media.Time(0))
			require.True(t, s.open || s.rewind > 0 || s.end > s.start)
		}
	})
}

func TestDVR(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+30)
	s.put(s.first+30, 0)
	grid := s.layout.Grid
	at := func(n int, offset float64) string { // seconds of an instant in segment n
		return fmt.Sprintf("%.3f", float64(grid.SegmentTime(s.first+int64(n)))/1e9+offset)
	}
	names := func(playlist string) (out []string) {
		for line := range strings.Lines(playlist) {
			if !strings.HasPrefix(line, "#") {
				out = append(out, strings.TrimSpace(line))
			}
		}
		return out
	}
	for _, row := range []struct {
		span        string
		first, last int // segments listed
		kind        string
		ended       bool
	}{
		{at(5, 0) + "-" + at(8, 0), 5, 7, "VOD", true},
		{at(5, 1.1) + "-" + at(8, 1.1), 5, 8, "VOD", true},
		{at(-50, 0) + "-" + at(2, 0), 0, 1, "VOD", true},
		{at(28, 0) + "-" + at(40, 0), 28, 29, "EVENT", false},
		{at(12, 3) + "-now", 12, 29, "EVENT", false},
		{"rewind-16", 7, 24, "", false},
	} {
		path := "/dvr/main/" + row.span + "/"
		require.Contains(t, s.get(path+"index.m3u8").body, "v720/index.m3u8", path)
		for _, r := range s.layout.Renditions {
			a := s.get(path + r.ID + "/index.m3u8")
			require.Equal(t, 200, a.StatusCode, path)
			listed := names(a.body)
			require.Len(t, listed, row.last-row.first+1, path)
			require.Contains(t, a.body, fmt.Sprintf("#EXT-X-MEDIA-SEQUENCE:%d\n", s.first+int64(row.first)))
			require.Equal(t, row.kind != "", strings.Contains(a.body, "#EXT-X-PLAYLIST-TYPE:"+row.kind))
			require.Equal(t, row.ended, strings.Contains(a.body, "#EXT-X-ENDLIST"))
			base, err := url.Parse(s.server.URL + path + r.ID + "/index.m3u8")
			require.NoError(t, err)
			for i, name := range listed {
				target, err := base.Parse(name)
				require.NoError(t, err)
				k := s.first + int64(row.first+i)
				require.Equal(t, fmt.Sprintf("/live/main/%s/%d.m4s", r.ID, k), target.Path)
				require.Equal(t, string(segmentBytes(r, k, 16)), s.get(target.Path).body)
			}
		}
		mpd := s.get(path + "manifest.mpd")
		require.Equal(t, 200, mpd.StatusCode, path)
		require.Equal(t, row.ended, strings.Contains(mpd.body, `type="static"`))
		require.Contains(t, mpd.body, "../../../live/main/$RepresentationID$/$Number$.m4s")
	}
	for path, want := range map[string]int{
		"/dvr/main/" + at(40, 0) + "-" + at(50, 0) + "/index.m3u8":       404,
		"/dvr/main/" + at(-40, 0) + "-" + at(-30, 0) + "/index.m3u8":     404,
		"/dvr/main/rewind-3000/index.m3u8":                               404,
		"/dvr/main/nonsense/index.m3u8":                                  404,
		"/dvr/main/" + at(5, 0) + "-" + at(8, 0) + "/v9000/index.m3u8":   404,
		"/dvr/main/" + at(5, 0) + "-" + at(8, 0) + "/audio/iframes.m3u8": 404,
		"/dvr/main/" + at(5, 0) + "-" + at(8, 0) + "/v720/iframes.m3u8":  200,
		"/dvr/main/" + at(5, 0) + "-" + at(8, 0) + "/v720/560992505.m4s": 404,
		"/dvr/other/" + at(5, 0) + "-" + at(8, 0) + "/index.m3u8":        404,
	} {
		require.Equal(t, want, s.get(path).StatusCode, path)
	}
}
