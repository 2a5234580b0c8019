// Package appliance is the wiring: it reads the configuration, holds the
// registry of sources and channels, connects each channel end to end and
// supervises what runs. It is the one package that sees every stage.
package appliance

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"millrace/api"
	"millrace/api/web"
	"millrace/ingest"
	"millrace/ingest/rtmp"
	"millrace/internal/appliance/config"
	"millrace/internal/child"
	"millrace/internal/egress"
	"millrace/internal/events"
	"millrace/internal/media"
	"millrace/internal/state"
	"millrace/output/origin"
)

// Options are what the command line says beside the configuration.
type Options struct {
	Version  string
	NoDemo   bool
	ShowKeys bool      // in the start-up block, also after the first start
	Out      io.Writer // gets the start-up block
	Log      *slog.Logger
}

// Node is one appliance.
type Node struct {
	config    config.Config
	options   Options
	log       *slog.Logger
	clock     *media.Clock
	ahead     media.Time // where the timeline began, when that was not the system's time
	startedAt time.Time

	*access
	*auditLog
	*memory
	*alarms
	*assets
	*webhooks
	*sources
	*channels

	devices    *devices
	importing  sync.Mutex // one import at a time
	state      *state.Embedded
	store      state.Store // the state, with the bus listening
	bus        *events.Bus
	listeners  *listeners
	thumbnails *thumbnails
	figures    figureLog
	origin     *origin.Handler
	rtmp       *rtmp.Server // nil when it is off
	srt        *srtIngest   // nil when it is off
	webrtc     *webrtc      // nil when it is off
	handler    *api.Server  // of the control listener
	local      *api.Server  // of the local socket: the node's owner may do everything
	media      http.Handler
	first      *firstStart // nil after the first start
}

var _ api.Backend = (*Node)(nil)

// Open prepares a node: directories, state, sockets. Nothing runs before Run.
func Open(ctx context.Context, cfg config.Config, options Options) (*Node, error) {
	n := &Node{config: cfg, options: options, log: options.Log, startedAt: time.Now()}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Node) open(ctx context.Context) error {
	broken, err := prepareDirectories(n.config)
	if err != nil {
		return err
	}
	for _, err := range broken {
		n.log.Error("a volume cannot be used: what it holds is missing", "err", err)
	}
	if n.devices, err = openDevices(ctx, n.config.GPU, n.log); err != nil {
		return err
	}
	if n.state, err = state.OpenEmbedded(ctx, filepath.Join(n.config.Node.DataDir, "state")); err != nil {
		return err
	}
	if err := n.startClock(ctx); err != nil {
		return err
	}
	if n.listeners, err = bind(n.config); err != nil {
		return err
	}
	for _, check := range checkVolumes(n.config) {
		if check.Result != "ok" {
			n.log.Warn("storage", "found", check.Detail, "hint", check.Hint)
		}
	}
	if err := n.listeners.secure(n.config, n.log); err != nil {
		return err
	}
	if err := n.openRegistry(ctx); err != nil {
		return err
	}
	if n.first, err = n.setUpFirstStart(ctx, !n.options.NoDemo); err != nil {
		return err
	}
	n.openIngest()
	return n.openHTTP()
}

func (n *Node) openRegistry(ctx context.Context) error {
	vault, err := openVault(n.config.Node.DataDir)
	if err != nil {
		return err
	}
	n.bus = events.NewBus(n.timelineNow, n.log)
	n.store = observed{n.state, n.bus}
	if n.access, err = openAccess(ctx, n.store); err != nil {
		return err
	}
	if n.auditLog, err = openAudit(ctx, n.store, n.timelineNow, n.log); err != nil {
		return err
	}
	if n.memory, err = openMemory(ctx, n.store, vault); err != nil {
		return err
	}
	if n.alarms, err = openAlarms(ctx, n.store, n.bus, n.timelineNow, n.log); err != nil {
		return err
	}
	if n.assets, err = openAssets(ctx, n.store, n.config.Node.DataDir, n.log); err != nil {
		return err
	}
	if n.webhooks, err = openWebhooks(ctx, n.store, webhookConfig{
		Vault: vault, Bus: n.bus, Now: n.timelineNow, AllowPrivate: n.config.Egress.AllowPrivate, Version: n.options.Version, Log: n.log,
	}); err != nil {
		return err
	}
	if n.sources, err = openSources(ctx, n.store, vault, n.clock, n.bus, egress.Dialer(n.config.Egress.AllowPrivate), n.log); err != nil {
		return err
	}
	clipEncoder := reencoder{child.Command{Args: []string{"clip-encoder"}, Stderr: n.childLine("clip-encoder")}}
	n.thumbnails = newThumbnails(clipEncoder.draw)
	n.origin = origin.New(origin.Config{
		Draw:  clipEncoder.draw,
		Clock: n.clock, Log: n.log,
		Expected:  func(id string) bool { return n.channels.expected(id) },
		Recording: func(id string) (origin.Recording, bool) { return n.channels.recording(id) },
		Clip:      func(id string) (origin.Clip, bool) { return n.channels.clip(id) },
	})
	if n.webrtc, err = n.openWebRTC(); err != nil {
		return err
	}
	n.channels, err = openChannels(ctx, n.store, n.sources, channelConfig{
		Viewers: n.webrtc.viewers(), Bus: n.bus, Devices: n.devices, Assets: n.assets,
		Volumes: n.config.Storage.Volumes, ReserveBytes: n.config.Storage.ReserveBytes,
		Clock: n.clock, Origin: n.origin, Log: n.log,
		Worker:    child.Command{Args: []string{"worker"}, Env: n.devices.environment(), Stderr: n.childLine("worker")},
		Clips:     filepath.Join(n.config.Node.DataDir, "clips"),
		Reencoder: clipEncoder,
	})
	if err != nil {
		return err
	}
	n.assets.uses, n.assets.naming = n.channels.assetUses, &n.channels.naming
	n.sources.asset = n.assets.fault
	n.sources.open = n.assets.openClip
	n.sources.addresses = n.addresses
	n.sources.viewers = n.webrtc.viewers()
	n.sources.usedBy, n.sources.naming = n.channels.usedBy, &n.channels.naming
	n.sources.changed = func(ctx context.Context, id string) {
		n.srt.setSources()
		n.channels.sourceChanged(ctx, id)
	}
	n.sources.moved = func(id string, state ingest.State) {
		n.srt.setBusy(id, state)
		n.channels.feedMoved(id, state == ingest.Idle || state == ingest.Lost)
	}
	return nil
}

