package srt

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"millrace/ingest"
	"millrace/internal/srt"
)

// Config is what a Listener is made of.
type Config struct {
	Listen    string // address and UDP port
	LatencyMs int    // least receiver latency; 0: 120 ms

	// Accept gives the session of a publisher whose key the srt process has
	// found right, or one of ingest's refusals. It is called from many
	// goroutines and must not wait.
	Accept func(Request) (ingest.Session, error)

	OnListening func(address string, err error) // srt.ClientConfig.OnListening

	MaxConnections int // default 1000
	Log            *slog.Logger
}

// Request is a publisher that was let in.
type Request struct {
	Source string
	Remote string // address and port
}

// Source says who may publish to one source.
type Source struct {
	ID         string
	Keys       []string // any of them
	Passphrase string   // 10 to 80 characters; empty: the stream is not encrypted
	Forbidden  bool     // it is no push source
}

const (
	defaultLatencyMs      = 120
	defaultMaxConnections = 1000
	stallTimeout          = 6 * time.Second // without usable media; the name is free within 8 s
)

// Listener is SRT ingest. Its methods may be called from any goroutine.
type Listener struct {
	config Config
	client *srt.Client

	mu      sync.Mutex
	entries []srt.Entry // never written once it is in a table
	busy    map[string]bool
	down    bool
	conns   map[*connection]struct{}
}

// New is a listener that does nothing before Serve, and lets nobody in before
// SetSources.
func New(config Config) *Listener {
	if config.LatencyMs == 0 {
		config.LatencyMs = defaultLatencyMs
	}
	if config.MaxConnections == 0 {
		config.MaxConnections = defaultMaxConnections
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	l := &Listener{config: config, busy: map[string]bool{}, conns: map[*connection]struct{}{}}
	l.client = srt.NewClient(srt.ClientConfig{
		Config:      srt.Config{Listen: config.Listen, LatencyMs: config.LatencyMs},
		Handle:      l.handle,
		OnListening: config.OnListening,
		Log:         config.Log,
	})
	return l
}

// Serve talks to one srt process until it ends; its sessions are then closed.
// The next process is told everything again.
func (l *Listener) Serve(ctx context.Context, frames srt.Frames) error {
	return l.client.Serve(ctx, frames)
}

// SetSources replaces who may publish. Publishers that are connected stay.
func (l *Listener) SetSources(sources []Source) {
	entries := make([]srt.Entry, len(sources))
	for i, s := range sources {
		entries[i] = srt.Entry{Source: s.ID, Passphrase: s.Passphrase, Forbidden: s.Forbidden}
		for _, key := range s.Keys {
			entries[i].Keys = append(entries[i].Keys, srt.HashKey(key))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = entries
	l.push()
}

// SetBusy says whether a source has a publisher that keeps others out, over
// whatever protocol.
func (l *Listener) SetBusy(source string, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[source] == busy {
		return
	}
	if busy {
		l.busy[source] = true
	} else {
		delete(l.busy, source)
	}
	l.push()
}

// SetDown lets nobody new in, or lets them in again.
func (l *Listener) SetDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	l.push()
}

// push sends the table as it stands; l is locked.
func (l *Listener) push() {
	entries := slices.Clone(l.entries)
	for i := range entries {
		entries[i].Busy = l.busy[entries[i].Source]
	}
	l.client.SetTable(srt.Table{Entries: entries, Connections: l.config.MaxConnections, Down: l.down})
}

// Status is one publisher that is connected.
type Status struct {
	Source, Remote string
	Link           srt.Stats
	Overrun        uint64 // bytes dropped because the server was too slow
}

// Connections are the publishers of this moment.
func (l *Listener) Connections() []Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Status, 0, len(l.conns))
	for c := range l.conns {
		list = append(list, Status{c.conn.Source(), c.conn.Remote(), c.conn.Stats(), c.conn.Dropped()})
	}
	slices.SortFunc(list, func(a, b Status) int { return compare(a, b) })
	return list
}

func (l *Listener) add(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = struct{}{}
}

func (l *Listener) remove(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}
