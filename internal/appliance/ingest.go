package appliance

import (
	"context"
	"sync"

	"millrace/api"
	"millrace/ingest"
	"millrace/ingest/rtmp"
	"millrace/ingest/srt"
	"millrace/internal/appliance/config"
	"millrace/internal/child"
)

// srtIngest is the SRT listener and the process that it lives in.
type srtIngest struct {
	listener   *srt.Listener
	supervisor *child.Supervisor
	sources    *sources
	setting    sync.Mutex
}

// openIngest makes the servers that publishers connect to.
func (n *Node) openIngest() {
	if n.listeners.rtmp != nil {
		n.rtmp = rtmp.New(rtmp.Config{
			Listener: n.listeners.rtmp, Log: n.log,
			Accept: func(r rtmp.Request) (ingest.Session, error) {
				return n.sources.publish(r.Source, r.Key, "rtmp", r.Remote.String())
			},
		})
	}
	if n.listeners.srt == "" {
		return
	}
	listener := srt.New(srt.Config{
		Listen: n.listeners.srt, Log: n.log,
		Accept: func(r srt.Request) (ingest.Session, error) {
			return n.sources.connect(r.Source, "srt", r.Remote)
		},
	})
	n.srt = &srtIngest{listener: listener, sources: n.sources, supervisor: &child.Supervisor{
		Command: child.Command{Args: []string{"srt"}, Stderr: n.childLine("srt")},
		Serve: func(ctx context.Context, _ *child.Process, conn *child.Conn) error {
			return listener.Serve(ctx, conn)
		},
		Grace: config.ShutdownGrace / 2, Log: n.log.With("process", "srt"),
	}}
	n.srt.setSources()
	n.sources.link = n.srt.link
}

// link fills in the figures of a source's SRT connection.
func (s *srtIngest) link(id string, stats *api.SourceStats) {
	for _, connection := range s.listener.Connections() {
		if connection.Source != id {
			continue
		}
		figures := connection.Link
		stats.Srt.RttMs, stats.Srt.LatencyMs = figures.RTTMs, figures.BufferMs
		stats.Srt.Lost, stats.Srt.Dropped = figures.Lost, figures.Dropped
	}
}

// Run keeps the srt process running until the context ends.
func (s *srtIngest) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.listener.SetDown(true) })
	defer stop()
	return s.supervisor.Run(ctx)
}

// setSources tells the srt process who may publish. A nil receiver is SRT
// being off.
func (s *srtIngest) setSources() {
	if s == nil {
		return
	}
	s.setting.Lock() // an older table never replaces a newer one
	defer s.setting.Unlock()
	s.listener.SetSources(s.sources.srtSources())
}

// setBusy tells it whether a source has a publisher that keeps others out.
func (s *srtIngest) setBusy(id string, state ingest.State) {
	if s != nil {
		s.listener.SetBusy(id, state == ingest.Connecting || state == ingest.Live || state == ingest.Degraded)
	}
}

// srtSources is the table of who may publish over SRT.
func (s *sources) srtSources() []srt.Source {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]srt.Source, 0, len(s.byID))
	for id, entry := range s.byID {
		list = append(list, srt.Source{
			ID: id, Keys: []string{entry.key}, Passphrase: entry.passphrase, Forbidden: entry.stored.Value.Kind != api.SourceKindPush,
		})
	}
	return list
}
