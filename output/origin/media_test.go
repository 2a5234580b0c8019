package origin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// H13: a hinted part waits and then comes at once; nothing is sent before.
func TestHintedPart(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+3)
	k := s.first + 3
	for _, part := range []int{0, 1} {
		playlist := s.get("/live/main/v720/index.m3u8").body
		var hint string
		for line := range strings.Lines(playlist) {
			if strings.HasPrefix(line, "#EXT-X-PRELOAD-HINT:") {
				hint = uri(line)
			}
		}
		require.Equal(t, fmt.Sprintf("%d.%d.m4s", k, part), hint)
		conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "GET /live/main/v720/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", hint)
		require.NoError(t, err)
		s.waiting(1)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err = conn.Read(make([]byte, 1))
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout(), "no early bytes")
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		s.put(k, part)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, string(chunkOf(s.layout.Renditions[0], k, part).Data), string(body))
		require.Equal(t, int64(len(body)), response.ContentLength)
		require.Equal(t, "public, max-age=18", response.Header.Get("Cache-Control"))
		require.NoError(t, conn.Close())
	}
}

// A segment that has begun by the clock is waited for, however late its encoder
// is; one that has not is refused.
func TestSegmentDueByTheClock(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+1)
	s.put(s.first+1, 0)
	s.handler.config.Clock = media.NewClock(s.layout.Grid.SegmentTime(s.first+2), time.Now())
	due := s.later(fmt.Sprintf("/live/main/v720/%d.m4s", s.first+2))
	s.waiting(1)
	require.Equal(t, 404, s.get(fmt.Sprintf("/live/main/v720/%d.m4s", s.first+60)).StatusCode, "two minutes away, so that no slow machine gets there")
	for p := 1; p < s.layout.Grid.Parts(); p++ {
		s.append(s.first+1, p)
	}
	s.segments(s.first+2, s.first+3)
	require.Equal(t, 200, (<-due).StatusCode)
}

// Until a whole segment is listed the channel is starting.
func TestNoPlaylistWithoutAWholeSegment(t *testing.T) {
	s := newStage(t)
	s.put(s.first, 0)
	for _, name := range []string{"index.m3u8", "manifest.mpd", "v720/index.m3u8"} {
		a := s.get("/live/main/" + name)
		require.Equal(t, 503, a.StatusCode, name)
		require.Equal(t, "1", a.Header.Get("Retry-After"))
	}
	for p := 1; p < s.layout.Grid.Parts(); p++ {
		s.put(s.first, p)
	}
	require.Equal(t, 200, s.get("/live/main/v720/index.m3u8").StatusCode)
}

// H48: a hint that is dropped is 404.
func TestDroppedHint(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+3)
	s.put(s.first+3, 0)
	part := s.later(fmt.Sprintf("/live/main/v720/%d.1.m4s", s.first+3))
	s.waiting(1)
	s.put(s.first+5, 0)
	require.Equal(t, 404, (<-part).StatusCode)
	require.Equal(t, 404, s.get(fmt.Sprintf("/live/main/v720/%d.m4s", s.first+4)).StatusCode, "a gap")
	require.Equal(t, 200, s.get(fmt.Sprintf("/live/main/v720/%d.m4s", s.first+3)).StatusCode, "a short segment")
	require.Contains(t, s.get("/live/main/v720/index.m3u8").body, fmt.Sprintf("#EXT-X-GAP\n#EXTINF:3.199998,\n%d.m4s", s.first+4))
}

// D15: a segment in progress comes chunk by chunk, one HTTP chunk for each CMAF
// chunk, as soon as it is listed.
func TestSegmentInProgress(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+3)
	k := s.first + 3
	for _, begun := range []int{0, 1, 5} { // parts that are there when it is asked for
		k++
		s.segments(k-1, k)
		for p := range begun {
			s.put(k, p)
		}
		conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = fmt.Fprintf(conn, "GET /live/main/v720/%d.m4s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", k)
		require.NoError(t, err)
		if begun == 0 {
			s.waiting(1) // ahead of time
			s.put(k, 0)
		}
		in := bufio.NewReader(conn)
		head, err := readHead(in)
		require.NoError(t, err)
		require.Contains(t, head, "Transfer-Encoding: chunked")
		require.Contains(t, head, "Cache-Control: public, max-age=18")
		for p := range 16 {
			if p >= max(begun, 1) {
				s.put(k, p)
			}
			require.Equal(t, string(chunkOf(s.layout.Renditions[0], k, p).Data), readChunk(t, in), "part %d", p)
		}
		require.Empty(t, readChunk(t, in))
		require.NoError(t, conn.Close())
	}
}

