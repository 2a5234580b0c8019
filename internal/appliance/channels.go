package appliance

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"millrace/api"
	"millrace/internal/events"
	"millrace/internal/media"
	"millrace/internal/state"
	"millrace/mixer/worker"
	"millrace/output/cmaf"
	"millrace/record"
	"millrace/record/iso"
)

// program is one channel that exists: its documents and, while it is not
// stopped, its run. What others read changes under mu of channels, which is never
// held while the disk is waited for. live serialises takes, so that what is stored
// last is what happened last, and all changes of stored, onAir and taken.
type program struct {
	id     string // for good, so that no lock is needed for it
	stored api.Stored[api.Channel]
	onAir  api.Stored[air]
	live   sync.Mutex

	store     *record.Store // open while the node runs; nil before, and where it cannot be opened
	retaining sync.Mutex    // of changes to what store keeps

	telling sync.Mutex        // of tally
	tally   map[string]string // as it was told last

	taken    int64      // frame of the newest take that onAir holds
	applying sync.Mutex // orders shows on their way to the worker: the newest comes last

	running *task
	run     *channel // nil between runs
	failure error    // why the last run ended; nil while one goes on

	meters   meterHub
	movement movement
}

// channels keeps the programs of the node. It implements api.Channels, api.Live,
// api.Recordings, api.Clips and api.ShowLog.
type channels struct {
	store   state.Store
	sources *sources
	clock   *media.Clock
	log     *slog.Logger
	bus     *events.Bus
	base    channelConfig // what every run shares
	archive *archive
	showLog *showLog
	maker   *clipMaker
	iso     *isoRecordings
	sizes   sizes

	// naming is held while a document is stored that names sources and assets, and
	// while one of those is deleted: before mu.
	naming sync.Mutex

	mu   sync.RWMutex
	byID map[string]*program
	ctx  context.Context // of Run; nil before

	feedMu   sync.Mutex    // of moved and begun, held for no more than a look
	airMoved chan *program // a transition began or ended there; the tally is told

	moved map[string]bool // sources whose publisher came (false) or went (true); Run tells the workers
	begun map[string]bool // channels that have begun a run; Run begins their automatic recordings
	wake  chan struct{}   // moved or begun is not empty; capacity 1
}

func openChannels(ctx context.Context, store state.Store, sources *sources, base channelConfig) (*channels, error) {
	documents, err := loadAll[api.Channel](ctx, store, kindChannel)
	if err != nil {
		return nil, err
	}
	airs, err := loadAll[air](ctx, store, kindAir)
	if err != nil {
		return nil, err
	}
	archive, err := openArchive(ctx, store)
	if err != nil {
		return nil, err
	}
	showLog, err := openShowLog(ctx, store)
	if err != nil {
		return nil, err
	}
	c := &channels{archive: archive, showLog: showLog, store: store, sources: sources, clock: base.Clock, log: base.Log, bus: base.Bus, base: base, byID: map[string]*program{},
		moved: map[string]bool{}, wake: make(chan struct{}, 1), airMoved: make(chan *program, 64)}
	c.iso = &isoRecordings{channels: c, running: map[string]map[string]*isoRecording{}, known: map[string]iso.Info{}}
	c.begun = map[string]bool{}
	if c.maker, err = newClipMaker(c); err != nil {
		return nil, err
	}
	for id, document := range documents {
		onAir, ok := airs[id]
		if !ok { // the node ended between two writes
			onAir.Value.Preview = document.Value.Preview
		}
		onAir.Value = onAir.Value.within(document.Value)
		c.byID[id] = &program{id: document.Value.Id, stored: document, onAir: onAir}
	}
	return c, nil
}

// Run keeps every channel that is not stopped on air until the context ends.
func (c *channels) Run(ctx context.Context) error {
	c.mu.Lock()
	c.ctx = ctx
	var stopped []*program
	for _, p := range c.byID {
		if p.stored.Value.Stopped {
			stopped = append(stopped, p)
		} else {
			c.start(p)
		}
	}
	c.mu.Unlock()
	for _, p := range stopped {
		c.openStopped(p)
	}
	for _, r := range c.archive.recordings.all() {
		c.iso.start(context.WithoutCancel(ctx), r.Value)
	}
	making := begin(ctx, c.maker.Run)
	c.followFeeds(ctx)
	making.stop()
	c.iso.stopAll()
	for _, running := range c.tasks() {
		running.stop()
	}
	return c.closeStores()
}