// childLine logs what a child process writes to its standard error.
func (n *Node) childLine(process string) func(string) {
	return func(line string) { n.log.Info(line, "process", process) }
}

func (n *Node) openHTTP() error {
	cfg := api.Config{
		Backend: n, Events: n.bus, Now: n.timelineNow, Metrics: n.metrics(), Ready: n.Ready, Pages: web.Control(),
		Open: n.config.Auth.Mode == "off", Secure: n.config.Control.TLS.Mode != "off", Log: n.log,
	}
	var err error
	if n.handler, err = api.New(cfg); err != nil {
		return err
	}
	cfg.Open, cfg.Local = true, true
	if n.local, err = api.New(cfg); err != nil {
		return err
	}
	n.media = n.mediaHandler(web.Watch(), &guests{node: n, pages: web.Guest()})
	return nil
}

// mediaHandler is what the media listener answers. It is no http.ServeMux:
// that redirects paths, and nothing of the origin ever redirects.
func (n *Node) mediaHandler(pages, guests http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/watch/"), strings.HasPrefix(path, "/assets/"):
			pages.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/g/"):
			guests.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/whip/") && n.webrtc != nil:
			n.webrtc.whip.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/whep/") && n.webrtc != nil:
			n.webrtc.whep.ServeHTTP(w, r)
		default:
			n.origin.ServeHTTP(w, r)
		}
	})
}

// Run is the node on air, until the context ends. It stops in the order of the
// data: publishers, channels, then who reads.
func (n *Node) Run(ctx context.Context) error {
	n.announce()
	readers, endReaders := context.WithCancel(context.WithoutCancel(ctx))
	defer endReaders()
	var failures []error
	var failed sync.Mutex
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run := func(group *sync.WaitGroup, ctx context.Context, part func(context.Context) error) {
		group.Go(func() {
			err := part(ctx)
			if err == nil && ctx.Err() == nil {
				err = errors.New("a part of the node ended unasked")
			}
			if err != nil {
				failed.Lock()
				failures = append(failures, err)
				failed.Unlock()
				cancel()
			}
		})
	}
	var serving, working sync.WaitGroup
	run(&serving, readers, n.serveControl)
	run(&serving, readers, n.serveLocal)
	run(&serving, readers, n.serveMedia)
	run(&working, ctx, n.sources.Run)
	run(&working, ctx, n.channels.Run)
	if n.rtmp != nil {
		run(&working, ctx, n.rtmp.Run)
	}
	if n.srt != nil {
		run(&working, ctx, n.srt.Run)
	}
	if n.webrtc != nil {
		run(&working, ctx, n.webrtc.Run)
	}
	run(&working, ctx, n.watchClock)
	run(&working, ctx, n.devices.Run)
	run(&working, ctx, n.channels.tellConditions)
	run(&working, ctx, n.watchAlarms)
	run(&working, ctx, n.keepFigures)
	run(&working, ctx, func(ctx context.Context) error { return n.notify(ctx, newNotifier(os.Getenv), n.alive) })
	run(&working, ctx, n.webhooks.Run)
	run(&serving, readers, n.auditLog.Run)
	working.Wait()
	endReaders()
	serving.Wait()
	return errors.Join(failures...)
}

func (n *Node) serveControl(ctx context.Context) error {
	return serveHTTP(ctx, n.listeners.control, controlServer(n.controlHandler(), n.log))
}

func (n *Node) serveMedia(ctx context.Context) error {
	return serveHTTP(ctx, n.listeners.media, origin.NewServer(paced(n.media), n.log))
}

// Close frees what Open took. Run must have returned.
func (n *Node) Close() error {
	if n.listeners != nil {
		n.listeners.close()
	}
	var errs []error
	if n.channels != nil {
		errs = append(errs, n.channels.maker.close())
	}
	if n.state != nil {
		errs = append(errs, n.state.Close())
	}
	return errors.Join(errs...)
}

func (n *Node) timelineNow() time.Time { return n.clock.Now().UTC() }

// Ready says what keeps the node from doing its work: nil when nothing does.
func (n *Node) Ready() error { return n.channels.ready() }

// The parts of api.Backend.
func (n *Node) System() api.System             { return n.system() }
func (n *Node) Capabilities() api.Capabilities { return n.capabilities() }

// Figures are those of the last hour that are newer than since, oldest first.
func (n *Node) Figures(since time.Time) []api.Figures { return n.figures.since(since) }
