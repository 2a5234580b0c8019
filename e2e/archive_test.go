package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/footage"
	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/output/origin"
	"millrace/record"
)

// archive is a channel with a history, a gap in it, and a present that goes on.
type archive struct {
	url     string
	grid    cmaf.Grid
	gap     int64 // first segment of gapSegments
	present int64 // segment at which the history ends
}

// gapSegments are missing in an archive, gapAfter segments after its beginning.
const (
	gapSegments = 3
	gapAfter    = 10
)

// newArchive writes a history straight into a store, much faster than it would
// have passed, and then goes on in real time until the test ends.
func newArchive(t *testing.T, history time.Duration) *archive {
	loop, err := footage.New(footage.Config{Rate: "25", AudioBitrate: 64_000, Rungs: []footage.Rung{
		{ID: "v360", Width: 640, Height: 360, Bitrate: 350_000}, {ID: "v180", Width: 320, Height: 180, Bitrate: 120_000},
	}})
	require.NoError(t, err)
	clock := media.StartClock()
	store, err := record.Open(record.Config{Dirs: []string{t.TempDir()}, Channel: "main"})
	require.NoError(t, err)
	require.NoError(t, store.SetLayout(loop.Layout()))
	first := loop.Grid.SegmentAt(clock.Now().Add(-history))
	a := &archive{grid: loop.Grid, gap: first + gapAfter}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, store.Close())
	})
	require.NoError(t, loop.Fill(ctx, store, first, a.gap))
	a.present = loop.Grid.SegmentAt(clock.Now())
	require.NoError(t, loop.Fill(ctx, store, a.gap+gapSegments, a.present))
	going := make(chan struct{})
	go func() {
		defer close(going)
		goOn(ctx, clock, loop, store, a.present)
	}()
	t.Cleanup(func() { cancel(); <-going })

	handler := origin.New(origin.Config{Clock: clock, Clip: a.clip})
	handler.Add("main", origin.Channel{Store: store})
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// goOn writes the present, part by part when it is over.
func goOn(ctx context.Context, clock *media.Clock, loop *footage.Loop, store *record.Store, k int64) {
	packager := cmaf.NewPackager(loop.Renditions, store.Append)
	for ; ; k++ {
		for part := range loop.Grid.Parts() {
			over := loop.Grid.Rate.At(loop.Grid.PartStart(k, part) + loop.Grid.PartFrames)
			if clock.SleepUntil(ctx, over) != nil {
				return
			}
			loop.WritePart(packager, k, part)
		}
	}
}

// clip is one of 20 s, which begins and ends within segments.
func (a *archive) clip(string) (origin.Clip, bool) {
	from := a.gap + gapSegments + 4
	first := a.grid.SegmentStart(from) + 55
	end := first + 20*25
	return origin.Clip{Channel: "main", From: from, To: a.grid.SegmentAt(a.grid.Rate.At(end-1)) + 1, First: first, End: end}, true
}

// span is the URL of what lies from the beginning of one segment to that of
// another; to 0 is "now".
func (a *archive) span(from, to int64) string {
	at := func(k int64) string { return fmt.Sprintf("%.3f", float64(a.grid.SegmentTime(k))/float64(time.Second)) }
	if to == 0 {
		return a.url + "/dvr/main/" + at(from) + "-now"
	}
	return a.url + "/dvr/main/" + at(from) + "-" + at(to)
}

// pieces are the ways in which the archive is watched, with the folder of each.
func (a *archive) pieces() map[string]string {
	return map[string]string{
		"start-over": a.span(a.gap+gapSegments, 0),
		"vod":        a.span(a.gap+gapSegments, a.present),
		"gap":        a.span(a.gap-gapAfter, a.gap+gapSegments+gapAfter),
		"clip":       a.url + "/clips/any",
	}
}
