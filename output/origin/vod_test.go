package origin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/record"
)

func TestRecording(t *testing.T) {
	s := newStage(t)
	recordings := map[string]Recording{
		"done":   {Channel: "main", From: s.first + 2, To: s.first + 5},
		"making": {Channel: "main", From: s.first + 8, To: record.Forever},
		"ending": {Channel: "main", From: s.first + 8, To: s.first + 11},
		"young":  {Channel: "main", From: s.first + 10, To: record.Forever},
		"orphan": {Channel: "gone", From: 1, To: 2},
	}
	s.handler.config.Recording = func(id string) (Recording, bool) {
		r, ok := recordings[id]
		return r, ok
	}
	s.segments(s.first, s.first+10)
	s.put(s.first+10, 0)
	check := func(id string, first, last int, kind string) {
		t.Helper()
		path := "/vod/" + id + "/"
		require.Contains(t, s.get(path+"index.m3u8").body, "v720/index.m3u8", path)
		for _, r := range s.layout.Renditions {
			a := s.get(path + r.ID + "/index.m3u8")
			require.Equal(t, 200, a.StatusCode, path)
			require.Contains(t, a.body, "#EXT-X-PLAYLIST-TYPE:"+kind+"\n")
			require.Equal(t, kind == "VOD", strings.Contains(a.body, "#EXT-X-ENDLIST"))
			require.Equal(t, last-first+1, strings.Count(a.body, "#EXTINF"))
			base, err := url.Parse(s.server.URL + path + r.ID + "/index.m3u8")
			require.NoError(t, err)
			target, err := base.Parse("../../../live/main/" + r.ID + "/" + fmt.Sprint(s.first+int64(first)) + ".m4s")
			require.NoError(t, err)
			require.Contains(t, a.body, "../../../live/main/"+r.ID+"/"+fmt.Sprint(s.first+int64(first))+".m4s\n")
			require.Equal(t, string(segmentBytes(r, s.first+int64(first), 16)), s.get(target.Path).body)
		}
		mpd := s.get(path + "manifest.mpd")
		require.Equal(t, 200, mpd.StatusCode)
		require.Equal(t, kind == "VOD", strings.Contains(mpd.body, `type="static"`))
		require.Contains(t, mpd.body, `"../../live/main/$RepresentationID$/$Number$.m4s"`)
	}
	check("done", 2, 4, "VOD")
	check("making", 8, 9, "EVENT")
	check("ending", 8, 9, "EVENT")
	require.Equal(t, 503, s.get("/vod/young/index.m3u8").StatusCode)
	require.Equal(t, 503, s.get("/vod/young/download.mp4").StatusCode)
	for _, path := range []string{"/vod/orphan/index.m3u8", "/vod/none/index.m3u8", "/vod/", "/vod/done/", "/vod/done/v9/index.m3u8", "/vod/done/../making/index.m3u8"} {
		require.Equal(t, 404, s.get(path).StatusCode, path)
	}

	// A channel that does not run serves what it has, and has no live edge.
	s.handler.Add("main", Channel{Store: s.store, Off: true})
	check("done", 2, 4, "VOD")
	check("making", 8, 9, "EVENT")
	require.Equal(t, 404, s.get("/live/main/index.m3u8").StatusCode)
	require.Equal(t, 404, s.get("/live/main/v720/index.m3u8").StatusCode)
	require.Equal(t, 404, s.get(fmt.Sprintf("/live/main/v720/%d.m4s", s.first+11)).StatusCode, "nobody waits for it")
	require.Equal(t, 200, s.get("/live/main/v720/init-v720.mp4").StatusCode)
}
