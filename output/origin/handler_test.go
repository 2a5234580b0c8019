package origin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDocumentsAndMedia(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+7)
	s.put(s.first+7, 0)
	video, audio := s.layout.Renditions[0], s.layout.Renditions[2]
	k := s.first
	for _, row := range []struct {
		path        string
		status      int
		mime, cache string
		priority    string
		body        string // contained
	}{
		{"/live/main/index.m3u8", 200, "application/vnd.apple.mpegurl", "public, max-age=1", "u=1", "v720/index.m3u8"},
		{"/live/main/manifest.mpd", 200, "application/dash+xml", "public, max-age=1", "u=1", "urn:mpeg:dash:schema:mpd"},
		{"/live/main/v720/index.m3u8", 200, "application/vnd.apple.mpegurl", "public, max-age=1", "u=1", fmt.Sprintf("%d.m4s", k+6)},
		{"/live/main/v720/iframes.m3u8", 200, "application/vnd.apple.mpegurl", "public, max-age=1", "u=1", "#EXT-X-I-FRAMES-ONLY"},
		{"/live/main/v720/init-v720.mp4", 200, "video/mp4", "public, max-age=1209600, immutable", "u=4", "init of v720"},
		{"/live/main/audio/init-audio.mp4", 200, "audio/mp4", "public, max-age=1209600, immutable", "u=2", "init of audio"},
		{fmt.Sprintf("/live/main/v720/%d.m4s", k), 200, "video/iso.segment", "public, max-age=1209600, immutable", "u=4", string(segmentBytes(video, k, 16))},
		{fmt.Sprintf("/live/main/v240/%d.m4s", k), 200, "video/iso.segment", "public, max-age=1209600, immutable", "u=3", ""},
		{fmt.Sprintf("/live/main/audio/%d.3.m4s", k+6), 200, "video/iso.segment", "public, max-age=1209600, immutable", "u=2", string(chunkOf(audio, k+6, 3).Data)},
		{fmt.Sprintf("/live/main/v720/%d.0.m4s", k+7), 200, "video/iso.segment", "public, max-age=1209600, immutable", "u=4", string(chunkOf(video, k+7, 0).Data)},

		{"/live/other/index.m3u8", 404, "text/plain; charset=utf-8", "public, max-age=1", "", ""},
		{"/live/main", 404, "text/plain; charset=utf-8", "", "", ""},
		{"/live/main/", 404, "text/plain; charset=utf-8", "", "", ""},
		{"/live/main/v9000/index.m3u8", 404, "text/plain; charset=utf-8", "public, max-age=3", "", ""},
		{"/live/main/audio/iframes.m3u8", 404, "text/plain; charset=utf-8", "", "", ""},
		{"/live/main/v720/init-other.mp4", 404, "text/plain; charset=utf-8", "public, max-age=3", "", ""},
		{"/live/main/v720/../v720/index.m3u8", 404, "text/plain; charset=utf-8", "", "", ""},
		{"/live/main/v72%30/index.m3u8", 404, "", "", "", ""}, // one spelling
		{"/live/main%2Fv720/index.m3u8", 404, "", "", "", ""},
		{"/live/main//v720/index.m3u8", 404, "", "", "", ""},
		{fmt.Sprintf("/live/main/v720/%d.m4s", k-1), 404, "", "public, max-age=3", "", ""},
		{fmt.Sprintf("/live/main/v720/0%d.m4s", k), 404, "", "", "", ""},
		{fmt.Sprintf("/live/main/v720/+%d.m4s", k), 404, "", "", "", ""},
		{fmt.Sprintf("/live/main/v720/%d.16.m4s", k), 404, "", "", "", ""},
		{fmt.Sprintf("/live/main/v720/%d.2.m4s", k+7), 404, "", "public, max-age=3", "", ""}, // not hinted
		{fmt.Sprintf("/live/main/v720/%d.m4s", k+8), 404, "", "", "", ""},                    // too early
		{"/live/main/v720/999999999999.m4s", 404, "", "", "", ""},                            // beyond the timeline
		{"/live/main/v720/99999999999999999999.m4s", 404, "", "", "", ""},
		{"/elsewhere", 404, "", "", "", ""},
		{"/time", 200, "text/plain; charset=utf-8", "no-store", "", "T"},
	} {
		t.Run(row.path, func(t *testing.T) {
			header := http.Header{"Accept-Encoding": {"identity"}}
			a := s.request(http.MethodGet, row.path, header)
			require.Equal(t, row.status, a.StatusCode)
			require.Equal(t, "*", a.Header.Get("Access-Control-Allow-Origin"))
			require.Empty(t, a.Header.Get("Age"))
			if row.mime != "" {
				require.Equal(t, row.mime, a.Header.Get("Content-Type"))
			}
			if row.cache != "" {
				require.Equal(t, row.cache, a.Header.Get("Cache-Control"))
			}
			if row.priority != "" {
				require.Equal(t, row.priority, a.Header.Get("Priority"))
			}
			if row.status == 200 && row.path != "/live/main" {
				require.Contains(t, a.body, row.body)
			}
			head := s.request(http.MethodHead, row.path, header)
			require.Equal(t, a.StatusCode, head.StatusCode)
			require.Empty(t, head.body)
			for name := range a.Header {
				if row.status == 200 && name != "Date" && name != "Content-Length" {
					require.Equal(t, a.Header[name], head.Header[name], name)
				}
			}
			if row.status == 200 && row.path != "/time" {
				require.Equal(t, a.ContentLength, head.ContentLength)
			}
		})
	}
}

