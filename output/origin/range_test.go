package origin

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// at is an instant in segment k as /dvr/ takes it.
func (s *stage) at(k int64, offset float64) string {
	return fmt.Sprintf("%.3f", float64(s.layout.Grid.SegmentTime(k))/1e9+offset)
}

// What cannot be had says why, and when there is something.
func TestSpansThatCannotBeHad(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+20)
	s.put(s.first+20, 0)
	held := "from " + s.layout.Grid.SegmentTime(s.first).UTC().Format("2006-01-02T15:04:05.000Z")
	for name, row := range map[string]struct {
		span string
		want int
		says string
	}{
		"reversed":          {s.at(s.first+9, 0) + "-" + s.at(s.first+5, 0), 404, "END after START"},
		"empty":             {s.at(s.first+9, 0) + "-" + s.at(s.first+9, 0), 404, "END after START"},
		"not a number":      {"yesterday-now", 404, "START-now"},
		"in the future":     {s.at(s.first+900, 0) + "-" + s.at(s.first+950, 0), 404, held},
		"before there was":  {s.at(s.first-900, 0) + "-" + s.at(s.first-800, 0), 404, held},
		"start-over ahead":  {s.at(s.first+900, 0) + "-now", 404, held},
		"rewind beyond all": {"rewind-9000", 404, held},
	} {
		t.Run(name, func(t *testing.T) {
			for _, document := range []string{"index.m3u8", "manifest.mpd", "v720/index.m3u8"} {
				a := s.get("/dvr/main/" + row.span + "/" + document)
				require.Equal(t, row.want, a.StatusCode)
				require.Contains(t, a.body, row.says)
			}
		})
	}
	s.handler.Remove("main")
	require.Equal(t, 404, s.get("/dvr/main/"+s.at(s.first, 0)+"-now/index.m3u8").StatusCode, "a deleted channel")
}

// Over a gap a playlist says so and goes on; over a change of rungs it has the
// present rungs only, as far as they go back.
func TestSpansOverAGapAndAChangeOfRungs(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+6)
	s.stop()
	older := s.layout
	third := *older.Renditions[1]
	third.ID, third.InitName, third.Track = "v480", "init-v480.mp4", &media.Track{ID: "v480", Kind: media.Video, Codec: media.H264, Rate: older.Grid.Rate}
	s.layout.Renditions = []*cmaf.Rendition{older.Renditions[0], &third, older.Renditions[2]} // v240 has gone
	s.open()
	s.segments(s.first+9, s.first+15)
	span := "/dvr/main/" + s.at(s.first, 0) + "-" + s.at(s.first+15, 0) + "/"

	all := s.get(span + "index.m3u8").body
	require.Contains(t, all, "v480/index.m3u8")
	require.NotContains(t, all, "v240/index.m3u8")
	kept := s.get(span + "v720/index.m3u8").body
	require.Equal(t, 3, strings.Count(kept, "#EXT-X-GAP"))
	require.Equal(t, 15, strings.Count(kept, "#EXTINF"))
	require.Equal(t, 2, strings.Count(kept, "#EXT-X-PROGRAM-DATE-TIME"), "at the beginning and after the gap")
	require.Equal(t, 6, strings.Count(s.get(span+"v480/index.m3u8").body, "#EXTINF"))
	require.Equal(t, 404, s.get(span+"v240/index.m3u8").StatusCode)
	require.Equal(t, 200, s.get(fmt.Sprintf("/live/main/v240/%d.m4s", s.first)).StatusCode, "its media are there")
	require.Equal(t, 200, s.get(span+"manifest.mpd").StatusCode)
}

// Whoever looks back in something that goes on is not asked to return to its end.
func TestStartOverAsksForNoLatency(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+9)
	require.Contains(t, s.get("/live/main/manifest.mpd").body, "<ServiceDescription")
	require.Contains(t, s.get("/dvr/main/rewind-10/manifest.mpd").body, "<ServiceDescription")
	over := s.get("/dvr/main/" + s.at(s.first, 0) + "-now/manifest.mpd").body
	require.Contains(t, over, `type="dynamic"`)
	require.NotContains(t, over, "<ServiceDescription")
}

// readingSlowly asks for a path and takes next to nothing of the answer.
func (s *stage) readingSlowly(path string) net.Conn {
	conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
	require.NoError(s.t, err)
	require.NoError(s.t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	require.NoError(s.t, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(s.t, err)
	return conn
}

// F36: those who read old segments slowly hold no copy of them and no file, and
// keep nobody from reading.
func TestSlowReadersOfOldSegments(t *testing.T) {
	s := newStage(t)
	const big, readers = 400 << 10, 40
	for k := s.first; k < s.first+2; k++ {
		for p := range 16 {
			for _, r := range s.layout.Renditions {
				c := chunkOf(r, k, p)
				c.Data = append(c.Data, make([]byte, big)...)
				s.store.Append(c)
			}
		}
	}
	s.await(s.first+1, 15)
	s.stop()
	s.open() // what was in memory is on disk only
	path := fmt.Sprintf("/live/main/v720/%d.m4s", s.first)
	require.Len(t, s.get(path).body, len(segmentBytes(s.layout.Renditions[0], s.first, 16))+16*big)
	before := heap()
	for range readers {
		conn := s.readingSlowly(path)
		defer conn.Close()
	}
	require.Less(t, heap()-before, int64(16*big), "less than one segment for all of them")
	require.LessOrEqual(t, openBlocks(t, s.dir), 16)
	require.Equal(t, 200, s.get(fmt.Sprintf("/live/main/v240/%d.m4s", s.first+1)).StatusCode)
	s.put(s.first+2, 0)
	require.Equal(t, http.StatusOK, s.get(fmt.Sprintf("/live/main/v720/%d.0.m4s", s.first+2)).StatusCode)
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// openBlocks counts the descriptors of block files.
func openBlocks(t *testing.T, dir string) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, dir) && strings.HasSuffix(target, ".block") {
			n++
		}
	}
	return n
}
