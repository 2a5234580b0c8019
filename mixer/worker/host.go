package worker

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/child"
	"millrace/internal/delay"
	"millrace/internal/media"
)

// The limits of a worker when Config names none.
const (
	defaultWatchdog   = time.Second
	defaultReadyLimit = 20 * time.Second
	defaultGrace      = 5 * time.Second
	commandLimit      = 5 * time.Second // for an Ack, after the command's frame is due
)

var (
	// ErrNoWorker says that no worker is on air at this moment; filler is.
	ErrNoWorker = errors.New("the channel's worker is being replaced")
	// ErrNoAnswer says that a command may or may not have taken effect.
	ErrNoAnswer = errors.New("the channel's worker did not answer")
)

// Refused is a command that the worker did not carry out.
type Refused struct{ Ack Ack }

// Error is the worker's sentence.
func (r *Refused) Error() string { return r.Ack.Error }

// Place is where a worker works.
type Place struct {
	Device string // gpu.Open's name
	Driver string // gpu.OpenWith's library; empty is NVIDIA's driver
}

// CPU is the place that every machine has.
const CPU = "cpu"

// Config is what a Host is made of. The functions are called from the Host's
// goroutines without a lock held, one at a time each, and must not block.
type Config struct {
	Channel   string
	Show      func() Show // the newest; asked for every worker when it starts and when it is on air
	Clock     *media.Clock
	Rate      media.Rate // of the canvas
	GOPFrames int64      // 8 parts
	// Place says where the next worker works; it is asked for every one.
	Place func() Place
	// Picture decodes an asset that the show names, scaled down to that many
	// pixels where it has more. nil: there are none. It may take a second.
	Picture func(asset string, pixels int) (*image.RGBA, error)
	// OnFault hears that a place other than the CPU failed a worker, before Place
	// is asked again. May be nil.
	OnFault    func(Fault)
	LogLevel   string
	Command    child.Command // of the worker; without Stderr its lines go to Log
	WatchLimit time.Duration // a worker silent for longer is killed; 0 is 1 s
	ReadyLimit time.Duration // from start to ready; 0 is 20 s
	Grace      time.Duration // from quit to kill; 0 is 5 s
	// MemoryLimit is the resident memory above which a worker is replaced, in
	// bytes; 0 is none.
	MemoryLimit int64
	// RecycleMemory and RecyclePictures are what a worker may hold, bytes of
	// resident memory and pictures, before it is taken for one that leaks and replaced
	// in order, at the end of a GOP; 0 is no limit.
	RecycleMemory   int64
	RecyclePictures int
	// OnReady is called once, for the first worker that is ready. It answers
	// where the program goes and at which frame its timeline begins: the first
	// frame of a free segment. The sink gets every packet of every rendition;
	// it must not call back into the Host.
	OnReady func([]Rendition) (program media.Sink, firstFrame int64, err error)
	// OnWorker is called for every worker when it is ready, the first too:
	// the time to connect each source to a new Input, GOP cache first.
	OnWorker func(*Ready)
	OnReport func(Report) // at least once a second while a worker is on air
	// OnFinding hears of what a worker found, and of its end. May be nil.
	OnFinding func(Finding)
	Log       *slog.Logger
}

// Host is the server's end of a channel's workers: it keeps one running,
// feeds it, commands it, watches it, and keeps the program's timeline whole.
type Host struct {
	config     Config
	supervisor *child.Supervisor
	commands   atomic.Uint64
	findings   findings      // of the goroutine that reads the worker's messages
	begun      chan struct{} // closed when the timeline exists

	mu         sync.Mutex
	continuity *Continuity // nil before the first worker was ready
	session    *session    // of the ready worker; nil while there is none
	report     Report      // the newest; its counters run since the Host's start
	past       Report      // counters of the workers before this one
	onlookers  []*onlooker // immutable
	crash      crash

	socket delay.Window // from a worker's encoder to here, of pictures
}

// NewHost starts nothing.
func NewHost(config Config) *Host {
	if config.WatchLimit == 0 {
		config.WatchLimit = defaultWatchdog
	}
	if config.ReadyLimit == 0 {
		config.ReadyLimit = defaultReadyLimit
	}
	if config.Grace == 0 {
		config.Grace = defaultGrace
	}
	config.Log = config.Log.With("channel", config.Channel)
	if config.Command.Stderr == nil {
		config.Command.Stderr = func(line string) { config.Log.Info("worker says", "line", line) }
	}
	h := &Host{config: config, findings: findings{}, begun: make(chan struct{})}
	h.supervisor = &child.Supervisor{
		Command: config.Command, Serve: h.serve, Grace: config.Grace, MemoryLimit: config.MemoryLimit, Log: config.Log,
	}
	return h
}

// Run keeps a worker and the timeline going until ctx ends; then the worker
// finishes what it holds. No process is left when it returns.
func (h *Host) Run(ctx context.Context) error {
	var timeline sync.WaitGroup
	timeline.Go(func() {
		select {
		case <-h.begun:
			_ = h.continuity.Run(ctx) // ends with ctx only
		case <-ctx.Done():
		}
	})
	err := h.supervisor.Run(ctx)
	timeline.Wait()
	return err
}

