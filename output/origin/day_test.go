package origin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/output/cmaf"
)

const (
	daySegments = 27_000    // 24 h of 3.2 s
	dayLimit    = 100 << 10 // bytes of a day's playlist, compressed
)

// newDay is a stage with a day of one rung and one sound on disk.
func newDay(t testing.TB, segments int64) *stage {
	s := newStore(t)
	s.stop()
	s.layout.Renditions = []*cmaf.Rendition{s.layout.Renditions[0], s.layout.Renditions[2]}
	s.open()
	for k := s.first; k < s.first+segments; k++ {
		for p := range 16 {
			for _, r := range s.layout.Renditions {
				c := chunkOf(r, k, p)
				c.Data = c.Data[:16]
				s.store.Append(c)
			}
		}
		if k%8 == 7 || k == s.first+segments-1 {
			s.await(k, 15)
		}
	}
	s.stop()
	s.open() // as after a restart: nothing of it is in memory
	return s
}

// serve asks the handler without a socket.
func (s *stage) serve(path, coding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", coding)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// A piece of a day takes its share of what a day may (TestDayIsSmall of cmaf has a
// whole one of each rate): documents of spans are served compressed.
func TestSpanIsSmall(t *testing.T) {
	const segments = 1000
	s := newDay(t, segments)
	for _, span := range []string{s.at(s.first, 0) + "-now", s.at(s.first, 0) + "-" + s.at(s.first+segments, 0)} {
		for _, name := range []string{"v720/index.m3u8", "audio/index.m3u8", "manifest.mpd"} {
			path := "/dvr/main/" + span + "/" + name
			small, whole := s.serve(path, "gzip"), s.serve(path, "identity")
			require.Equal(t, 200, small.Code)
			require.Equal(t, "gzip", small.Header().Get("Content-Encoding"))
			require.LessOrEqual(t, small.Body.Len(), dayLimit*segments/daySegments+1024, path)
			if strings.HasSuffix(name, ".m3u8") {
				require.Equal(t, segments, strings.Count(whole.Body.String(), "#EXTINF"))
			}
		}
	}
}

// What a day's documents cost who asks for them: the first time after a start, and
// from then on.
func BenchmarkDay(b *testing.B) {
	s := newDay(b, daySegments)
	span := "/dvr/main/" + s.at(s.first, 0) + "-now/"
	once := sync.OnceFunc(func() { s.serve(span+"v720/index.m3u8", "gzip") })
	for _, name := range []string{"v720/index.m3u8", "v720/iframes.m3u8", "audio/index.m3u8", "manifest.mpd", "index.m3u8", "thumbnails.vtt"} {
		for _, coding := range []string{"identity", "gzip"} {
			b.Run(fmt.Sprintf("%s/%s", strings.ReplaceAll(name, "/", "-"), coding), func(b *testing.B) {
				once()
				b.ReportAllocs()
				begun := processorTime(b)
				for b.Loop() {
					s.serve(span+name, coding)
				}
				b.ReportMetric(float64(processorTime(b)-begun)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// processorTime is what the process has used, which other processes do not change.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
