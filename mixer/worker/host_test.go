package worker

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/child"
	"millrace/internal/media"
)

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
		Channel: "main", Show: exampleShow, Clock: c.clock, Rate: rate30, GOPFrames: testGOP, Place: func() Place { return Place{Device: CPU} },
		Command:    child.Command{Args: []string{"fake-worker", manner}, Stderr: func(line string) { t.Log(line) }},
		WatchLimit: 5 * time.Second, Grace: time.Second,
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

func shortWatch(config *Config) { config.WatchLimit = 500 * time.Millisecond }

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

// onAir waits until a worker other than that one carries the program, and
// gives its process id.
func (c *channel) onAir(t *testing.T, other int) int {
	t.Helper()
	pid := 0
	c.until(t, "worker on air", func() bool {
		s := c.host.present()
		if s == nil || !s.onAir.Load() || s.process.Pid() == other {
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
	c := startChannel(t, "works", shortWatch)
	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGSEGV, syscall.SIGKILL}
	pid := c.onAir(t, 0)
	for _, signal := range signals {
		c.frames(t, rnd.Int64N(25))
		require.NoError(t, syscall.Kill(pid, signal))
		pid = c.onAir(t, pid)
	}
	require.GreaterOrEqual(t, c.host.Restarts(), int64(len(signals)))
	c.frames(t, 60)
	c.stop()
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	_, filler, _ := c.witness.state()
	filled := c.host.Filled()
	for id, numbers := range filler {
		require.NotEmpty(t, numbers)
		require.EqualValues(t, len(numbers), filled[id])
	}
	require.Len(t, filler, 4)
}

// Whatever a worker does wrong, it is replaced and filler covers it.
func TestBadWorkersAreReplaced(t *testing.T) {
	t.Parallel()
	for _, manner := range []string{"skips a frame", "goes silent", "changes"} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			c := startChannel(t, manner, shortWatch)
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
	c := startChannel(t, "works", func(config *Config) {
		begin := config.OnReady
		config.OnReady = func(renditions []Rendition) (media.Sink, int64, error) {
			if tries.Add(1) == 1 {
				return nil, 0, errors.New("disk is full")
			}
			return begin(renditions)
		}
	})
	c.onAir(t, 0)
	require.EqualValues(t, 2, tries.Load())
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
	c.onAir(t, pid)
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
	pid = c.onAir(t, pid)
	second := c.host.Input("cam1")
	for i := range 7 {
		second.Write(&media.Packet{Track: track, Key: i == 0, Data: []byte("x")})
	}
	c.until(t, "packets in the second worker", seven)
	require.Empty(t, c.host.Dropped())

	// Packets that kill a worker cost nothing but that worker.
	second.Write(&media.Packet{Track: track, Key: true, Data: []byte("poison")})
	c.onAir(t, pid)
}

// A stop asks the worker to quit; it is not killed, and no filler follows.
func TestStopIsOrderly(t *testing.T) {
	t.Parallel()
	c := startChannel(t, "works", func(config *Config) { config.Grace = time.Hour })
	c.onAir(t, 0)
	before := c.host.Filled() // the first worker may have come late
	stopped := make(chan struct{})
	go func() {
		c.stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(20 * time.Second):
		require.NoError(t, syscall.Kill(c.host.present().process.Pid(), syscall.SIGKILL))
		require.FailNow(t, "the worker was not asked to quit")
	}
	require.Equal(t, before, c.host.Filled())
}

// A source asks for its return on air; the return outlives a worker, and ends
// when it is asked for no more.
func TestReturnsOnAir(t *testing.T) {
	t.Parallel()
	var asks atomic.Bool
	c := startChannel(t, "works", func(config *Config) {
		config.Show = func() Show {
			show := exampleShow()
			show.Sources[0].Return = asks.Load()
			return show
		}
	})
	c.witness.mu.Lock()
	c.witness.returns = true
	c.witness.mu.Unlock()
	pid := c.onAir(t, 0)
	change := func(on bool) {
		asks.Store(on)
		show := c.host.config.Show()
		_, err := c.host.Do(t.Context(), Command{Show: &show})
		require.NoError(t, err)
	}
	units := func() int64 {
		next, _, _ := c.witness.state()
		return next["return-cam1"]
	}
	change(true)
	c.until(t, "a return", func() bool { return units() > 0 })

	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	c.until(t, "silence in its place", func() bool { return c.host.Filled()["return-cam1"] > 0 })
	c.onAir(t, pid)
	c.frames(t, 10)
	next, filler, _ := c.witness.state()
	require.InDelta(t, next["opus"], next["return-cam1"], 1)
	require.InDelta(t, len(filler["opus"]), len(filler["return-cam1"]), 1)
	change(false)
	c.witness.over("return-cam1")
	change(true)
	c.until(t, "a return", func() bool { return units() > 0 })
	change(false)
	c.frames(t, 10)
	require.NotContains(t, c.host.Filled(), "return-cam1")
}

// A show that changes while a worker starts reaches it when it is on air.
func TestShowThatChangesWhileAWorkerStarts(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c := startChannel(t, "works", func(config *Config) {
		config.Show = func() Show {
			show := exampleShow()
			show.Sources[0].Return = asked.Add(1) > 1
			return show
		}
	})
	c.witness.mu.Lock()
	c.witness.returns = true
	c.witness.mu.Unlock()
	c.until(t, "the return of the new show", func() bool {
		next, _, _ := c.witness.state()
		return next["return-cam1"] > 0
	})
}

func TestRequestedKeyFrames(t *testing.T) {
	t.Parallel()
	c := startChannel(t, "works", nil)
	c.host.RequestKey("v1") // nobody is there yet
	c.onAir(t, 0)
	for range 1000 { // more than an outbox holds
		c.host.RequestKey("v1")
		c.host.RequestKey("audio")
		c.host.RequestKey("nothing")
	}
	c.host.RequestKey("v2")
	key := func(rung string) uint64 { return c.host.Report().Sources["key of "+rung].Frames }
	c.until(t, "requests", func() bool { return key("v1") > 0 && key("v2") > 0 })
	require.Zero(t, key("audio")+key("nothing"))
	_, err := c.host.Do(t.Context(), Command{Cut: pointer("two")})
	require.NoError(t, err)
}