func readHead(in *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "\r\n" {
			return head.String(), err
		}
		head.WriteString(line)
	}
}

func readChunk(t *testing.T, in *bufio.Reader) string {
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
	require.NoError(t, err)
	body := make([]byte, size+2)
	_, err = io.ReadFull(in, body)
	require.NoError(t, err)
	return string(body[:size])
}

// Contract §4.9: what was listed is served after a restart under the same name,
// byte for byte; the time between is listed as gaps; numbers never fall.
func TestRestart(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+8)
	for p := range 5 {
		s.put(s.first+8, p)
	}
	sequence := regexp.MustCompile(`#EXT-X-MEDIA-SEQUENCE:(\d+)`)
	before := map[string]string{}
	numbers := map[string]string{}
	for _, r := range s.layout.Renditions {
		playlist := s.get("/live/main/" + r.ID + "/index.m3u8").body
		numbers[r.ID] = sequence.FindStringSubmatch(playlist)[1]
		for line := range strings.Lines(playlist) {
			name := strings.TrimSpace(line)
			if strings.HasPrefix(line, "#EXT-X-PART:") || strings.HasPrefix(line, "#EXT-X-MAP:") {
				name = uri(line)
			} else if strings.HasPrefix(line, "#") {
				continue
			}
			path := "/live/main/" + r.ID + "/" + name
			before[path] = s.get(path).body
		}
	}
	require.Greater(t, len(before), 3*(8+5+1))
	s.stop()
	s.open()
	check := func() {
		for path, body := range before {
			a := s.get(path)
			require.Equal(t, 200, a.StatusCode, path)
			require.Equal(t, body, a.body, path)
		}
	}
	check()
	next := s.store.NextSegment(s.layout.Grid.SegmentTime(s.first+9)+1, s.layout.Grid)
	require.Equal(t, s.first+10, next)
	s.put(next, 0)
	check()
	for _, r := range s.layout.Renditions {
		playlist := s.get("/live/main/" + r.ID + "/index.m3u8").body
		require.GreaterOrEqual(t, sequence.FindStringSubmatch(playlist)[1], numbers[r.ID])
		require.Contains(t, playlist, fmt.Sprintf("#EXT-X-GAP\n#EXTINF:3.199998,\n%d.m4s\n#EXT-X-PROGRAM-DATE-TIME:", s.first+9))
		require.Contains(t, playlist, fmt.Sprintf(`URI="%d.1.m4s"`, next), "the hint")
	}
}

// H38: where an init section changes, every rendition is marked at the same
// point, and the count goes on when the mark has left the window.
func TestChangedInitSection(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+4)
	s.stop()
	changed := *s.layout.Renditions[0]
	changed.Init, changed.InitName = []byte("another init"), "init-other.mp4"
	s.layout.Renditions[0] = &changed
	s.open()
	s.segments(s.first+4, s.first+8)
	for _, r := range s.layout.Renditions {
		playlist := s.get("/live/main/" + r.ID + "/index.m3u8").body
		require.Contains(t, playlist, "#EXT-X-DISCONTINUITY-SEQUENCE:0\n")
		_, after, found := strings.Cut(playlist, "#EXT-X-DISCONTINUITY\n")
		require.True(t, found, r.ID)
		require.NotContains(t, after, fmt.Sprintf("%d.m4s", s.first+3))
		require.Contains(t, after, fmt.Sprintf("%d.m4s", s.first+4))
		require.Equal(t, r.ID == "v720", strings.Contains(after, "init-other.mp4"))
	}
	require.Equal(t, "init of v720", s.get("/live/main/v720/init-v720.mp4").body)
	require.Equal(t, "another init", s.get("/live/main/v720/init-other.mp4").body)
	s.segments(s.first+8, s.first+30)
	playlist := s.get("/live/main/audio/index.m3u8").body
	require.Contains(t, playlist, "#EXT-X-DISCONTINUITY-SEQUENCE:1\n")
	require.NotContains(t, playlist, "#EXT-X-DISCONTINUITY\n")
}

// F36: readers that stall hold their sockets and nothing else; others go on.
func TestStalledReaders(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+15)
	for range 50 {
		conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		for range 200 { // more than the socket's buffers hold
			_, err = fmt.Fprintf(conn, "GET /live/main/v720/%d.m4s HTTP/1.1\r\nHost: x\r\n\r\n", s.first)
			require.NoError(t, err)
		}
	}
	begun := time.Now()
	for p := range 16 {
		s.put(s.first+15, p)
		require.Equal(t, 200, s.get(fmt.Sprintf("/live/main/v720/%d.%d.m4s", s.first+15, p)).StatusCode)
	}
	require.Less(t, time.Since(begun), 10*time.Second)
}
