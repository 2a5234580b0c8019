package origin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseDirectives(t *testing.T) {
	none := directives{segment: -1, part: -1}
	for query, want := range map[string]directives{
		"":                         none,
		"a=b&_HLS_report=x":        none,
		"_HLS_msn=7":               {7, -1, false},
		"_HLS_msn=7&_HLS_part=0":   {7, 0, false},
		"_HLS_part=3&_HLS_msn=7":   {7, 3, false},
		"_HLS_skip=YES":            {-1, -1, true},
		"x=%zz&_HLS_skip=v2":       {-1, -1, true},
		"_HLS_msn=%37":             {7, -1, false},
		"%5fHLS_msn=7":             {7, -1, false},
		"_hls_msn=x":               none,
		"_HLS_msn=561234567&a=1+2": {561234567, -1, false},
	} {
		got, err := parseDirectives(query)
		require.NoError(t, err, query)
		require.Equal(t, want, got, query)
	}
	for _, query := range []string{
		"_HLS_part=1", "_HLS_msn=", "_HLS_msn", "_HLS_msn=-1", "_HLS_msn=+1", "_HLS_msn=1.0", "_HLS_msn=0x1", "_HLS_msn=1e3", "_HLS_msn= 1",
		"_HLS_msn=1&_HLS_msn=1", "_HLS_msn=1&_HLS_part=1&_HLS_part=2", "_HLS_msn=99999999999999999999", "_HLS_msn=1&_HLS_part=-1",
		"_HLS_skip=NO", "_HLS_skip=", "_HLS_skip=YES&_HLS_skip=YES", "_HLS_msn=%zz", "_HLS_msn=1_0", strings.Repeat("a", maxQuery+1),
	} {
		_, err := parseDirectives(query)
		require.ErrorIs(t, err, errDirective, query)
	}
}

func FuzzParseDirectives(f *testing.F) {
	for _, seed := range []string{"_HLS_msn=7&_HLS_part=0", "_HLS_skip=YES", "%5fHLS_msn=%37", "a=b;c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		d, err := parseDirectives(query)
		if err == nil {
			require.False(t, d.part >= 0 && d.segment < 0)
			require.GreaterOrEqual(t, d.segment, int64(-1))
		}
	})
}

func FuzzParseMediaName(f *testing.F) {
	for _, seed := range []string{"1.m4s", "561234567.15.m4s", "01.m4s", ".m4s", "..m4s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if n, ok := parseMediaName(name); ok {
			again := fmt.Sprintf("%d.m4s", n.segment)
			if n.part >= 0 {
				again = fmt.Sprintf("%d.%d.m4s", n.segment, n.part)
			}
			require.Equal(t, name, again, "one spelling")
		}
	})
}

func TestBadDirectives(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+3)
	s.put(s.first+3, 0)
	k := s.first + 2 // last whole segment
	for _, row := range []struct {
		query  string
		status int
	}{
		{"_HLS_part=1", 400}, {"_HLS_msn=x", 400}, {"_HLS_msn=1&_HLS_msn=1", 400}, {"_HLS_msn=-5", 400},
		{fmt.Sprintf("_HLS_msn=%d", k+3), 400},                 // H21
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=0", k+3), 400},     // H21
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=16", k+1), 400},    // H22: the newest is 0, the limit 15
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=99999", k+2), 400}, // H22
		{"_HLS_msn=4611686018427387903", 400},
		{"_HLS_msn=0", 200}, {"_HLS_msn=0&_HLS_part=7", 200}, // H25
		{fmt.Sprintf("_HLS_msn=%d", k), 200},
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=16", k), 200}, // H23: part 0 of the next
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=0", k+1), 200},
		{"_HLS_skip=YES", 200}, {"_HLS_skip=maybe", 400},
	} {
		begun := time.Now()
		a := s.get("/live/main/v720/index.m3u8?" + row.query)
		require.Equal(t, row.status, a.StatusCode, row.query)
		require.Less(t, time.Since(begun), 2*time.Second, row.query)
		if row.status == 200 && strings.Contains(row.query, "msn") {
			require.Equal(t, "public, max-age=18", a.Header.Get("Cache-Control"))
		}
	}
}

