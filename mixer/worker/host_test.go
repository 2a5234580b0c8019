package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/child"
	"millrace/internal/media"
)

// The test binary is its own worker: the first argument names how it behaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "fake-worker" {
		if err := fakeWorker(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeWorker speaks the protocol and encodes nothing.
func fakeWorker(manner string) error {
	conn, err := child.Inherited()
	if err != nil {
		return err
	}
	message, err := Receive(conn)
	if err != nil {
		return err
	}
	hello := message.(*Hello)
	clock, err := hello.Clock.Clock()
	if err != nil {
		return err
	}
	if manner == "hangs before ready" {
		select {}
	}
	rate := hello.Show.Canvas.Rate
	ready := &Ready{Renditions: fakeRenditions(rate, hello.GOPFrames), Encoder: EncoderInfo{Device: "fake"}}
	if !hello.Filler {
		for i := range ready.Renditions {
			ready.Renditions[i].Filler = nil
			if manner == "changes" {
				track := *ready.Renditions[i].Track
				track.Width++
				ready.Renditions[i].Track = &track
			}
		}
	}
	if err := Send(conn, ready); err != nil {
		return err
	}
	w := &fakeOnAir{conn: conn, clock: clock, rate: rate, gop: hello.GOPFrames, program: hello.Show.Program, manner: manner, sources: map[string]SourceReport{}}
	return w.serve()
}

type fakeOnAir struct {
	conn    *child.Conn
	clock   *media.Clock
	rate    media.Rate
	gop     int64
	manner  string
	streams sync.Map // number to source

	mu      sync.Mutex
	program string
	frame   int64
	sources map[string]SourceReport
}

func (w *fakeOnAir) serve() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		message, err := Receive(w.conn)
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *Start:
			go func() {
				if err := w.tick(ctx, m.Frame); err != nil {
					fmt.Fprintln(os.Stderr, "tick:", err)
					os.Exit(1)
				}
			}()
		case *Quit:
			return nil
		case *Command:
			if err := w.command(m); err != nil {
				return err
			}
		case *TrackChange:
			w.streams.Store(m.Stream, m.Source)
		case *StreamPacket:
			if source, ok := w.streams.Load(m.Stream); ok {
				w.mu.Lock()
				report := w.sources[source.(string)]
				report.Frames++
				report.State = Live
				w.sources[source.(string)] = report
				w.mu.Unlock()
			}
			if string(m.Packet.Data) == "poison" {
				os.Exit(7)
			}
		case *Gone:
			w.mu.Lock()
			w.sources[m.Source] = SourceReport{State: Lost}
			w.mu.Unlock()
		}
	}
}

func (w *fakeOnAir) command(m *Command) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	ack := &Ack{ID: m.ID, Frame: w.frame, Program: w.program}
	switch {
	case w.manner == "is deaf":
		return nil
	case m.Cut != nil && *m.Cut == "nowhere":
		ack.Code, ack.Error = AckUnknown, "no such scene"
	case m.Cut != nil:
		w.program, ack.Program = *m.Cut, *m.Cut
	}
	return Send(w.conn, ack)
}

func (w *fakeOnAir) tick(ctx context.Context, start int64) error {
	encoders := newFakeEncoders(w.rate, w.gop, start)
	for n := start; ; n++ {
		if err := w.clock.SleepUntil(ctx, w.rate.At(n)); err != nil {
			return err
		}
		if w.manner == "skips a frame" && n == start+20 {
			n++
		}
		if w.manner == "goes silent" && n > start+10 {
			continue
		}
		if err := encoders.tick(n, func(p *StreamPacket) error { return Send(w.conn, p) }); err != nil {
			return err
		}
		w.mu.Lock()
		w.frame = n
		report := &Report{Frame: n, Late: 1, Program: w.program, Sources: w.sources}
		err := Send(w.conn, report)
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// channel is a Host under test with everything that it is wired to.
type channel struct {
	host    *Host
	witness *witness
	clock   *media.Clock
	ready   chan *Ready
	stop    func()
}

func startChannel(t *testing.T, manner string, change func(*Config)) *channel {
	t.Helper()
	c := &channel{clock: media.StartClock(), ready: make(chan *Ready, 1000)}
	begin := (rate30.Index(c.clock.Now())/testGOP + 1) * testGOP
	c.witness = newWitness(c.clock, rate30, testGOP, begin)
	config := Config{
		Channel: "main", Show: exampleShow, Clock: c.clock, Rate: rate30, GOPFrames: testGOP, Device: "cpu",
		Command:    child.Command{Args: []string{"fake-worker", manner}, Stderr: func(line string) { t.Log(line) }},
		WatchLimit: 300 * time.Millisecond, Grace: time.Second,
		OnReady:  func([]Rendition) (media.Sink, int64, error) { return c.witness, begin, nil },
		OnWorker: func(ready *Ready) { c.ready <- ready },
		Log:      slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	c.host = NewHost(config)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.host.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
		_, _, faults := c.witness.state()
		require.Empty(t, faults)
	})
	t.Cleanup(c.stop)
	return c
}

// until waits for a condition that can change with every packet.
func (c *channel) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-c.witness.got:
		case <-limit:
			require.FailNow(t, "never: "+what)
		}
	}
}

func (c *channel) frames(t *testing.T, more int64) {
	t.Helper()
	from, _, _ := c.witness.state()
	c.until(t, "more frames", func() bool {
		now, _, _ := c.witness.state()
		return now["v1"] >= from["v1"]+more
	})
}

