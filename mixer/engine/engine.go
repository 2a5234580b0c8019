package engine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync"
	"sync/atomic"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// Config is what an Engine needs.
type Config struct {
	Show      worker.Show
	Device    gpu.Device
	Clock     *media.Clock
	GOPFrames int64       // frame n is an IDR in every rung when n%GOPFrames == 0
	Filler    bool        // Ready shall carry filler
	Slate     *image.RGBA // the picture of the show's slate, premultiplied, for the filler; nil: the built-in one
	// Sets is the avcC of every rung's init section, by id, where an engine before
	// this one began it: this one's encoders keep to it.
	Sets map[string][]byte
	// Emit takes the packets of a rendition, numbered as in Ready or its Begin, in
	// order; the renditions call it concurrently. It should not block.
	Emit func(rendition int, p *media.Packet)
	// Announce takes *worker.Begin and *worker.End of returns, from the tick that
	// emits their packets.
	Announce func(worker.Message)
	// Report takes an account of the engine once a second and on every change of
	// a source's state. It is called from one goroutine and may block.
	Report func(worker.Report)
	// Meters takes what was measured, 20 times a second while it is watched, from
	// one goroutine. It may block: then it gets the newest.
	Meters func(worker.Meters)
	// Found takes what is found in the program and the sources, and when it is over,
	// from one goroutine. It may block: then less is looked at.
	Found func(worker.Finding)
	// Multiview takes its pictures while it is watched, from one goroutine. It may
	// block: then some are left out. nil: there is no multiview.
	Multiview func(*media.Packet)
	Log       *slog.Logger
}

// Engine runs one channel's mixer. Packet, Gone and Do may be called from one
// goroutine beside Run, before it too.
type Engine struct {
	config Config
	rate   media.Rate

	ladder     *ladder
	compositor gpu.Compositor
	desk       *desk
	sound      soundDesk
	orders     orders
	inputs     atomic.Pointer[map[string]*Input] // immutable

	// Of Run.
	work    *sync.WaitGroup
	working context.Context
	last    gpu.Composition // owned; what a late tick repeats
	state   account

	metering   metering
	inspection *inspection
	view       *multiview // nil where there is none
}

