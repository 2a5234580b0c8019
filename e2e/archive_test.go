package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/footage"
	"millrace/internal/child"
	"millrace/internal/media"
	"millrace/mixer/reencode"
	"millrace/output/cmaf"
	"millrace/output/origin"
	"millrace/record"
)

// archive is a channel with a history, a gap in it, and a present that goes on;
// and another one, which has ended, whose rungs have changed.
type archive struct {
	url     string
	grid    cmaf.Grid
	gap     int64 // first segment of gapSegments
	present int64 // segment at which the history ends
	change  int64 // segment with which the rungs of the other channel change
	clips   map[string]origin.Clip
}

// gapSegments are missing in an archive, gapAfter segments after its beginning.
const (
	gapSegments   = 3
	gapAfter      = 10
	rungsSegments = 12 // of the other channel, before the change and after it
)

// archiveRungs are the picture of the archive before and, in the other channel,
// after the change.
var (
	archiveRungs = []footage.Rung{{ID: "v360", Width: 640, Height: 360, Bitrate: 350_000}, {ID: "v180", Width: 320, Height: 180, Bitrate: 120_000}}
	laterRungs   = []footage.Rung{archiveRungs[0], {ID: "v240", Width: 426, Height: 240, Bitrate: 180_000}}
)

func newLoop(t *testing.T, rungs []footage.Rung) *footage.Loop {
	t.Helper()
	loop, err := footage.New(footage.Config{Rate: "25", AudioBitrate: 64_000, Rungs: rungs})
	require.NoError(t, err)
	return loop
}

// running opens a store and runs it until the test or the caller ends it.
func running(t *testing.T, dir, channel string, layout record.Layout) (store *record.Store, end func()) {
	t.Helper()
	store, err := record.Open(record.Config{Dirs: []string{dir}, Channel: channel})
	require.NoError(t, err)
	require.NoError(t, store.SetLayout(layout))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	return store, func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, store.Close())
	}
}

// newArchive writes a history straight into a store, much faster than it would
// have passed, and then goes on in real time until the test ends.
func newArchive(t *testing.T, history time.Duration) *archive {
	loop := newLoop(t, archiveRungs)
	clock := media.StartClock()
	store, end := running(t, t.TempDir(), "main", loop.Layout())
	t.Cleanup(end)
	first := loop.Grid.SegmentAt(clock.Now().Add(-history))
	a := &archive{grid: loop.Grid, gap: first + gapAfter}
	ctx, cancel := context.WithCancel(context.Background())
	require.NoError(t, loop.Fill(ctx, store, first, a.gap))
	a.present = loop.Grid.SegmentAt(clock.Now())
	require.NoError(t, loop.Fill(ctx, store, a.gap+gapSegments, a.present))
	going := make(chan struct{})
	go func() {
		defer close(going)
		goOn(ctx, clock, loop, store, a.present)
	}()
	t.Cleanup(func() { cancel(); <-going })

	encoder := clipEncoder{child.Command{Path: millrace(t), Args: []string{"clip-encoder"}}}
	a.clip(t, store.Edge(), encoder)
	handler := origin.New(origin.Config{Clock: clock, Draw: encoder.draw, Clip: func(id string) (origin.Clip, bool) {
		clip, ok := a.clips[id]
		return clip, ok
	}})
	handler.Add("main", origin.Channel{Store: store})
	handler.Add("rungs", origin.Channel{Store: a.changeRungs(t, loop, first), Off: true})
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

// changeRungs stores the other channel: one rung stays, another takes the place of
// the third, and between them there is a gap.
func (a *archive) changeRungs(t *testing.T, loop *footage.Loop, first int64) *record.Store {
	t.Helper()
	dir := t.TempDir()
	a.change = first + rungsSegments + gapSegments
	store, end := running(t, dir, "rungs", loop.Layout())
	require.NoError(t, loop.Fill(t.Context(), store, first, first+rungsSegments))
	end()
	later := newLoop(t, laterRungs)
	store, end = running(t, dir, "rungs", later.Layout())
	t.Cleanup(end)
	require.NoError(t, later.Fill(t.Context(), store, a.change, a.change+rungsSegments))
	return store
}

// clip makes a fast and an exact clip of 20 s, which begin and end within segments.
func (a *archive) clip(t *testing.T, edge *record.Edge, encoder record.Reencoder) {
	t.Helper()
	from := a.gap + gapSegments + 4
	first := a.grid.SegmentStart(from) + 55
	end := first + 20*25
	leads, err := record.Leads(t.Context(), encoder, edge, first, end)
	require.NoError(t, err)
	clip := origin.Clip{Channel: "main", From: from, To: a.grid.SegmentAt(a.grid.Rate.At(end-1)) + 1, First: first, End: end}
	a.clips = map[string]origin.Clip{"fast": clip}
	clip.Exact, clip.Lead = true, func(rendition string) []byte { return leads[rendition].Chunk }
	a.clips["exact"] = clip
}

// clipEncoder is the binary's own process for clips and thumbnails.
type clipEncoder struct{ command child.Command }

// Reencode implements record.Reencoder.
func (e clipEncoder) Reencode(ctx context.Context, passages []record.Passage) ([][][]byte, error) {
	tasks := make([]reencode.Task, len(passages))
	for i, p := range passages {
		tasks[i] = reencode.Task{
			Track: p.Rendition.Track, Bitrate: p.Rendition.Bitrate(), Units: p.Units, From: p.From, To: p.To, Next: p.Next,
		}
	}
	return reencode.Run(ctx, e.command, tasks)
}

func (e clipEncoder) draw(ctx context.Context, s origin.Sheet) ([]byte, error) {
	sheet := reencode.Sheet{Columns: s.Columns, Rows: s.Rows, Width: s.Width, Height: s.Height}
	for i, picture := range s.Pictures {
		sheet.Stills = append(sheet.Stills, reencode.Still{Track: s.Tracks[i], Data: picture})
	}
	return reencode.Draw(ctx, e.command, sheet)
}

// span is the URL of what lies from the beginning of one segment to that of
// another; to 0 is "now".
func (a *archive) span(channel string, from, to int64) string {
	at := func(k int64) string { return fmt.Sprintf("%.3f", float64(a.grid.SegmentTime(k))/float64(time.Second)) }
	if to == 0 {
		return a.url + "/dvr/" + channel + "/" + at(from) + "-now"
	}
	return a.url + "/dvr/" + channel + "/" + at(from) + "-" + at(to)
}

// pieces are the ways in which the archive is watched, with the folder of each.
func (a *archive) pieces() map[string]string {
	return map[string]string{
		"start-over": a.span("main", a.gap+gapSegments, 0),
		"vod":        a.span("main", a.gap+gapSegments, a.present),
		"gap":        a.span("main", a.gap-gapAfter, a.gap+gapSegments+gapAfter),
		"rungs":      a.span("rungs", a.change-gapSegments-rungsSegments, a.change+rungsSegments),
		"fast":       a.url + "/clips/fast",
		"exact":      a.url + "/clips/exact",
	}
}

// lengths are those of the pieces, in seconds.
func (a *archive) lengths() map[string]float64 {
	history := float64(a.present-a.gap-gapSegments) * 3.2
	return map[string]float64{
		"start-over": history, "vod": history, "gap": (2*gapAfter + gapSegments) * 3.2, "rungs": (2*rungsSegments + gapSegments) * 3.2,
		"fast": 20, "exact": 20,
	}
}
