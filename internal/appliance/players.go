package appliance

import (
	"context"
	"fmt"

	"millrace/api"
	"millrace/ingest"
	"millrace/ingest/clip"
)

// How long the picture of a clip stays.
const (
	keepMs  = 10 * 365 * 24 * 3600 * 1000 // for good
	leaveMs = 1                           // it does not: the slate follows
)

type playerEvent struct {
	Source string     `json:"source"`
	State  clip.State `json:"state"`
}

// newPlayer makes the player of a file source.
func (s *sources) newPlayer(feed *ingest.Source) *clip.Player {
	id := feed.ID()
	return clip.NewPlayer(clip.Config{
		Feed: feed, Clock: s.clock, Log: s.log.With("source", id),
		Open: func() (clip.Reader, error) {
			document, _ := s.document(id)
			return s.open(document.Asset)
		},
		Settings: func() clip.Settings {
			document, _ := s.document(id)
			return clip.Settings{
				Loop: document.File.Loop, Rewind: document.File.OnEnd == api.FileSettingsOnEndRewind, Begin: document.File.Start == api.FileSettingsStartAlways,
			}
		},
		OnState: func(state clip.State) { s.bus.Publish("source.player", playerEvent{id, state}) },
	})
}

// play runs the player of a file source until the context ends.
func (s *sources) play(ctx context.Context, entry *source) {
	if err := entry.player.Run(ctx); err != nil {
		s.log.Error("play source", "source", entry.feed.ID(), "err", err)
	}
}

// player is that of a file source, or nil.
func (s *sources) player(id string) *clip.Player {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if entry := s.byID[id]; entry != nil {
		return entry.player
	}
	return nil
}

// PlayFile implements api.Sources.
func (s *sources) PlayFile(id string, order api.PlayerOrder) (api.Player, error) {
	document, known := s.document(id)
	player := s.player(id)
	switch {
	case !known:
		return api.Player{}, api.NotFound("source", id)
	case player == nil:
		return api.Player{}, api.Conflict("no-player", fmt.Sprintf("The source %q is of kind %s.", id, document.Kind), "Only a source of kind file is played.")
	}
	player.Do(clip.Order(order))
	return playerOf(player.Status()), nil
}

func playerOf(status clip.Status) api.Player {
	player := api.Player{
		State: api.PlayerState(status.State), PositionMs: status.Position.Milliseconds(), LengthMs: status.Length.Milliseconds(),
	}
	if status.Reason != nil {
		player.Reason = status.Reason.Error()
	}
	return player
}

// facts are what the mixer must know of a source.
func (c *channels) facts(id string) facts {
	known := facts{guest: c.base.Viewers != nil && c.sources.guest(id)}
	player := c.sources.player(id)
	if player == nil {
		return known
	}
	document, _ := c.sources.document(id)
	switch state := player.Status().State; {
	case state == clip.Broken:
	case state == clip.Ended && document.File.OnEnd == api.FileSettingsOnEndSlate:
		known.keepMs = leaveMs
	default:
		known.keepMs = keepMs
	}
	return known
}

// followAir tells the players of clips that begin with the program which of them
// are on it.
func (c *channels) followAir() {
	if !c.sources.havePlayers() {
		return
	}
	onAir := map[string]bool{}
	c.mu.RLock()
	for _, p := range c.byID {
		for _, id := range p.stored.Value.Sources {
			if !p.stored.Value.Stopped && tally(p.stored.Value, p.onAir.Value, p.movement.progress(), id) == "program" {
				onAir[id] = true
			}
		}
	}
	c.mu.RUnlock()
	c.sources.followAir(onAir)
}

func (s *sources) havePlayers() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, entry := range s.byID {
		if entry.player != nil {
			return true
		}
	}
	return false
}

// followAir begins the clips that have come on program and cues those that have
// left it.
func (s *sources) followAir(onAir map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, entry := range s.byID {
		if entry.player == nil || entry.onAir == onAir[id] {
			continue
		}
		entry.onAir = onAir[id]
		switch start := entry.stored.Value.File.Start; {
		case start != "" && start != api.FileSettingsStartProgram:
		case entry.onAir:
			entry.player.Do(clip.Restart)
		default:
			entry.player.Do(clip.Cue)
		}
	}
}
