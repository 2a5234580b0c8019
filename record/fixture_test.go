package record

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// leakChecked runs the tests and fails when one leaves a goroutine.
func leakChecked(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is segment noonSegment of the grid at 30 fps, and then some.
var noon = media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

func gridOf(t testing.TB, rate string) cmaf.Grid {
	t.Helper()
	parsed, err := media.ParseRate(rate)
	require.NoError(t, err)
	return cmaf.NewGrid(parsed)
}

// layoutOf has two rungs and one audio rendition. Mark goes into the init sections.
func layoutOf(t testing.TB, mark string) Layout {
	t.Helper()
	grid := gridOf(t, "30")
	l := Layout{Grid: grid}
	for _, id := range []string{"v720", "v240"} {
		l.Renditions = append(l.Renditions, &cmaf.Rendition{
			ID: id, Grid: grid, Codec: "avc1.64001f", Width: 1280, Height: 720, Bandwidth: 3_000_000,
			Track: &media.Track{ID: id, Kind: media.Video, Codec: media.H264, Config: []byte{1, 2}, Width: 1280, Height: 720, Rate: grid.Rate},
			Init:  []byte("init of " + id + mark), InitName: "init-" + id + mark + ".mp4",
		})
	}
	l.Renditions = append(l.Renditions, &cmaf.Rendition{
		ID: "audio", Grid: grid, Codec: "mp4a.40.2", Bandwidth: 140_000, Language: "und", Name: "audio", Group: "audio",
		Track: &media.Track{ID: "audio", Kind: media.Audio, Codec: media.AAC, Config: []byte{3}, SampleRate: 48000, Channels: 2},
		Init:  []byte("init of audio" + mark), InitName: "init-audio" + mark + ".mp4",
	})
	return l
}

// chunkOf is part p of segment k, with bytes that name it.
func chunkOf(r *cmaf.Rendition, k int64, p, size int) *cmaf.Chunk {
	first, next := r.FirstUnit(k, p), r.FirstUnit(k, p+1)
	data := fmt.Appendf(nil, "%s %d.%d ", r.ID, k, p)
	data = append(data, bytes.Repeat([]byte{byte(k), byte(p)}, max(size-len(data), 2)/2)...)
	return &cmaf.Chunk{
		Rendition: r.ID, Segment: k, Part: p, Timescale: r.Timescale(),
		Start: first * r.UnitTicks(), Duration: (next - first) * r.UnitTicks(), Time: r.Time(first * r.UnitTicks()),
		Independent: r.Track.Kind == media.Audio || p%8 == 0, Last: p == r.Grid.Parts()-1, Data: data,
	}
}

// appendPart gives part p of segment k of all renditions to a store.
func appendPart(s *Store, l Layout, k int64, p, size int) {
	for _, r := range l.Renditions {
		s.Append(chunkOf(r, k, p, size))
	}
}

// running is a store whose Run goes on until stop or the end of the test.
type running struct {
	*Store
	stop func()
}

func run(t testing.TB, s *Store) running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, s.Close())
	})
	t.Cleanup(stop)
	return running{s, stop}
}

// await waits until part p of segment k is listed in all renditions.
func await(t testing.TB, s *Store, l Layout, k int64, p int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		e := s.Edge()
		if listed(e, l, k, p) {
			return
		}
		select {
		case <-e.Changed:
		case <-timeout:
			require.FailNow(t, "not listed in time", "%d.%d", k, p)
		}
	}
}

func listed(e *Edge, l Layout, k int64, p int) bool {
	for _, r := range l.Renditions {
		listing := e.Listing(r.ID)
		if listing == nil {
			return false
		}
		if segment, part := listing.Newest(); segment < k || segment == k && part < p {
			return false
		}
	}
	return true
}

// bytesOf is what a client would get of a segment.
func bytesOf(t testing.TB, e *Edge, rendition string, k int64) []byte {
	t.Helper()
	g, err := e.Find(rendition, k)
	require.NoError(t, err)
	require.NoError(t, g.Check(0, len(g.Parts())))
	var out bytes.Buffer
	require.NoError(t, g.WriteParts(&out, 0, len(g.Parts())))
	return out.Bytes()
}

func wanted(r *cmaf.Rendition, k int64, parts, size int) []byte {
	var out []byte
	for p := range parts {
		out = append(out, chunkOf(r, k, p, size).Data...)
	}
	return out
}
