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
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
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
	for _, document := range []string{"index.m3u8", "manifest.mpd", "v720/index.m3u8"} {
		a := s.get("/dvr/main/" + s.at(s.first, 0) + "-now/" + document)
		require.Equal(t, 404, a.StatusCode, "a deleted channel")
		require.Contains(t, a.body, "no such channel")
	}
}

// Over a gap a playlist says so and goes on; over a change of rungs it has those of
// before and those of after, each with gaps where it has nothing.
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
	for rung, gaps := range map[string]int{"v720": 3, "v480": 9, "v240": 9, "audio": 3} {
		require.Contains(t, all, rung+"/index.m3u8")
		kept := s.get(span + rung + "/index.m3u8").body
		require.Equal(t, 15, strings.Count(kept, "#EXTINF"), rung)
		require.Equal(t, gaps, strings.Count(kept, "#EXT-X-GAP"), rung)
		require.Contains(t, kept, fmt.Sprintf("#EXT-X-MEDIA-SEQUENCE:%d\n", s.first), rung)
	}
	require.Equal(t, 2, strings.Count(s.get(span+"v720/index.m3u8").body, "#EXT-X-PROGRAM-DATE-TIME"), "at the beginning and after the gap")
	require.Equal(t, 200, s.get(fmt.Sprintf("/live/main/v240/%d.m4s", s.first)).StatusCode, "its media are there")

	manifest := s.manifest(span)
	require.Len(t, manifest.Periods, 2)
	for i, want := range []struct {
		start       time.Duration
		rungs       []string
		number      int64
		repetitions int
	}{{0, []string{"v720", "v240"}, s.first, 5}, {9 * 3200 * time.Millisecond, []string{"v720", "v480"}, s.first + 9, 5}} {
		period := manifest.Periods[i]
		require.Equal(t, want.start, time.Duration(*period.Start))
		for j, representation := range period.AdaptationSets[0].Representations {
			require.Equal(t, want.rungs[j], representation.Id)
			template := representation.SegmentTemplate
			require.EqualValues(t, want.number, *template.StartNumber)
			require.Equal(t, want.repetitions, template.SegmentTimeline.S[0].R)
			require.Equal(t, *template.SegmentTimeline.S[0].T, *template.PresentationTimeOffset)
		}
	}

	before := "/dvr/main/" + s.at(s.first, 0) + "-" + s.at(s.first+4, 0) + "/"
	require.NotContains(t, s.get(before+"index.m3u8").body, "v480", "there was none")
	require.Equal(t, 4, strings.Count(s.get(before+"v240/index.m3u8").body, "#EXTINF"))
	require.Equal(t, 404, s.get(before+"v480/index.m3u8").StatusCode)
	require.Len(t, s.manifest(before).Periods, 1)
}

func (s *stage) manifest(span string) *mpd.MPD {
	s.t.Helper()
	a := s.get(span + "manifest.mpd")
	require.Equal(s.t, 200, a.StatusCode)
	manifest, err := mpd.MPDFromBytes([]byte(a.body))
	require.NoError(s.t, err)
	return manifest
}

// A manifest has a period on each side of a gap, and what is asked for between
// them is refused.
func TestManifestOverAGap(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+6)
	s.segments(s.first+9, s.first+15)
	span := "/dvr/main/" + s.at(s.first, 0) + "-" + s.at(s.first+15, 0) + "/"
	manifest := s.manifest(span)
	require.Equal(t, 15*3200*time.Millisecond, time.Duration(*manifest.MediaPresentationDuration))
	require.Len(t, manifest.Periods, 2)
	for i, from := range []int64{s.first, s.first + 9} {
		period := manifest.Periods[i]
		require.Equal(t, time.Duration(from-s.first)*3200*time.Millisecond, time.Duration(*period.Start))
		require.Nil(t, period.Duration, "dash.js takes their sum for the length")
		require.Len(t, period.AdaptationSets, 2)
		for _, representation := range period.AdaptationSets[0].Representations {
			template := representation.SegmentTemplate
			require.EqualValues(t, from, *template.StartNumber)
			require.Equal(t, *template.SegmentTimeline.S[0].T, *template.PresentationTimeOffset)
			require.Equal(t, 5, template.SegmentTimeline.S[0].R)
			require.Equal(t, 404, s.get(fmt.Sprintf("/live/main/%s/%d.m4s", representation.Id, s.first+7)).StatusCode)
		}
	}
}

// The time of a span begins with it and does not move while it grows, nor when it
// has ended.
func TestTimeOfASpan(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+6)
	over, ending := "/dvr/main/"+s.at(s.first+1, 0)+"-now/", "/dvr/main/"+s.at(s.first+1, 0)+"-"+s.at(s.first+9, 0)+"/"
	zero := s.layout.Grid.SegmentTime(s.first + 1).UTC().Format("2006-01-02T15:04:05.000Z")
	check := func(span string, dynamic bool) {
		t.Helper()
		manifest := s.manifest(span)
		require.Equal(t, dynamic, manifest.GetType() == "dynamic")
		if dynamic {
			require.EqualValues(t, zero, manifest.AvailabilityStartTime)
			require.Nil(t, manifest.TimeShiftBufferDepth, "all since its beginning")
		}
		template := manifest.Periods[0].AdaptationSets[0].Representations[0].SegmentTemplate
		require.EqualValues(t, s.first+1, *template.StartNumber)
		require.Equal(t, *template.SegmentTimeline.S[0].T, *template.PresentationTimeOffset)
		require.Nil(t, template.AvailabilityTimeComplete, "players would keep a latency")
		require.Equal(t, dynamic, strings.Contains(s.get(span+"v720/index.m3u8").body, "#EXT-X-START:TIME-OFFSET="))
	}
	check(over, true)
	check(ending, true)
	s.segments(s.first+6, s.first+12)
	check(over, true)
	check(ending, false)

	early := s.manifest("/dvr/main/" + s.at(s.first-100, 0) + "-now/")
	require.EqualValues(t, s.layout.Grid.SegmentTime(s.first-100).UTC().Format("2006-01-02T15:04:05.000Z"), early.AvailabilityStartTime)
	require.Equal(t, 12*3200*time.Millisecond, time.Duration(*early.TimeShiftBufferDepth), "what is left of it")
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