// New opens the encoders, the compositor and the show's sources.
func New(config Config) (*Engine, error) {
	if config.GOPFrames <= 0 || config.Show.Canvas.Rate.Num <= 0 || len(config.Show.Ladder) == 0 {
		return nil, errors.New("make engine: a show needs a rate, a GOP and a ladder")
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	e := &Engine{config: config, rate: config.Show.Canvas.Rate}
	if err := e.open(); err != nil {
		e.Close()
		return nil, fmt.Errorf("make engine: %w", err)
	}
	return e, nil
}

func (e *Engine) open() error {
	show, device := e.config.Show, e.config.Device
	var errs [3]error
	var both sync.WaitGroup
	both.Go(func() {
		e.ladder, errs[0] = openLadder(device, e.config)
	})
	both.Go(func() {
		if e.config.Multiview != nil {
			e.view, errs[2] = newMultiview(device, show.Canvas.Rate, e.config.Multiview, e.config.Log)
		}
	})
	both.Go(func() { e.desk, errs[1] = newDesk(device, show, e.config.Clock, e.config.Log) })
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	compositor := gpu.CompositorConfig{Canvas: gpu.Size{Width: show.Canvas.Width, Height: show.Canvas.Height}}
	for _, r := range e.ladder.rungs {
		r.now, r.emit, r.finished = e.config.Clock.Now, e.config.Emit, func(frame int64) { e.finished(r, frame) }
		compositor.Rungs = append(compositor.Rungs, gpu.Size{Width: r.track.Width, Height: r.track.Height})
	}
	e.sound = newSoundDesk(show, e.ladder.ready, e.config)
	e.inspection = newInspection(e.rate, e.ladder.rungs, e.found, e.config.Log)
	e.desk.changed = e.changed
	e.publish(e.desk.sources)
	var err error
	e.compositor, err = device.NewCompositor(compositor)
	return err
}

// Ready describes the renditions, for the server.
func (e *Engine) Ready() worker.Ready {
	ready := e.ladder.ready
	if e.view != nil {
		ready.Multiview = e.view.track
	}
	return ready
}

// Packet takes one access unit of a source on the channel timeline. It never
// blocks; a source that the show does not have is ignored.
func (e *Engine) Packet(source string, p *media.Packet) {
	if input := (*e.inputs.Load())[source]; input != nil {
		input.Write(p)
	}
}

// Gone says that a source's publisher ended: hold, then slate.
func (e *Engine) Gone(source string) {
	if input := (*e.inputs.Load())[source]; input != nil {
		input.End()
	}
}

// Picture takes what layers and overlays of kind image show of an asset, nil for
// nothing any more. It may be called from any goroutine and never blocks.
func (e *Engine) Picture(asset string, picture *image.RGBA) error {
	return e.desk.board.album.put(asset, picture)
}

// Do takes a command and calls reply once, from a tick, when it took effect or
// was refused. It never blocks; reply should not either.
func (e *Engine) Do(command worker.Command, reply func(worker.Ack)) { e.orders.add(command, reply) }

// RequestKey asks for an IDR on a rung, as worker.KeyFrame says. It may be
// called from any goroutine and never blocks; what is no rung is ignored.
func (e *Engine) RequestKey(rung string) {
	if rung == worker.MultiviewID && e.view != nil {
		e.view.wanted.Store(true)
	}
	for _, r := range e.ladder.rungs {
		if r.track.ID == rung {
			r.keys.request()
		}
	}
}

// changed takes another show: its sources, and the returns that it asks for.
func (e *Engine) changed(sources map[string]*source) {
	e.publish(sources)
	e.sound.returns.follow(e.desk.show, e.ladder.opus(), e.state.next)
}

func (e *Engine) found(f worker.Finding) {
	if e.config.Found != nil {
		e.config.Found(f)
	}
}

// publish lets packets find the sources' inputs and starts new ones.
func (e *Engine) publish(sources map[string]*source) {
	inputs := make(map[string]*Input, len(sources))
	for id, s := range sources {
		if s.input != nil {
			inputs[id] = s.input
			e.start(s)
		}
	}
	e.inputs.Store(&inputs)
}

// start runs a source's input, once Run has begun.
func (e *Engine) start(s *source) {
	if e.work == nil || s.stop != nil || s.input == nil {
		return
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(e.working)
	s.input.begin(e.rate.At(e.state.next))
	e.work.Go(func() { s.input.Run(ctx) })
}

// Run mixes from tick first on until the context ends, then finishes what it
// holds. An error is an encoder's or the compositor's: the worker is of no more
// use.
func (e *Engine) Run(ctx context.Context, first int64) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if err := e.sound.open(first); err != nil {
		return err
	}
	inputs, stopInputs := context.WithCancel(context.Background())
	var inputWork, rungWork, reportWork sync.WaitGroup
	e.work, e.working, e.state.next = &inputWork, inputs, first
	for _, s := range e.desk.sources {
		e.start(s)
	}
	for _, r := range e.ladder.rungs {
		rungWork.Go(func() {
			if err := r.run(); err != nil {
				fail(err)
			}
		})
	}
	e.state.reports, e.metering.out = make(chan worker.Report, 1), make(chan worker.Meters, 1)
	reportWork.Go(func() { each(e.state.reports, e.config.Report) })
	reportWork.Go(func() { each(e.metering.out, e.config.Meters) })
	reportWork.Go(e.inspection.run)
	if e.view != nil {
		reportWork.Go(e.view.run)
	}

	err := e.ticks(ctx, first)
	for _, r := range e.ladder.rungs {
		r.close()
	}
	rungWork.Wait()
	e.orders.refuse()
	stopInputs()
	inputWork.Wait()
	close(e.state.reports)
	close(e.metering.out)
	close(e.inspection.looks)
	if e.view != nil {
		e.view.close()
	}
	reportWork.Wait()
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// Close frees everything; Run has returned.
func (e *Engine) Close() {
	e.orders.refuse()
	if e.last.Canvas != nil {
		e.last.Release()
	}
	if e.compositor != nil {
		e.compositor.Close()
	}
	if e.desk != nil {
		e.desk.close()
	}
	if e.ladder != nil {
		e.ladder.close()
	}
	e.sound.close()
}