// onAir waits until the worker after that many restarts carries the program
// and gives its process id.
func (c *channel) onAir(t *testing.T, restarts int64) int {
	t.Helper()
	pid := 0
	c.until(t, "worker on air", func() bool {
		s := c.host.present()
		if s == nil || !s.onAir.Load() || c.host.Restarts() != restarts {
			return false
		}
		c.witness.mu.Lock()
		defer c.witness.mu.Unlock()
		last := c.witness.last["v1"]
		pid = s.process.Pid()
		return last != nil && !last.Filler
	})
	return pid
}

// Workers are killed and stopped at random; no rendition misses a number.
func TestWorkersDieAndTheTimelineGoesOn(t *testing.T) {
	t.Parallel()
	c := startChannel(t, "works", nil)
	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGSEGV, syscall.SIGKILL}
	for life, signal := range signals {
		pid := c.onAir(t, int64(life))
		c.frames(t, rnd.Int64N(25))
		require.NoError(t, syscall.Kill(pid, signal))
		c.until(t, "another worker", func() bool { return c.host.Restarts() > int64(life) })
	}
	pid := c.onAir(t, int64(len(signals)))
	c.frames(t, 60)
	c.stop()
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	_, filler, _ := c.witness.state()
	filled := c.host.Filled()
	for id, numbers := range filler {
		require.NotEmpty(t, numbers)
		require.EqualValues(t, len(numbers), filled[id])
	}
	require.Len(t, filler, 3)
}

// Whatever a worker does wrong, it is replaced and filler covers it.
func TestBadWorkersAreReplaced(t *testing.T) {
	t.Parallel()
	for _, manner := range []string{"skips a frame", "goes silent", "changes"} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			c := startChannel(t, manner, nil)
			if manner == "changes" {
				require.NoError(t, syscall.Kill(c.onAir(t, 0), syscall.SIGKILL))
			}
			c.until(t, "restarts", func() bool { return c.host.Restarts() >= 2 })
			c.frames(t, 30)
		})
	}
}

func TestWorkerThatIsNeverReadyIsReplaced(t *testing.T) {
	t.Parallel()
	restarts := make(chan struct{}, 100)
	var starts atomic.Int64
	c := startChannel(t, "hangs before ready", func(config *Config) {
		config.ReadyLimit = 50 * time.Millisecond
		config.Show = func() Show {
			if starts.Add(1) > 2 {
				restarts <- struct{}{}
			}
			return exampleShow()
		}
	})
	<-restarts
	_, err := c.host.Do(t.Context(), Command{Cut: pointer("x")})
	require.ErrorIs(t, err, ErrNoWorker)
	require.Nil(t, c.host.Filled())
	c.host.Input("cam1").Write(&media.Packet{Track: &media.Track{}})
	c.host.Gone("cam1")
}

// A program that cannot begin is tried again with the next worker.
func TestProgramThatCannotBegin(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	var c *channel
	c = startChannel(t, "works", func(config *Config) {
		begin := config.OnReady
		config.OnReady = func(renditions []Rendition) (media.Sink, int64, error) {
			if tries.Add(1) == 1 {
				return nil, 0, errors.New("disk is full")
			}
			return begin(renditions)
		}
	})
	c.onAir(t, 1)
}

func TestCommandsAndReports(t *testing.T) {
	t.Parallel()
	reports := make(chan Report, 1000)
	c := startChannel(t, "works", func(config *Config) { config.OnReport = func(r Report) { reports <- r } })
	pid := c.onAir(t, 0)
	ack, err := c.host.Do(t.Context(), Command{Cut: pointer("two")})
	require.NoError(t, err)
	require.Equal(t, "two", ack.Program)
	var refused *Refused
	_, err = c.host.Do(t.Context(), Command{Cut: pointer("nowhere")})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, AckUnknown, refused.Ack.Code)
	for (<-reports).Program != "two" {
	}
	require.EqualValues(t, 1, c.host.Report().Late)

	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	c.onAir(t, 1)
	c.until(t, "a report of the second worker", func() bool { return c.host.Report().Late == 2 })
}

func TestCommandWithoutAnswer(t *testing.T) {
	t.Parallel()
	c := startChannel(t, "is deaf", nil)
	pid := c.onAir(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.host.Do(ctx, Command{})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	answered := make(chan error, 1)
	go func() {
		_, err := c.host.Do(t.Context(), Command{})
		answered <- err
	}()
	c.frames(t, 5)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.ErrorIs(t, <-answered, ErrNoAnswer)
}

// Each worker gets the sources anew, and only its own inputs.
func TestInputs(t *testing.T) {
	t.Parallel()
	c := startChannel(t, "works", nil)
	pid := c.onAir(t, 0)
	<-c.ready
	track := &media.Track{ID: "v", Kind: media.Video, Codec: media.H264}
	first := c.host.Input("cam1")
	for i := range 10 {
		first.Write(&media.Packet{Track: track, Key: i == 3, Data: []byte("x")})
	}
	seven := func() bool { return c.host.Report().Sources["cam1"].Frames == 7 }
	c.until(t, "packets from the keyframe on", seven)
	c.host.Gone("cam1")
	c.until(t, "gone", func() bool { return c.host.Report().Sources["cam1"].State == Lost })

	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	<-c.ready
	first.Write(&media.Packet{Track: track, Key: true, Data: []byte("poison")}) // of the first worker's life
	second := c.host.Input("cam1")
	for i := range 7 {
		second.Write(&media.Packet{Track: track, Key: i == 0, Data: []byte("x")})
	}
	c.until(t, "packets in the second worker", seven)
	require.EqualValues(t, 1, c.host.Restarts())
	require.Empty(t, c.host.Dropped())

	// Packets that kill a worker cost nothing but that worker.
	second.Write(&media.Packet{Track: track, Key: true, Data: []byte("poison")})
	c.onAir(t, 2)
}
