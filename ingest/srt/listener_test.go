//go:build cgo

package srt

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/ingest"
	"millrace/internal/child"
	"millrace/internal/media"
	"millrace/internal/srt/process"
	"millrace/internal/srt/srttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key, phrase = "one-one-one-one-one-1", "correct horse battery"

// rig is a listener with its process, and the sources cam1 and cam2.
type rig struct {
	listener *Listener
	sources  map[string]*ingest.Source
	refuse   error // of every publisher, if set
	address  chan string
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{sources: map[string]*ingest.Source{}, address: make(chan string, 4)}
	r.listener = New(Config{
		Listen: "127.0.0.1:0",
		Accept: func(request Request) (ingest.Session, error) {
			if r.refuse != nil {
				return nil, r.refuse
			}
			return r.sources[request.Source].Connect("srt", request.Remote)
		},
		OnListening: func(address string, err error) {
			require.NoError(t, err)
			r.address <- address
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	t.Cleanup(func() { cancel(); watching.Wait() })
	clock := media.StartClock()
	for _, id := range []string{"cam1", "cam2"} {
		source := ingest.NewSource(ingest.SourceConfig{ID: id, Clock: clock, OnState: func(shot ingest.Snapshot) {
			r.listener.SetBusy(shot.Source, shot.State != ingest.Idle && shot.State != ingest.Lost)
		}})
		r.sources[id] = source
		watching.Go(func() { _ = source.Run(ctx) })
	}
	r.listener.SetSources([]Source{{ID: "cam1", Keys: []string{key}}, {ID: "cam2", Keys: []string{"two"}, Passphrase: phrase}})
	return r
}

// serve runs one life of the process; end is its death.
func (r *rig) serve(t *testing.T) (address string, end func()) {
	t.Helper()
	near, far, err := child.Pair()
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() { _ = r.listener.Serve(context.Background(), near) })
	running.Go(func() { _ = process.Serve(far) })
	end = sync.OnceFunc(func() {
		_ = far.Close()
		running.Wait()
		_ = near.Close()
	})
	t.Cleanup(end)
	return <-r.address, end
}

// reject is the code that a caller reads; 0: it was let in.
func reject(t *testing.T, address, streamID string) int {
	caller, err := srttest.Dial(address, streamID, "")
	if err == nil {
		caller.Close()
		return 0
	}
	var code srttest.RejectError
	require.ErrorAs(t, err, &code)
	return int(code)
}

// publish starts FFmpeg as an encoder; stop ends it in order.
func publish(t *testing.T, url string, args ...string) (stop func()) {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg program on this machine")
	}
	all := []string{"-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"}
	if len(args) == 0 {
		args = []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"}
	}
	all = append(append(all, args...), "-t", "60", "-f", "mpegts", url)
	command := exec.Command(path, all...)
	quit, err := command.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	stop = sync.OnceFunc(func() {
		_, _ = quit.Write([]byte("q"))
		_ = quit.Close()
		_ = command.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func (r *rig) reaches(t *testing.T, source string, states ...ingest.State) ingest.Snapshot {
	t.Helper()
	var shot ingest.Snapshot
	require.Eventually(t, func() bool {
		shot = r.sources[source].State()
		for _, state := range states {
			if shot.State == state {
				return true
			}
		}
		return false
	}, 20*time.Second, 20*time.Millisecond)
	return shot
}

func TestFFmpegPublishesInEveryForm(t *testing.T) {
	t.Parallel()
	r := start(t)
	address, _ := r.serve(t)
	for _, c := range []struct{ query, source string }{
		{"streamid=#!::r=cam1,m=publish,s=" + key, "cam1"},
		{"streamid=publish:cam1:" + key, "cam1"},
		{"streamid=" + key, "cam1"},
		{"streamid=two&passphrase=" + phrase, "cam2"},
	} {
		stop := publish(t, "srt://"+address+"?"+c.query)
		r.reaches(t, c.source, ingest.Live)
		sink := &keyframes{seen: make(chan *media.Packet, 1000)}
		cancel := r.sources[c.source].Subscribe(sink)
		first := <-sink.seen
		require.True(t, first.Key && first.Track.Kind == media.Video, "it begins with a picture")
		require.Equal(t, media.H264, first.Track.Codec)
		require.Equal(t, []int{320, 180}, []int{first.Track.Width, first.Track.Height})
		require.Eventually(t, func() bool {
			shot := r.sources[c.source].State()
			return shot.Video != nil && shot.Audio != nil && shot.FPS > 15
		}, 10*time.Second, 50*time.Millisecond)
		require.Len(t, r.listener.Connections(), 1)
		cancel()
		stop()
		r.reaches(t, c.source, ingest.Idle)
	}
	require.Eventually(t, func() bool { return len(r.listener.Connections()) == 0 }, 5*time.Second, 10*time.Millisecond)
}

type keyframes struct{ seen chan *media.Packet }

func (k *keyframes) Write(p *media.Packet) {
	select {
	case k.seen <- p:
	default:
	}
}

func TestASecondPublisherReadsBusy(t *testing.T) {
	t.Parallel()
	r := start(t)
	address, _ := r.serve(t)
	publish(t, "srt://"+address+"?streamid="+key)
	r.reaches(t, "cam1", ingest.Live)
	require.Eventually(t, func() bool { return reject(t, address, key) == 1409 }, 5*time.Second, 20*time.Millisecond)
	require.Equal(t, 1401, reject(t, address, "publish:cam1:wrong"))
	require.Equal(t, 1404, reject(t, address, "publish:cam7:"+key))
	r.sources["cam1"].Kick(errors.New("kicked"))
	require.Eventually(t, func() bool { return len(r.listener.Connections()) == 0 }, 5*time.Second, 10*time.Millisecond)
	r.reaches(t, "cam1", ingest.Idle)
	r.listener.SetDown(true)
	require.Eventually(t, func() bool { return reject(t, address, key) == 1503 }, 5*time.Second, 20*time.Millisecond)
}

// Another protocol took the source between the handshake and the session.
func TestHandoverIsRefusedAfterAccept(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.refuse = ingest.ErrBusy
	address, _ := r.serve(t)
	caller := r.dial(t, address)
	defer caller.Close()
	require.Eventually(t, func() bool {
		_, err := caller.Write(make([]byte, 188))
		return err != nil
	}, 20*time.Second, 10*time.Millisecond) // a caller that misses the one packet of farewell, which a busy machine drops, knows after its 5 s of silence
	require.Equal(t, ingest.Idle, r.sources["cam1"].State().State)
}

// dial calls until the process has the table.
func (r *rig) dial(t *testing.T, address string) (caller *srttest.Caller) {
	t.Helper()
	require.Eventually(t, func() (connected bool) {
		c, err := srttest.Dial(address, key, "")
		caller = c
		return err == nil
	}, 5*time.Second, 10*time.Millisecond)
	return caller
}

func TestSessionsEndWithTheProcessAndEverythingIsToldAgain(t *testing.T) {
	t.Parallel()
	r := start(t)
	address, end := r.serve(t)
	publish(t, "srt://"+address+"?streamid="+key)
	r.reaches(t, "cam1", ingest.Live)
	end()
	shot := r.reaches(t, "cam1", ingest.Lost)
	require.ErrorContains(t, shot.Reason, "srt process")
	address, _ = r.serve(t)
	require.Eventually(t, func() bool { return reject(t, address, "publish:cam1:wrong") == 1401 }, 5*time.Second, 20*time.Millisecond)
	publish(t, "srt://"+address+"?streamid="+key)
	r.reaches(t, "cam1", ingest.Live)
}

// A caller that sends nothing of use loses its place (F20).
func TestSilenceEndsTheConnection(t *testing.T) {
	t.Parallel()
	r := start(t)
	address, _ := r.serve(t)
	began := time.Now()
	caller := r.dial(t, address)
	defer caller.Close()
	require.Eventually(t, func() bool {
		_, err := caller.Write(make([]byte, 1316))
		return err != nil
	}, 12*time.Second, 100*time.Millisecond)
	require.InDelta(t, stallTimeout.Seconds(), time.Since(began).Seconds(), 3)
	require.Equal(t, ingest.Lost, r.sources["cam1"].State().State)
}
