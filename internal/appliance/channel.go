package appliance

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/child"
	"millrace/internal/events"
	"millrace/internal/media"
	"millrace/mixer/worker"
	"millrace/output/cmaf"
	"millrace/output/origin"
	"millrace/output/whep"
	"millrace/record"
)

// beginLead is how far ahead a timeline begins, so that the worker knows of it
// in time.
const beginLead = 200 * time.Millisecond

// workerMemory is the resident memory above which a worker is replaced: four
// times what four 1080p sources and their ladder take.
const workerMemory = 4 << 30

// What a worker holds that leaks, and is replaced in order: three quarters of that
// memory, or more pictures than a hundred sources have in hand.
const (
	workerLeaks    = workerMemory / 4 * 3
	workerPictures = 3000
)

// channelConfig is what one run of a channel is made of.
type channelConfig struct {
	ID           string
	Show         func() worker.Show // the present one; a new worker starts with it
	Grid         cmaf.Grid
	Store        *record.Store // the channel's own; it outlives the run
	ReserveBytes int64
	Volumes      []string // directories that hold the stores of all channels
	Devices      *devices
	Assets       *assets // the pictures that scenes and overlays name
	Clock        *media.Clock
	Worker       child.Command
	OnAir        func()                   // a run has begun; it does not wait
	Clips        string                   // directory of what exact clips have of their own
	Reencoder    record.Reencoder         // for the beginnings of exact clips
	Reported     func(worker.Report)      // called by one goroutine
	Settle       func()                   // what earlier runs found is over; called before Found
	Found        func(worker.Finding)     // called by one goroutine
	Feed         func(source string) feed // nil where there is none, as for test sources
	Origin       *origin.Handler
	Viewers      *whep.Server // nil where WebRTC is off
	Bus          *events.Bus
	Log          *slog.Logger
}

// feed is a source's packets: what the GOP cache holds, then live.
type feed interface {
	Subscribe(media.Sink) (cancel func())
}

// channel is one run of a channel, from its feeds to its playlists:
//
//	feeds -> worker host -> program -> packager -> store -> origin
type channel struct {
	channelConfig
	reports  *reporting
	findings *findings
	store    *record.Store
	host     *worker.Host
	program  fanOut                       // every packet of every rendition
	worker   atomic.Pointer[worker.Ready] // of the newest worker; nil before the first

	encoder  worker.EncoderInfo     // of the first worker
	fallback atomic.Pointer[string] // why another encoder is in use; nil while the first is

	onAir     atomic.Int64 // the Time at which the timeline began; 0 before
	unpackage func()       // takes the packager out of program
	viewing   *viewing     // nil where WebRTC is off
	stages    stages

	mu    sync.Mutex
	feeds map[string]func() // cancel of the subscription, by source
	over  bool              // no more subscriptions
}

// newChannel makes a run over the channel's store.
func newChannel(config channelConfig) *channel {
	c := &channel{channelConfig: config, reports: newReporting(), findings: newFindings(config.Log.With("channel", config.ID)), store: config.Store, unpackage: func() {}, feeds: map[string]func(){}}
	c.host = worker.NewHost(worker.Config{
		Channel: config.ID, Show: config.Show, Clock: config.Clock, Rate: config.Grid.Rate, GOPFrames: config.Grid.GOPFrames(),
		Place: func() worker.Place { return config.Devices.place(config.Show()) }, OnFault: func(f worker.Fault) { config.Devices.failed(config.ID, f) },
		Command: config.Worker, MemoryLimit: workerMemory, RecycleMemory: workerLeaks, RecyclePictures: workerPictures,
		Picture: config.Assets.Picture, OnReady: c.beginProgram, OnWorker: c.connectFeeds, OnReport: c.reports.put, OnFinding: c.findings.put, Log: config.Log,
	})
	if config.Viewers != nil {
		c.viewing = &viewing{
			server: config.Viewers, channel: config.ID, packets: &c.program, requestKey: c.host.RequestKey, sent: &c.stages.sent, multiview: c.host.Multiview,
			log: config.Log, shown: map[string]func(){},
		}
	}
	return c
}

