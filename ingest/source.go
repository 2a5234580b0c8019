package ingest

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/delay"
	"millrace/internal/media"
)

const (
	lostAfter  = 2 * time.Second
	watchEvery = 250 * time.Millisecond
)

// SourceConfig is what a source is made of.
type SourceConfig struct {
	ID      string
	Latency time.Duration // from the arrival of the least delayed packet to its presentation
	Clock   *media.Clock
	// SenderClock counts the latency from the capture of packets, where publishers
	// tell when that was.
	SenderClock bool
	// OnState is told of every change of the state, in order, outside of all
	// locks; nil: nobody listens.
	OnState func(Snapshot)
	Log     *slog.Logger
}

// Source is one feed: at most one publisher at a time, its Timeline and GOP
// cache, and everyone who wants its packets. All methods may be called from
// any goroutine; a sink's Write is called with the source locked, so it must
// not call back.
type Source struct {
	config SourceConfig

	mu       sync.Mutex
	sinks    []*subscription
	timeline *Timeline
	cache    GOPCache
	session  *session // nil: nobody publishes
	joining  joining
	health   health
	down     bool
	wanted   atomic.Pointer[Size]
	assembly delay.Window // from a picture's first packet to the picture

	tell sync.Mutex // orders OnState; taken without mu
	told State
}

type subscription struct{ sink media.Sink }

// NewSource is an idle source; Run watches over it.
func NewSource(config SourceConfig) *Source {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{
		config:   config,
		timeline: NewTimeline(config.Latency),
		health:   health{state: Idle},
		told:     Idle,
	}
}

// ID is the source's name.
func (s *Source) ID() string { return s.config.ID }

// Run notices silence and measures rates until the context ends; then it ends
// the publisher with ErrDown and takes no other.
func (s *Source) Run(ctx context.Context) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.down = true
			s.mu.Unlock()
			s.Kick(ErrDown)
			return nil
		case <-ticker.C:
			s.mu.Lock()
			now := s.config.Clock.Now()
			s.joined(now)
			s.health.watch(now)
			s.mu.Unlock()
			s.report()
		}
	}
}

// Connect lets a publisher in. kind is its protocol ("rtmp"), remote its
// address. ErrBusy: there is one already, and it is not silent; one that has
// been lost for 2 s gives way, so that an encoder that comes back after a
// broken network is not refused by its own ghost.
func (s *Source) Connect(kind, remote string) (Session, error) {
	return s.connect(kind, remote, false, false)
}

// ConnectPlaced is Connect for a feed of our own, whose access units have the
// times at which they are shown, since the timeline's epoch. When it ends, what
// it gave last stays for those who subscribe later.
func (s *Source) ConnectPlaced(kind, remote string) (Session, error) {
	return s.connect(kind, remote, false, true)
}

// ConnectInteractive is Connect for somebody in a conversation: packets wait
// as long as the network asks for, and no longer; SourceConfig.Latency is the
// most.
func (s *Source) ConnectInteractive(kind, remote string) (Session, error) {
	return s.connect(kind, remote, true, false)
}

func (s *Source) connect(kind, remote string, interactive, placed bool) (Session, error) {
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		return nil, ErrDown
	}
	if s.session != nil && s.health.state != Lost {
		s.mu.Unlock()
		return nil, ErrBusy
	}
	ghost := s.session
	if ghost != nil {
		ghost.revoke(ErrBusy)
	}
	c := &session{source: s, placed: placed, revoked: make(chan struct{})}
	s.session = c
	s.timeline.Restart()
	s.timeline.Adapt(interactive && !s.config.SenderClock)
	s.timeline.FollowSender(s.config.SenderClock)
	s.joining = joining{}
	s.cache.Clear()
	s.health.connect(kind, remote, s.config.Clock.Now())
	s.mu.Unlock()
	s.config.Log.Info("publisher connected", "source", s.config.ID, "kind", kind, "remote", remote, "takeover", ghost != nil)
	s.report()
	return c, nil
}

// Subscribe gives the sink what the GOP cache holds and then every packet as
// it comes, none lost or doubled between. After cancel has returned the sink
// is written to no more.
func (s *Source) Subscribe(sink media.Sink) (cancel func()) {
	sub := &subscription{sink}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.cache.packets {
		sink.Write(p)
	}
	s.sinks = append(s.sinks, sub)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sinks = slices.DeleteFunc(s.sinks, func(other *subscription) bool { return other == sub })
	}
}

// State is the source at this instant.
func (s *Source) State() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot()
}

// Assembly is how long pictures took in the last 10 s from their first packet
// until they were whole; zero where the protocol does not tell.
func (s *Source) Assembly() delay.Spread { return s.assembly.Spread(s.config.Clock.Now()) }

func (s *Source) snapshot() Snapshot {
	shot := s.health.snapshot()
	shot.Source = s.config.ID
	shot.Timeline = s.timeline.Stats()
	return shot
}

// SetLatency changes when later packets are shown.
func (s *Source) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timeline.SetLatency(d)
}