func TestEntityTagsAndEncodings(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+2)
	for _, path := range []string{
		"/live/main/index.m3u8", "/live/main/manifest.mpd", "/live/main/v720/index.m3u8", "/live/main/v720/init-v720.mp4",
		fmt.Sprintf("/live/main/v720/%d.m4s", s.first), fmt.Sprintf("/live/main/v720/%d.3.m4s", s.first),
	} {
		for _, encoding := range []string{"identity", "gzip"} {
			a := s.request(http.MethodGet, path, http.Header{"Accept-Encoding": {encoding}})
			require.Equal(t, 200, a.StatusCode)
			tag := a.Header.Get("Etag")
			require.NotEmpty(t, tag, path)
			document := strings.HasSuffix(path, ".m3u8") || strings.HasSuffix(path, ".mpd")
			require.Equal(t, document && encoding == "gzip", a.Header.Get("Content-Encoding") == "gzip", path)
			for _, none := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
				b := s.request(http.MethodGet, path, http.Header{"Accept-Encoding": {encoding}, "If-None-Match": {none}})
				require.Equal(t, 304, b.StatusCode, "%s %s", path, none)
				require.Empty(t, b.body)
				require.Equal(t, tag, b.Header.Get("Etag"))
			}
			require.Equal(t, 200, s.request(http.MethodGet, path, http.Header{"If-None-Match": {`"other"`}}).StatusCode)
		}
	}
	for value, want := range map[string]bool{
		"gzip": true, "deflate, gzip;q=0.5": true, "GZIP": true, "gzip;q=0": false, "gzip; q=0.0": false, "br": false, "": false, "xgzip": false,
	} {
		require.Equal(t, want, acceptsGzip([]string{value}), value)
	}
}

func TestByteRanges(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+15) // the first ones are on disk only
	whole := segmentBytes(s.layout.Renditions[0], s.first, 16)
	path := fmt.Sprintf("/live/main/v720/%d.m4s", s.first)
	for _, row := range []struct {
		header string
		want   []byte
	}{{"bytes=0-99", whole[:100]}, {"bytes=3000-9000", whole[3000:9001]}, {"bytes=-5", whole[len(whole)-5:]}} {
		a := s.request(http.MethodGet, path, http.Header{"Range": {row.header}})
		require.Equal(t, 206, a.StatusCode)
		require.Equal(t, string(row.want), a.body)
	}
	require.Equal(t, 416, s.request(http.MethodGet, path, http.Header{"Range": {"bytes=99999999-"}}).StatusCode)
}

