package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"millrace/api"
	"millrace/ingest"
	"millrace/ingest/clip"
	"millrace/ingest/pull"
	"millrace/internal/events"
	"millrace/internal/media"
	"millrace/internal/state"
	"millrace/output/whep"
)

// storedSource is a source as it is stored: its secrets sealed.
type storedSource struct {
	api.Source              // without secrets
	SealedKey        []byte `json:"sealedKey"`
	SealedPassphrase []byte `json:"sealedPassphrase,omitempty"`
	SealedURL        []byte `json:"sealedUrl,omitempty"`
}

// source is one source that exists: its document and, for a push source, what
// arrives of it.
type source struct {
	stored     api.Stored[storedSource]
	key        string
	passphrase string
	feed       *ingest.Source // nil where there are no packets: of a still or test source
	player     *clip.Player   // of a file source
	puller     *pull.Puller   // of a pull source
	url        string         // of a pull source, whole
	onAir      bool           // the player was told that it is on program
	running    *task
}

// errKicked is why an operator's kick ends a feed.
var errKicked = errors.New("ended by an operator")

// errDeleted is why a deleted source ends its feed.
var errDeleted = errors.New("the source was deleted")

// sources keeps the inputs of the node. It implements api.Sources.
type sources struct {
	store state.Store
	vault *vault
	clock *media.Clock
	bus   *events.Bus
	log   *slog.Logger
	// addresses says where publishers connect, with the source's key in it.
	addresses func(id, key string) api.IngestAddresses
	// link fills in what the protocol knows of a source's network; nil: nothing.
	link func(id string, stats *api.SourceStats)
	// viewers may watch sources over WebRTC; nil where it is off.
	viewers *whep.Server
	// asset says why there is no such asset of a kind; "" where there is.
	asset func(id string, kind api.AssetKind) string
	// dialer judges the addresses that feeds are pulled from.
	dialer *net.Dialer
	// open opens a clip.
	open func(asset string) (clip.Reader, error)
	// usedBy names a channel that has the source, or ""; naming keeps it so.
	usedBy func(id string) string
	naming sync.Locker
	// changed is told after a source was made, changed or deleted; moved after
	// its feed changed state, and must not wait.
	changed func(ctx context.Context, id string)
	moved   func(id string, state ingest.State)

	writing sync.Mutex // serialises changes of documents; before mu, which is never held while the disk is waited for

	mu    sync.RWMutex
	byID  map[string]*source
	byKey map[string]string // key hash -> source id
	ctx   context.Context   // of Run; nil before
}

func openSources(ctx context.Context, store state.Store, vault *vault, clock *media.Clock, bus *events.Bus, dialer *net.Dialer, log *slog.Logger) (*sources, error) {
	documents, err := loadAll[storedSource](ctx, store, kindSource)
	if err != nil {
		return nil, err
	}
	s := &sources{store: store, vault: vault, clock: clock, bus: bus, dialer: dialer, log: log, byID: map[string]*source{}, byKey: map[string]string{}}
	for id, document := range documents {
		document.Value.Clock = cmp.Or(document.Value.Clock, api.SourceClockArrival) // one of a version before
		entry := &source{stored: document}
		if entry.key, err = vault.opened(document.Value.SealedKey, "key of "+id); err != nil {
			return nil, err
		}
		if entry.passphrase, err = vault.opened(document.Value.SealedPassphrase, "passphrase of "+id); err != nil {
			return nil, err
		}
		if entry.url, err = vault.opened(document.Value.SealedURL, "url of "+id); err != nil {
			return nil, err
		}
		s.add(entry)
	}
	return s, nil
}

// add enters a source; the caller holds mu or is alone.
func (s *sources) add(entry *source) {
	document := entry.stored.Value
	switch document.Kind {
	case api.SourceKindPush, api.SourceKindPull, api.SourceKindFile:
		entry.feed = ingest.NewSource(ingest.SourceConfig{
			ID: document.Id, Latency: time.Duration(document.LatencyMs) * time.Millisecond, Clock: s.clock, Log: s.log,
			SenderClock: document.Clock == api.SourceClockSender,
			OnState: func(shot ingest.Snapshot) {
				tellSource(s.bus, shot)
				s.moved(document.Id, shot.State)
			},
		})
		switch document.Kind {
		case api.SourceKindFile:
			entry.player = s.newPlayer(entry.feed)
		case api.SourceKindPull:
			entry.puller = s.newPuller(entry)
		}
		if s.ctx != nil {
			s.watch(entry)
		}
	}
	s.byID[document.Id] = entry
	s.byKey[hashKey(entry.key)] = document.Id
}

// Run watches over the feeds until the context ends.
func (s *sources) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	for _, entry := range s.byID {
		if entry.feed != nil {
			s.watch(entry)
		}
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.RLock()
	var running []*task
	for _, entry := range s.byID {
		running = append(running, entry.running)
	}
	s.mu.RUnlock() // a feed that ends tells the channels, which ask for sources
	for _, feed := range running {
		feed.stop()
	}
	return nil
}

// authorize judges a publisher by its key alone; id, when given, must be the key's.
func (s *sources) authorize(id, key string) error {
	_, err := s.owner(id, key)
	return err
}

// owner is the push source that a key belongs to.
func (s *sources) owner(id, key string) (*source, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	owner, ok := s.byKey[hashKey(key)]
	_, known := s.byID[id]
	switch {
	case id != "" && !known:
		return nil, fmt.Errorf("%w: %q", ingest.ErrUnknownSource, id)
	case !ok, id != "" && owner != id:
		return nil, ingest.ErrBadKey
	case s.byID[owner].stored.Value.Kind != api.SourceKindPush:
		return nil, fmt.Errorf("%w: %q is not a push source", ingest.ErrForbidden, owner)
	}
	return s.byID[owner], nil
}

// publish lets a publisher in by its key.
func (s *sources) publish(id, key, protocol, remote string) (ingest.Session, error) {
	entry, err := s.owner(id, key)
	if err != nil {
		return nil, err
	}
	if protocol == protocolWHIP {
		return entry.feed.ConnectInteractive(protocol, remote)
	}
	return entry.feed.Connect(protocol, remote)
}

// connect lets in a publisher whose key was judged already.
func (s *sources) connect(id, protocol, remote string) (ingest.Session, error) {
	feed := s.feed(id)
	if feed == nil {
		return nil, fmt.Errorf("%w: %q", ingest.ErrUnknownSource, id)
	}
	return feed.Connect(protocol, remote)
}

// feed is the live side of a push source, or nil.
func (s *sources) feed(id string) *ingest.Source {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if entry := s.byID[id]; entry != nil {
		return entry.feed
	}
	return nil
}

// guest says that a source's publisher is there by WebRTC: somebody who watches
// and listens while speaking.
func (s *sources) guest(id string) bool {
	feed := s.feed(id)
	if feed == nil {
		return false
	}
	shot := feed.State()
	return shot.Kind == protocolWHIP && shot.State != ingest.Idle && shot.State != ingest.Lost
}

// document is the stored side of a source.
func (s *sources) document(id string) (api.Source, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry, ok := s.byID[id]
	if !ok {
		return api.Source{}, false
	}
	return entry.stored.Value.Source, true
}
