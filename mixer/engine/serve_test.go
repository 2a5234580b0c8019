package engine

import (
	"context"
	"fmt"
	"os"
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

// requireReady wants every rendition with its filler, and the sandbox's account.
func requireReady(t *testing.T, ready *worker.Ready, show worker.Show) {
	require.Len(t, ready.Renditions, 5)
	for i, rendition := range ready.Renditions[:3] {
		require.Equal(t, show.Ladder[i].ID, rendition.Track.ID)
		require.Len(t, rendition.Filler, 2)
		for _, variant := range rendition.Filler {
			require.Len(t, variant, 48)
		}
	}
	require.Equal(t, "mp4a.40.2", ready.Renditions[3].Track.MIME)
	require.Equal(t, worker.OpusID, ready.Renditions[4].Track.ID)
	for _, rendition := range ready.Renditions[3:] {
		require.NotEmpty(t, rendition.Filler[0][0])
	}
	require.NotEmpty(t, ready.Sandbox)
}

func TestWorkerProcess(t *testing.T) {
	show := withSource(demoShow(), "cam")
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

	first := show.Canvas.Rate.Index(clock.Now()) + 5
	require.NoError(t, worker.Send(conn, &worker.Start{Frame: first}))
	require.NoError(t, worker.Send(conn, &worker.Command{ID: 1, At: first + 10, Cut: new(string)}))
	counts, acked, decoded := map[uint32]int64{}, false, false
	for counts[0] < 30 || counts[1] < 30 || counts[2] < 30 || counts[3] < 30 || counts[4] < 30 || !acked || !decoded {
		require.Less(t, time.Since(begin), 2*time.Minute)
		message, err := worker.Receive(conn)
		require.NoError(t, err)
		switch m := message.(type) {
		case *worker.StreamPacket:
			want := show.Canvas.Rate.At(first + counts[m.Stream])
			if m.Stream >= 3 {
				grid := []worker.AudioGrid{worker.AACGrid, worker.OpusGrid}[m.Stream-3]
				want = grid.At(grid.First(show.Canvas.Rate, first) + counts[m.Stream])
			}
			require.Equal(t, want, m.Packet.PTS)
			counts[m.Stream]++
		case *worker.Ack:
			require.Equal(t, first+10, m.Frame)
			acked = true
		case *worker.Report:
			cam := m.Sources["cam"]
			decoded = decoded || cam.State == worker.Live && cam.Width == 320
			require.Zero(t, cam.DecodeErrors)
		}
	}
	require.NoError(t, worker.Send(conn, &worker.Quit{}))
	for err == nil {
		_, err = worker.Receive(conn)
	}
	require.NoError(t, process.Wait())
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
