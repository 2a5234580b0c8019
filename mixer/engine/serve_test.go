package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/child"
	"millrace/internal/child/sandbox"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// workerArg makes this test binary a worker process.
const workerArg = "worker-of-a-test"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == workerArg {
		conn, err := child.Inherited()
		if err == nil {
			err = Serve(context.Background(), conn)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// demoShow is the channel of the first start.
func demoShow() worker.Show {
	show := testShow("30")
	show.Canvas.Width, show.Canvas.Height = 1280, 720
	show.Ladder = []worker.Rung{
		{ID: "v720", Width: 1280, Height: 720, Bitrate: 2_800_000, Codec: media.H264},
		{ID: "v480", Width: 854, Height: 480, Bitrate: 1_400_000, Codec: media.H264},
		{ID: "v240", Width: 426, Height: 240, Bitrate: 400_000, Codec: media.H264},
	}
	return show
}

func helloFor(t testing.TB, show worker.Show, clock *media.Clock, filler bool) *worker.Hello {
	anchor, err := worker.Anchor(clock)
	require.NoError(t, err)
	return &worker.Hello{
		Version: worker.Version, Show: show, Clock: anchor, Device: "cpu",
		GOPFrames: gopOf(show.Canvas.Rate), Filler: filler, LogLevel: "info",
	}
}

// startWorker runs Serve in a process of its own, sandbox and all.
func startWorker(t testing.TB) (*child.Process, *child.Conn) {
	process, conn, err := child.Start(child.Command{
		Args: []string{workerArg}, Env: os.Environ(), Stderr: func(line string) { t.Log(line) },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		process.Kill()
		_ = process.Wait()
	})
	return process, conn
}

// requireReady wants every rendition with its filler, the return of "cam", and
// the sandbox's account.
func requireReady(t *testing.T, ready *worker.Ready, show worker.Show) {
	require.Len(t, ready.Renditions, 6)
	for i, rendition := range ready.Renditions[:3] {
		require.Equal(t, show.Ladder[i].ID, rendition.Track.ID)
		require.Len(t, rendition.Filler, 2)
		for _, variant := range rendition.Filler {
			require.Len(t, variant, 48)
		}
	}
	require.Equal(t, "mp4a.40.2", ready.Renditions[3].Track.MIME)
	require.Equal(t, worker.OpusID, ready.Renditions[4].Track.ID)
	for _, rendition := range ready.Renditions[3:5] {
		require.NotEmpty(t, rendition.Filler[0][0])
	}
	require.Equal(t, "cam", ready.Renditions[5].Return)
	require.Equal(t, worker.ReturnID("cam"), ready.Renditions[5].Track.ID)
	require.NotEmpty(t, ready.Sandbox)
}

// workerWitness follows a worker with three rungs, their sound, the return of
// cam as stream 5 and, from ten frames on instead, that of a as stream 6.
type workerWitness struct {
	t                     *testing.T
	rate                  media.Rate
	first                 int64
	started               map[uint32]int64 // first access unit of a rendition of sound
	counts                map[uint32]int64
	acked, decoded, ended bool
}

func newWorkerWitness(t *testing.T, rate media.Rate, first int64) *workerWitness {
	w := &workerWitness{t: t, rate: rate, first: first, started: map[uint32]int64{}, counts: map[uint32]int64{}}
	for i, grid := range []worker.AudioGrid{worker.AACGrid, worker.OpusGrid, worker.OpusGrid} {
		w.started[uint32(3+i)] = grid.First(rate, first)
	}
	return w
}

func (w *workerWitness) satisfied() bool {
	for _, stream := range []uint32{0, 1, 2, 3, 4, 6} {
		if w.counts[stream] < 30 {
			return false
		}
	}
	return w.acked && w.decoded && w.counts[5] > 0
}

func (w *workerWitness) take(message worker.Message) {
	switch m := message.(type) {
	case *worker.StreamPacket:
		require.False(w.t, w.ended && m.Stream == 5)
		require.Equal(w.t, w.due(m.Stream), m.Packet.PTS)
		w.counts[m.Stream]++
	case *worker.End:
		require.EqualValues(w.t, 5, m.Stream)
		w.ended = true
	case *worker.Begin:
		require.EqualValues(w.t, 6, m.Stream)
		require.Equal(w.t, worker.OpusGrid.First(w.rate, w.first+10), m.First)
		require.Equal(w.t, "a", m.Rendition.Return)
		w.started[6] = m.First
	case *worker.Ack:
		require.Equal(w.t, w.first+10, m.Frame)
		require.True(w.t, w.ended && w.started[6] > 0, "the returns have changed by then")
		w.acked = true
	case *worker.Report:
		cam := m.Sources["cam"]
		w.decoded = w.decoded || cam.State == worker.Live && cam.Width == 320
		require.Zero(w.t, cam.DecodeErrors)
	}
}

// due is when the next packet of a stream begins.
func (w *workerWitness) due(stream uint32) media.Time {
	switch {
	case stream < 3:
		return w.rate.At(w.first + w.counts[stream])
	case stream == 3:
		return worker.AACGrid.At(w.started[stream] + w.counts[stream])
	}
	return worker.OpusGrid.At(w.started[stream] + w.counts[stream])
}

func TestWorkerProcess(t *testing.T) {
	show := withReturn(withSource(demoShow(), "cam"), "cam", true)
	show.Program = "grid"
	clock := media.StartClock()
	process, conn := startWorker(t)
	begin := time.Now()
	require.NoError(t, worker.Send(conn, helloFor(t, show, clock, true)))
	message, err := worker.Receive(conn)
	require.NoError(t, err)
	ready := message.(*worker.Ready)
	t.Logf("ready after %v, sandbox %v", time.Since(begin), ready.Sandbox)
	requireReady(t, ready, show)

	// Decoders open inside the sandbox.
	shot := film(t, cameraSize, show.Canvas.Rate, 3*time.Second, 30, 700)
	live := clock.Now().Add(200 * time.Millisecond)
	for stream, packets := range [][]*media.Packet{shot.video, shot.sound} {
		require.NoError(t, worker.Send(conn, &worker.TrackChange{Stream: uint32(stream), Source: "cam", Track: packets[0].Track}))
		for _, p := range shifted(packets, live, nil) {
			require.NoError(t, worker.Send(conn, &worker.StreamPacket{Stream: uint32(stream), Packet: p}))
		}
	}

	// Another source's return takes the place of cam's, beside a cut.
	rate := show.Canvas.Rate
	first := rate.Index(clock.Now()) + 45 // the command is to be there ten frames later, however slow this machine is
	changed := withReturn(withReturn(show, "cam", false), "a", true)
	require.NoError(t, worker.Send(conn, &worker.Start{Frame: first}))
	require.NoError(t, worker.Send(conn, &worker.Command{ID: 1, At: first + 10, Cut: new(string), Show: &changed}))
	w := newWorkerWitness(t, rate, first)
	for !w.satisfied() {
		require.Less(t, time.Since(begin), 2*time.Minute)
		message, err := worker.Receive(conn)
		require.NoError(t, err)
		w.take(message)
	}
	require.NoError(t, worker.Send(conn, &worker.Quit{}))
	for err == nil {
		_, err = worker.Receive(conn)
	}
	require.NoError(t, process.Wait())
}

// withReturn makes a source ask for its return, or not.
func withReturn(show worker.Show, source string, asks bool) worker.Show {
	show.Sources = slices.Clone(show.Sources)
	for i := range show.Sources {
		if show.Sources[i].ID == source {
			show.Sources[i].Return = asks
		}
	}
	return show
}

// inProcess runs the session without the sandbox, which would hold for every
// test after it.
func inProcess(t *testing.T) (conn *child.Conn, wait func() error) {
	near, far, err := child.Pair()
	require.NoError(t, err)
	var session sync.WaitGroup
	var result error
	session.Go(func() {
		result = serve(t.Context(), far, func() ([]sandbox.Layer, error) { return nil, nil })
	})
	t.Cleanup(func() {
		_ = near.Close()
		session.Wait()
	})
	return near, func() error { session.Wait(); return result }
}

func TestSessionsThatEnd(t *testing.T) {
	clock := media.StartClock()
	hello := helloFor(t, testShow("30"), clock, false)
	wrong := *hello
	wrong.Version++
	unknown := *hello
	unknown.Device = "cuda:99"
	late := &worker.Start{Frame: hello.Show.Canvas.Rate.Index(clock.Now())}
	tests := []struct {
		name  string
		send  []worker.Message
		fault string // empty: a good end
	}{
		{"the server goes at once", nil, ""},
		{"the server goes before start", []worker.Message{hello}, ""},
		{"the server goes while mixing", []worker.Message{hello, late}, ""},
		{"quit before start", []worker.Message{hello, &worker.Quit{}}, ""},
		{"no hello", []worker.Message{&worker.Quit{}}, "hello"},
		{"another version", []worker.Message{&wrong}, "version"},
		{"unknown device", []worker.Message{&unknown}, "cuda:99"},
		{"two starts", []worker.Message{hello, late, late}, "started twice"},
		{"packet without a track", []worker.Message{hello, &worker.StreamPacket{Stream: 5, Packet: &media.Packet{}}}, "without a track"},
	}
	for _, test := range tests {
		conn, wait := inProcess(t)
		for _, message := range test.send {
			require.NoError(t, worker.Send(conn, message), test.name)
			if message == hello {
				_, err := worker.Receive(conn)
				require.NoError(t, err, test.name)
			}
		}
		if test.fault == "" {
			require.NoError(t, conn.Close())
			require.NoError(t, wait(), test.name)
			continue
		}
		for err := error(nil); err == nil; {
			_, err = worker.Receive(conn)
		}
		require.ErrorContains(t, wait(), test.fault, test.name)
	}
}
