package origin

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

const partBytes = 3000

// stage is a channel "main" of two rungs and one audio on a real store and a
// real socket, fed by hand.
type stage struct {
	t       testing.TB
	dir     string
	layout  record.Layout
	store   *record.Store
	stop    func()
	handler *Handler
	server  *httptest.Server
	first   int64 // segment
}

func newStage(t testing.TB) *stage {
	s := newStore(t)
	s.server = httptest.NewUnstartedServer(nil)
	s.server.Config = NewServer(s.handler, slog.New(slog.DiscardHandler))
	s.server.Start()
	t.Cleanup(s.server.Close)
	return s
}

// newStore is a stage without a socket.
func newStore(t testing.TB) *stage {
	rate, err := media.ParseRate("30")
	require.NoError(t, err)
	grid := cmaf.NewGrid(rate)
	s := &stage{t: t, dir: t.TempDir(), layout: record.Layout{Grid: grid}}
	for i, id := range []string{"v720", "v240"} {
		s.layout.Renditions = append(s.layout.Renditions, &cmaf.Rendition{
			ID: id, Grid: grid, Codec: "avc1.64001f", Width: 1280 / (1 + 2*i), Height: 720 / (1 + 2*i),
			Bandwidth: 3_000_000 / (1 + 5*i), AverageBandwidth: 2_500_000 / (1 + 5*i),
			Track: &media.Track{ID: id, Kind: media.Video, Codec: media.H264, Width: 1280 / (1 + 2*i), Height: 720 / (1 + 2*i), Rate: rate},
			Init:  []byte("init of " + id), InitName: "init-" + id + ".mp4",
		})
	}
	s.layout.Renditions = append(s.layout.Renditions, &cmaf.Rendition{
		ID: "audio", Grid: grid, Codec: "mp4a.40.2", Bandwidth: 140_000, AverageBandwidth: 130_000, Language: "und", Name: "audio", Group: "audio",
		Track: &media.Track{ID: "audio", Kind: media.Audio, Codec: media.AAC, SampleRate: 48000, Channels: 2},
		Init:  []byte("init of audio"), InitName: "init-audio.mp4",
	})
	s.handler = New(Config{Clock: media.NewClock(noon, time.Now())})
	s.open()
	s.first = grid.SegmentAfter(noon)
	return s
}

// open opens the store and registers the channel; close ends both.
func (s *stage) open() {
	store, err := record.Open(record.Config{Dirs: []string{s.dir}, Channel: "main"})
	require.NoError(s.t, err)
	require.NoError(s.t, store.SetLayout(s.layout))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- store.Run(ctx) }()
	s.store = store
	s.stop = sync.OnceFunc(func() {
		s.handler.Remove("main")
		cancel()
		require.NoError(s.t, <-done)
		require.NoError(s.t, store.Close())
	})
	s.t.Cleanup(s.stop)
	s.handler.Add("main", Channel{Store: store})
}

func chunkOf(r *cmaf.Rendition, k int64, p int) *cmaf.Chunk {
	first, next := r.FirstUnit(k, p), r.FirstUnit(k, p+1)
	data := fmt.Appendf(nil, "%s %d.%d ", r.ID, k, p)
	data = append(data, bytes.Repeat([]byte{byte(k), byte(p)}, partBytes/2)...)
	c := &cmaf.Chunk{
		Rendition: r.ID, Segment: k, Part: p, Timescale: r.Timescale(),
		Start: first * r.UnitTicks(), Duration: (next - first) * r.UnitTicks(), Time: r.Time(first * r.UnitTicks()),
		Independent: r.Track.Kind == media.Audio || p%8 == 0, Last: p == r.Grid.Parts()-1, Data: data,
	}
	if c.Independent && r.Track.Kind == media.Video {
		c.KeyBytes = 100
	}
	return c
}

// append gives a part of all renditions to the store.
func (s *stage) append(k int64, p int) {
	for _, r := range s.layout.Renditions {
		s.store.Append(chunkOf(r, k, p))
	}
}

// put appends a part and waits until it is listed.
func (s *stage) put(k int64, p int) {
	s.append(k, p)
	s.await(k, p)
}

func (s *stage) await(k int64, p int) {
	timeout := time.After(20 * time.Second)
	for {
		edge := s.store.Edge()
		all := true
		for _, r := range s.layout.Renditions {
			l := edge.Listing(r.ID)
			if l == nil {
				all = false
				continue
			}
			segment, part := l.Newest()
			all = all && (segment > k || segment == k && part >= p)
		}
		if all {
			return
		}
		select {
		case <-edge.Changed:
		case <-timeout:
			require.FailNow(s.t, "not listed", "%d.%d", k, p)
		}
	}
}

// segments puts whole segments [from, to). It goes no further ahead of the disk
// than a segment: a store gives up what it cannot write for half a minute of them.
func (s *stage) segments(from, to int64) {
	for k := from; k < to; k++ {
		for p := range 16 {
			s.append(k, p)
		}
		s.await(k, 15)
		require.Eventually(s.t, func() bool { return s.store.State().QueuedBytes == 0 }, 20*time.Second, time.Millisecond)
	}
}

func segmentBytes(r *cmaf.Rendition, k int64, parts int) []byte {
	var out []byte
	for p := range parts {
		out = append(out, chunkOf(r, k, p).Data...)
	}
	return out
}

// answer is a whole response.
type answer struct {
	*http.Response
	body string
}

func (s *stage) request(method, path string, header http.Header) answer {
	s.t.Helper()
	a, err := s.ask(method, path, header)
	require.NoError(s.t, err)
	return a
}

func (s *stage) ask(method, path string, header http.Header) (answer, error) {
	r, err := http.NewRequest(method, s.server.URL+path, nil)
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		r.Header = header
	}
	response, err := s.server.Client().Do(r)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err == nil && response.Header.Get("Content-Encoding") == "gzip" && len(body) > 0 {
		var unzip *gzip.Reader
		if unzip, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = io.ReadAll(unzip)
		}
	}
	return answer{response, string(body)}, err
}

func (s *stage) get(path string) answer {
	s.t.Helper()
	return s.request(http.MethodGet, path, nil)
}

// later asks from another goroutine.
func (s *stage) later(path string) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		a, err := s.ask(http.MethodGet, path, nil)
		if err != nil {
			a.body = "error: " + err.Error()
		}
		out <- a
	}()
	return out
}

// waiting waits until n requests wait for a listing.
func (s *stage) waiting(n int64) {
	for range 20_000 {
		if s.handler.Waiting() == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	require.FailNow(s.t, "requests do not wait", "%d of %d", s.handler.Waiting(), n)
}

// uri is what follows a tag's URI attribute in a playlist line.
func uri(line string) string {
	_, rest, _ := strings.Cut(line, `URI="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