// feedMoved says that a source's publisher came or went. It does not wait.
func (c *channels) feedMoved(source string, gone bool) {
	c.feedMu.Lock()
	c.moved[source] = gone
	c.feedMu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// followFeeds tells the workers of publishers that came and went, and begins and
// ends the returns of guests, until the context ends.
func (c *channels) followFeeds(ctx context.Context) {
	told := map[string]facts{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		c.feedMu.Lock()
		moved, begun := maps.Clone(c.moved), maps.Clone(c.begun)
		clear(c.moved)
		clear(c.begun)
		c.feedMu.Unlock()
		for channel := range begun {
			c.followAutomatic(ctx, channel)
		}
		for source, gone := range moved {
			if gone {
				c.sourceGone(source)
			}
			if known := c.facts(source); known != told[source] {
				told[source] = known
				c.sourceChanged(ctx, source)
			}
		}
	}
}

// tasks are those of the programs that run.
func (c *channels) tasks() []*task {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var tasks []*task
	for _, p := range c.byID {
		tasks = append(tasks, p.running)
	}
	return tasks
}

// start begins the runs of a program; the caller holds mu.
func (c *channels) start(p *program) {
	if c.ctx == nil || p.running != nil {
		return
	}
	p.running = begin(c.ctx, func(ctx context.Context) { c.keepRunning(ctx, p) })
}

// keepRunning starts a channel again whenever a run of it fails.
func (c *channels) keepRunning(ctx context.Context, p *program) {
	const firstPause, lastPause = time.Second, 30 * time.Second
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := c.runOnce(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			pause = firstPause
		}
		c.log.Error("channel ended", "channel", p.id, "err", err, "restartIn", pause)
		if err := c.clock.SleepUntil(ctx, c.clock.Now().Add(pause)); err != nil {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

func (c *channels) runOnce(ctx context.Context, p *program) error {
	run, err := c.newRun(p)
	c.mu.Lock()
	p.run, p.failure = run, err
	c.mu.Unlock()
	if err != nil {
		return err
	}
	p.meters.run(run.host)
	err = run.Run(ctx)
	p.meters.run(nil)
	c.sizes.set(run.ID, nil, c.tellSize)
	c.mu.Lock()
	p.run, p.failure = nil, err
	c.mu.Unlock()
	return err
}

func (c *channels) newRun(p *program) (*channel, error) {
	c.mu.RLock()
	document := p.stored.Value
	c.mu.RUnlock()
	rate, err := media.ParseRate(string(document.Canvas.Rate))
	if err != nil {
		return nil, err
	}
	config := c.base
	config.ID = document.Id
	config.Grid = cmaf.NewGrid(rate)
	if config.Store, err = c.openStore(p); err != nil {
		return nil, err
	}
	if err := c.base.Devices.admit(c.show(p)); err != nil {
		return nil, err
	}
	config.Reported = func(r worker.Report) {
		c.reported(p, r)
		c.size(p, r.Program, r.Preview)
	}
	earlier := newestStored(config.Store)
	config.Settle = func() { c.settleBefore(document.Id, earlier) }
	config.Found = func(f worker.Finding) { c.found(context.Background(), p, f) }
	config.OnAir = func() { c.onAir(document.Id) }
	config.Show = func() worker.Show { return c.show(p) }
	config.Feed = func(id string) feed {
		if f := c.sources.feed(id); f != nil {
			return f
		}
		return nil
	}
	return newChannel(config), nil
}

// show is what a worker of this program should do now.
func (c *channels) show(p *program) worker.Show {
	c.mu.RLock()
	document, onAir := p.stored.Value, p.onAir.Value
	c.mu.RUnlock()
	show, err := showOf(document, onAir, c.sources.document, c.facts)
	if err != nil { // every change is checked before it is stored
		c.log.Error("describe channel to its worker", "channel", document.Id, "err", err)
	}
	return show
}

// find is the program of an id.
func (c *channels) find(id string) (*program, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, ok := c.byID[id]
	if !ok {
		return nil, api.NotFound("channel", id)
	}
	return p, nil
}

// hold finds a channel and keeps everybody else from changing it until release
// is called.
func (c *channels) hold(id string) (p *program, release func(), err error) {
	if p, err = c.find(id); err != nil {
		return nil, nil, err
	}
	p.live.Lock()
	if now, err := c.find(id); err != nil || now != p {
		p.live.Unlock() // it was deleted while this waited
		return nil, nil, api.NotFound("channel", id)
	}
	return p, p.live.Unlock, nil
}

// usedBy names a channel that has the source.
func (c *channels) usedBy(source string) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id, p := range c.byID {
		if slices.Contains(p.stored.Value.Sources, source) {
			return id
		}
	}
	return ""
}

// sourceChanged puts a changed source on air wherever it is used.
func (c *channels) sourceChanged(ctx context.Context, source string) {
	c.mu.RLock()
	var users []*program
	for _, p := range c.byID {
		if p.run != nil && slices.Contains(p.stored.Value.Sources, source) {
			users = append(users, p)
		}
	}
	c.mu.RUnlock()
	for _, p := range users {
		if err := c.apply(ctx, p); err != nil {
			c.log.Error("apply changed source", "source", source, "channel", p.id, "err", err)
		}
	}
}

// sourceGone tells the workers that a source's publisher ended.
func (c *channels) sourceGone(source string) {
	for _, run := range c.running() {
		run.host.Gone(source)
	}
}

// apply tells a running program its present show. A worker that is being
// replaced starts with it anyway. A *worker.Refused says that the show lacks the
// scene on program.
func (c *channels) apply(ctx context.Context, p *program) error {
	c.mu.RLock()
	run := p.run
	c.mu.RUnlock()
	if run == nil {
		return nil
	}
	p.applying.Lock()
	frame, err := run.change(ctx, c.show(p))
	p.applying.Unlock()
	if err == nil {
		c.note(ctx, p, api.ShowEvent{Type: api.ShowEventTypeChange, Frame: frame})
	}
	var refused *worker.Refused
	switch {
	case errors.Is(err, worker.ErrNoWorker):
		return nil
	case errors.As(err, &refused) && refused.Ack.Code == worker.AckOnAir:
		return refused
	case errors.As(err, &refused): // it is stopping; the next one starts with the change
		c.log.Info("a worker did not take a change", "channel", p.id, "err", refused)
		return nil
	}
	return err
}