// Run mixes, packages, stores and serves until the context ends, then stops in
// the order of the data.
func (c *channel) Run(ctx context.Context) error {
	storing := begin(context.WithoutCancel(ctx), func(ctx context.Context) {
		if err := c.store.Run(ctx); err != nil {
			c.Log.Error("store channel", "channel", c.ID, "err", err)
		}
	})
	if c.viewing != nil {
		c.viewing.ctx = ctx
		defer c.viewing.end()
	}
	listing := begin(ctx, func(ctx context.Context) { c.stages.watch(ctx, c.store, c.Clock) })
	defer listing.stop()
	looking := begin(ctx, func(ctx context.Context) { c.reports.run(ctx, c.Reported) })
	defer looking.stop()
	noting := begin(ctx, func(ctx context.Context) { c.Settle(); c.findings.run(ctx, c.Found) })
	defer noting.stop()
	err := c.host.Run(ctx)
	c.disconnectFeeds()
	c.Origin.Add(c.ID, origin.Channel{Store: c.store, Off: true})
	storing.stop()
	return err
}

// beginProgram is called once, with what the first worker will encode: it makes
// the way from packets to playlists and gives its beginning, and the frame at
// which the timeline begins: that of the first segment that the store leaves
// free.
func (c *channel) beginProgram(renditions []worker.Rendition) (media.Sink, int64, error) {
	var stored []*cmaf.Rendition
	for _, r := range renditions {
		if !packaged(r.Track) {
			continue
		}
		made, err := cmaf.NewRendition(c.Grid, r.ID, r.Track, r.Bitrate)
		if err != nil {
			return nil, 0, err
		}
		stored = append(stored, made)
	}
	if err := c.store.SetLayout(record.Layout{Grid: c.Grid, Renditions: stored}); err != nil {
		return nil, 0, err
	}
	packager := cmaf.NewPackager(stored, c.store.Append)
	packager.Faults = func(f cmaf.Fault) {
		c.Log.Error("packets of a rendition break off", "channel", c.ID, "rendition", f.Rendition, "unit", f.Unit, "missing", f.Missing, "reason", f.Reason)
	}
	c.unpackage() // what a worker began that could not go on
	c.unpackage = c.program.add(packager, packaged)
	c.Origin.Add(c.ID, origin.Channel{Store: c.store, Withdrawn: c.withdrawn})
	if c.viewing != nil {
		c.viewing.begin(renditions)
	}
	c.OnAir()
	first := c.store.NextSegment(c.Clock.Now().Add(beginLead), c.Grid)
	c.onAir.Store(int64(c.Grid.SegmentTime(first)))
	return &c.program, c.Grid.SegmentStart(first), nil
}

// withdrawn says why the present worker does not encode a rung; empty when it does.
func (c *channel) withdrawn(rung string) string {
	ready := c.worker.Load()
	if ready == nil {
		return ""
	}
	return ready.Encoder.Withdrawn[rung]
}

// packaged says which renditions are stored and served as CMAF: all but Opus,
// which is for those who watch by WebRTC.
func packaged(t *media.Track) bool { return t.Codec != media.Opus }

// connectFeeds gives a new worker the packets of every source, beginning with
// the last keyframe.
func (c *channel) connectFeeds(ready *worker.Ready) {
	if why := c.Devices.reason(c.ID); why != "" {
		ready.Encoder.Reason = why
	}
	c.tellEncoder(c.worker.Swap(ready), ready)
	if c.viewing != nil {
		c.viewing.offerMultiview(ready.Multiview)
	}
	c.subscribe()
}

// subscribe connects the sources of the present show to the present worker.
func (c *channel) subscribe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	for _, cancel := range c.feeds {
		cancel()
	}
	clear(c.feeds)
	var returns []string
	for _, s := range c.Show().Sources {
		if feed := c.Feed(s.ID); feed != nil {
			c.feeds[s.ID] = feed.Subscribe(c.host.Input(s.ID))
		}
		if s.Return {
			returns = append(returns, s.ID)
		}
	}
	if c.viewing != nil {
		c.viewing.returns(returns)
	}
}

func (c *channel) disconnectFeeds() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for _, cancel := range c.feeds {
		cancel()
	}
	clear(c.feeds)
}

// change puts a changed show on air at a tick, without a break, and gives the tick.
func (c *channel) change(ctx context.Context, show worker.Show) (frame int64, err error) {
	ack, err := c.host.Do(context.WithoutCancel(ctx), worker.Command{Show: &show})
	// Whatever the answer: the worker has the show, or starts with it.
	c.subscribe()
	if err != nil {
		return 0, fmt.Errorf("change channel %q: %w", c.ID, err)
	}
	return ack.Frame, nil
}