// Restarts is how many times a worker was replaced.
func (h *Host) Restarts() int64 { return h.supervisor.Restarts() }

// Report is the newest of the workers' reports. Late and Repeated run since
// the Host's start, the rest is the present worker's own.
func (h *Host) Report() Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.report
}

// Socket is how long the worker's pictures took from the encoder to here in the
// last 10 s.
func (h *Host) Socket() delay.Spread { return h.socket.Spread(h.config.Clock.Now()) }

// Filled is how many access units of filler each rendition got, by id; nil
// before the timeline began.
func (h *Host) Filled() map[string]int64 {
	h.mu.Lock()
	continuity := h.continuity
	h.mu.Unlock()
	if continuity == nil {
		return nil
	}
	return continuity.Filled()
}

// discard is the input of a source while there is no worker.
type discard struct{}

func (discard) Write(*media.Packet) {}

// Input is a source's way into the present worker, for that worker's life:
// OnWorker is the time to ask for a new one. Asked again in that life, the way
// stays the same and passes what a GOP cache repeats only once. It is bounded; when the worker
// does not keep up, what waits is dropped and video goes on at its next
// keyframe. Video is passed from its first keyframe on.
func (h *Host) Input(source string) media.Sink {
	if s := h.present(); s != nil {
		if in := s.outbox.input(source); in != nil {
			return in
		}
	}
	return discard{}
}

// Gone tells the worker that the publisher of a source ended.
func (h *Host) Gone(source string) {
	if s := h.present(); s != nil {
		s.outbox.gone(source)
	}
}

// Dropped is how many packets of each source the present worker was too slow
// for.
func (h *Host) Dropped() map[string]uint64 {
	if s := h.present(); s != nil {
		return s.outbox.dropped()
	}
	return nil
}

// Do gives the worker a command and waits until it took effect. The error is
// ErrNoWorker, ErrNoAnswer, a *Refused or the context's.
func (h *Host) Do(ctx context.Context, command Command) (Ack, error) {
	s := h.present()
	if s == nil || !s.onAir.Load() {
		return Ack{}, ErrNoWorker
	}
	if command.Show != nil {
		s.give(*command.Show)
		defer s.withdraw(*command.Show) // whatever the answer: the worker has the show, or the next one starts with it
	}
	limit := commandLimit
	if command.At > 0 {
		limit += max(h.config.Clock.Until(h.config.Rate.At(command.At)), 0)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrNoAnswer)
	defer cancel()
	command.ID = h.commands.Add(1)
	ack, err := s.do(ctx, &command)
	if err == nil && ack.Error != "" {
		err = &Refused{ack}
	}
	return ack, err
}

// RequestKey asks for an IDR on a rung, as KeyFrame says. It never blocks, and
// requests that wait to be sent count as one; the program's sink may call it
// from within Write. Without a worker on air, and for what is no rung, it does
// nothing and says so: each worker begins with IDRs.
func (h *Host) RequestKey(rung string) bool {
	s := h.present()
	if s == nil || !s.onAir.Load() || !s.rungs[rung] {
		return false
	}
	s.outbox.key(rung)
	return true
}

func (h *Host) present() *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session
}

func (h *Host) hello() (*Hello, error) {
	anchor, err := Anchor(h.config.Clock)
	if err != nil {
		return nil, err
	}
	show, place := h.config.Show(), h.config.Place()
	hello := &Hello{
		Version: Version, Show: show, Clock: anchor, Device: place.Device, Driver: place.Driver,
		GOPFrames: h.config.GOPFrames, LogLevel: h.config.LogLevel,
	}
	h.mu.Lock()
	continuity := h.continuity
	h.mu.Unlock()
	if hello.Filler = continuity == nil; !hello.Filler {
		hello.Sets = continuity.Sets()
	}
	return hello, nil
}

// timeline is the channel's Continuity: made for the first ready worker, and
// for a later one only if it can carry on what the first began.
func (h *Host) timeline(ready *Ready) (*Continuity, error) {
	h.mu.Lock()
	continuity := h.continuity
	h.mu.Unlock()
	if continuity != nil {
		return continuity, continuity.Compatible(ready.Renditions)
	}
	program, first, err := h.config.OnReady(ready.Renditions)
	if err != nil {
		return nil, fmt.Errorf("begin program: %w", err)
	}
	continuity, err = NewContinuity(ContinuityConfig{
		Clock: h.config.Clock, Rate: h.config.Rate, GOPFrames: h.config.GOPFrames,
		Renditions: ready.Renditions, FirstFrame: first, Sink: program,
	})
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.continuity = continuity
	h.mu.Unlock()
	close(h.begun)
	return continuity, nil
}

// enter makes s the session that inputs and commands go to; nil is none.
func (h *Host) enter(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.session = s
	if s == nil {
		h.past.Late, h.past.Repeated = h.report.Late, h.report.Repeated
	}
}

func (h *Host) reported(report Report) {
	h.mu.Lock()
	report.Late += h.past.Late
	report.Repeated += h.past.Repeated
	h.report = report
	h.mu.Unlock()
	if h.config.OnReport != nil {
		h.config.OnReport(report)
	}
}