// SetSenderClock changes SourceConfig.SenderClock for the next publisher.
func (s *Source) SetSenderClock(wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config.SenderClock = wanted
}

// SetWanted says how large the source is shown, for publishers that send more
// than one size.
func (s *Source) SetWanted(size Size) { s.wanted.Store(&size) }

// RequestKey asks the publisher for a keyframe; false: there is none, or none
// that makes keyframes when asked.
func (s *Source) RequestKey() bool {
	s.mu.Lock()
	c := s.session
	s.mu.Unlock()
	if c == nil || !c.asked.Load() {
		return false
	}
	c.key.Store(true)
	return true
}

// Kick ends the publisher, if there is one; its protocol closes the
// connection, saying the reason.
func (s *Source) Kick(reason error) {
	s.mu.Lock()
	c := s.session
	if c != nil {
		c.revoke(reason)
		s.end(nil)
	}
	s.mu.Unlock()
	if c != nil {
		s.config.Log.Info("publisher ended by us", "source", s.config.ID, "err", reason)
		s.report()
	}
}

// placed says of the publisher that its times are the timeline's.
func (s *Source) placed() bool { return s.session != nil && s.session.placed }

// Fail says that the source cannot work until it is changed, and why.
func (s *Source) Fail(reason error) {
	s.Kick(reason)
	s.mu.Lock()
	s.health.state, s.health.reason = Failed, reason
	s.mu.Unlock()
	s.report()
}

// Lose says why nobody feeds the source, where nobody does.
func (s *Source) Lose(reason error) {
	s.mu.Lock()
	if s.session == nil {
		s.health.state, s.health.reason = Lost, reason
	}
	s.mu.Unlock()
	s.report()
}

// end leaves the source without publisher.
func (s *Source) end(reason error) {
	placed := s.placed()
	s.session = nil
	s.release()
	if !placed {
		s.cache.Clear()
	}
	s.health.end(reason)
}

// report tells of a change of the state since the last report.
func (s *Source) report() {
	s.tell.Lock()
	defer s.tell.Unlock()
	shot := s.State()
	if shot.State == s.told {
		return
	}
	s.config.Log.Info("source state", "source", s.config.ID, "from", s.told, "to", shot.State)
	s.told = shot.State
	if s.config.OnState != nil {
		s.config.OnState(shot)
	}
}

// write takes one access unit of the session.
func (s *Source) write(c *session, u AccessUnit) {
	s.mu.Lock()
	if s.session != c {
		s.mu.Unlock()
		return
	}
	now := s.config.Clock.Now()
	before := s.health.state
	ok, replaced := s.health.admit(u, now)
	if replaced != "" {
		s.release()
		s.timeline.Forget(replaced)
	}
	if ok {
		if u.Track.Kind == media.Video && !u.Received.IsZero() {
			s.assembly.Add(now, now.Sub(s.config.Clock.At(u.Received)))
		}
		if u.Track.Kind == media.Audio {
			s.timeline.Sound(u.Track.ID)
		}
		s.timeline.Packed(u.Wait)
		if c.placed {
			s.emit(u, media.Time(u.PTS), media.Time(u.DTS), now)
			s.finish(before)
			return
		}
		if u.Captured != 0 {
			s.timeline.Captured(u.Track.ID, u.DTS, u.Captured, u.Track.Kind == media.Audio, now)
		}
		if u.Track.Kind == media.Audio && !s.joining.over {
			if s.timeline.Note(u.Track.ID, u.DTS, now) {
				s.joining.keep(u, now)
			}
		} else {
			pts, dts := s.timeline.Map(u.Track.ID, u.PTS, u.DTS, now)
			s.emit(u, pts, dts, now)
		}
		s.joined(now)
	}
	s.finish(before)
}

// finish unlocks s and tells of another state than that before.
func (s *Source) finish(before State) {
	changed := s.health.state != before
	s.mu.Unlock()
	if changed {
		s.report()
	}
}

// joined lets out the sound that was kept back, once the publisher's clock has
// settled; s is locked.
func (s *Source) joined(now media.Time) {
	if s.joining.ends(now, s.timeline) {
		s.release()
	}
}

// release lets out what was kept back; s is locked.
func (s *Source) release() {
	s.timeline.Settle()
	for _, k := range s.joining.kept {
		pts, dts := s.timeline.Place(k.unit.Track.ID, k.unit.PTS, k.unit.DTS)
		s.emit(k.unit, pts, dts, k.arrival)
	}
	s.joining = joining{over: true}
}

// emit hands one access unit on; s is locked.
func (s *Source) emit(u AccessUnit, pts, dts, arrival media.Time) {
	s.health.late(u.Track.Kind, pts < arrival && !s.placed())
	p := &media.Packet{Track: u.Track, PTS: pts, DTS: dts, Key: u.Key, Stamp: arrival, Data: u.Data}
	s.cache.Write(p, arrival)
	for _, sub := range s.sinks {
		sub.sink.Write(p)
	}
}