func TestBlockingReload(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+3)
	k := s.first + 3
	s.put(k, 0)
	for _, row := range []struct {
		query string
		until int // the part of segment k that wakes it; 16 is part 0 of the next
		holds string
	}{
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=1", k), 1, fmt.Sprintf(`%d.1.m4s"`, k)},
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=3", k), 3, fmt.Sprintf(`%d.3.m4s"`, k)},
		{fmt.Sprintf("_HLS_msn=%d", k), 15, fmt.Sprintf("\n%d.m4s\n", k)},
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=16", k), 16, fmt.Sprintf(`#EXT-X-PART:DURATION=0.200000,INDEPENDENT=YES,URI="%d.0.m4s"`, k+1)},
	} {
		blocked := s.later("/live/main/v240/index.m3u8?" + row.query)
		s.waiting(1)
		segment, part := s.store.Edge().Listing("v240").Newest()
		for at := int(segment-k)*16 + part + 1; at < row.until; at++ {
			s.put(k+int64(at/16), at%16)
			require.Equal(t, int64(1), s.handler.Waiting(), "%s still waits at %d", row.query, at)
		}
		select {
		case a := <-blocked:
			require.FailNow(t, "answered early", a.body)
		default:
		}
		s.put(k+int64(row.until/16), row.until%16)
		a := <-blocked
		require.Equal(t, 200, a.StatusCode)
		require.Contains(t, a.body, row.holds)
		require.Equal(t, "public, max-age=18", a.Header.Get("Cache-Control"))
	}
}

// K08: one wake and the same bytes for everyone.
func TestHerd(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+3)
	const clients = 2000
	path := fmt.Sprintf("/live/main/v720/index.m3u8?_HLS_msn=%d&_HLS_part=0", s.first+3)
	answers := make([]answer, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			var err error
			if answers[i], err = s.ask("GET", path, nil); err != nil {
				answers[i].body = err.Error()
			}
		})
	}
	s.waiting(clients)
	s.put(s.first+3, 0)
	all.Wait()
	bodies := map[string]int{}
	for _, a := range answers {
		bodies[a.body]++
	}
	require.LessOrEqual(t, len(bodies), 2, "one, and one more for who came after the audio was listed too")
	for body := range bodies {
		require.Contains(t, body, fmt.Sprintf("%d.0.m4s", s.first+3))
	}
	s.server.Client().CloseIdleConnections()
}

func TestRemovedChannelWakesWaiters(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+3)
	blocked := s.later(fmt.Sprintf("/live/main/v720/index.m3u8?_HLS_msn=%d", s.first+3))
	s.waiting(1)
	s.handler.Remove("main")
	a := <-blocked
	require.Equal(t, 503, a.StatusCode)
	require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
}

// H26: a request that waits in vain is answered 503 after three target
// durations; a segment that does not go on is cut, not ended.
func TestOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.segments(s.first, s.first+3)
		s.put(s.first+3, 0)
		begun := time.Now()
		var all sync.WaitGroup
		for _, name := range []string{
			fmt.Sprintf("index.m3u8?_HLS_msn=%d", s.first+3), fmt.Sprintf("iframes.m3u8?_HLS_msn=%d", 2*s.first+7), fmt.Sprintf("%d.1.m4s", s.first+3),
		} {
			all.Go(func() {
				w := httptest.NewRecorder()
				s.handler.ServeHTTP(w, httptest.NewRequest("GET", "/live/main/v720/"+name, nil))
				require.Equal(t, 503, w.Code)
				require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
				require.Equal(t, "1", w.Header().Get("Retry-After"))
				require.Equal(t, 9*time.Second, time.Since(begun))
			})
		}
		all.Go(func() {
			w := httptest.NewRecorder()
			require.PanicsWithValue(t, http.ErrAbortHandler, func() {
				s.handler.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/live/main/v720/%d.m4s", s.first+3), nil))
			})
			require.Equal(t, string(chunkOf(s.layout.Renditions[0], s.first+3, 0).Data), w.Body.String())
		})
		all.Wait()
	})
}

// H30: a delta laid on the older copy is the full playlist.
func TestDeltaUpdates(t *testing.T) {
	s := newStage(t)
	s.segments(s.first, s.first+14)
	full := s.get("/live/main/v720/index.m3u8").body
	delta := s.get("/live/main/v720/index.m3u8?_HLS_skip=YES").body
	require.Equal(t, 1, strings.Count(delta, "#EXT-X-SKIP:"))
	var skipped int
	_, rest, _ := strings.Cut(delta, "SKIPPED-SEGMENTS=")
	_, err := fmt.Sscanf(rest, "%d", &skipped)
	require.NoError(t, err)
	require.Positive(t, skipped)
	names := func(playlist string) (out []string) {
		for line := range strings.Lines(playlist) {
			if !strings.HasPrefix(line, "#") {
				out = append(out, strings.TrimSpace(line))
			}
		}
		return out
	}
	require.Equal(t, names(full)[skipped:], names(delta))
	_, tail, _ := strings.Cut(delta, fmt.Sprintf("SKIPPED-SEGMENTS=%d\n", skipped))
	require.True(t, strings.HasSuffix(full, tail))
}