func TestMethodsAndPreflight(t *testing.T) {
	s := newStage(t)
	s.handler.Add("closed", Channel{Store: s.store, Authorize: func(*http.Request) error { return errors.New("no") }})
	for _, path := range []string{"/live/main/index.m3u8", "/live/closed/index.m3u8", "/live/nothing/index.m3u8"} {
		a := s.request(http.MethodOptions, path, nil)
		require.Equal(t, 204, a.StatusCode)
		require.Contains(t, a.Header.Get("Access-Control-Allow-Headers"), "Range")
		require.Contains(t, a.Header.Get("Access-Control-Allow-Methods"), "GET")
		b := s.request(http.MethodPost, path, nil)
		require.Equal(t, 405, b.StatusCode)
		require.Equal(t, "*", b.Header.Get("Access-Control-Allow-Origin"))
	}
}

func TestAuthorize(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+1)
	s.handler.Add("main", Channel{Store: s.store, Authorize: func(r *http.Request) error {
		switch r.Header.Get("Authorization") {
		case "Bearer right":
			return nil
		case "":
			return errors.New("no token")
		}
		return fmt.Errorf("token is not for this channel: %w", ErrForbidden)
	}})
	for token, want := range map[string]int{"": 401, "Bearer wrong": 403, "Bearer right": 200} {
		for _, path := range []string{"/live/main/index.m3u8", "/live/main/v720/index.m3u8", fmt.Sprintf("/live/main/v720/%d.m4s", s.first)} {
			header := http.Header{}
			if token != "" {
				header.Set("Authorization", token)
			}
			a := s.request(http.MethodGet, path, header)
			require.Equal(t, want, a.StatusCode)
			require.Equal(t, "*", a.Header.Get("Access-Control-Allow-Origin"))
			if want != 200 {
				require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
			}
		}
	}
}

func TestStarting(t *testing.T) {
	s := newStage(t)
	for _, path := range []string{"/live/main/index.m3u8", "/live/main/manifest.mpd", "/live/main/v720/index.m3u8"} {
		a := s.get(path)
		require.Equal(t, 503, a.StatusCode)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		require.Equal(t, "1", a.Header.Get("Retry-After"))
	}
	require.Len(t, *s.handler.channels.Load(), 1, "what is not there allocates nothing")
}

func TestEndedChannel(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+3)
	s.handler.Add("main", Channel{Store: s.store, Ended: true})
	a := s.get("/live/main/v720/index.m3u8?_HLS_msn=99999999999&_HLS_part=x")
	require.Equal(t, 200, a.StatusCode, "directives are ignored (H27)")
	require.Contains(t, a.body, "#EXT-X-ENDLIST")
	require.NotContains(t, a.body, "PRELOAD-HINT")
	require.Contains(t, s.get("/live/main/manifest.mpd").body, `type="static"`)
}

// A rendition that is not encoded at present is offered to nobody, and who plays it is
// sent away; what is stored of it is served.
func TestWithdrawnRendition(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+8)
	why := ""
	s.handler.Add("main", Channel{Store: s.store, Withdrawn: func(rendition string) string {
		if rendition == "v720" {
			return why
		}
		return ""
	}})
	listed := func() (in []bool) {
		for _, name := range []string{"index.m3u8", "manifest.mpd", "v240/index.m3u8"} {
			in = append(in, strings.Contains(s.get("/live/main/"+name).body, "v720"))
		}
		return in
	}
	require.Equal(t, []bool{true, true, true}, listed())
	require.Equal(t, 200, s.get("/live/main/v720/index.m3u8").StatusCode)
	why = "it takes a card"
	s.segments(s.first+8, s.first+9)
	require.Equal(t, []bool{false, false, false}, listed())
	for _, name := range []string{"index.m3u8", "iframes.m3u8"} {
		gone := s.get("/live/main/v720/" + name)
		require.Equal(t, 410, gone.StatusCode)
		require.Contains(t, gone.body, "it takes a card")
	}
	require.Equal(t, 200, s.get("/live/main/v720/init-v720.mp4").StatusCode)
}
