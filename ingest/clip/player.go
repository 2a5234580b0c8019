package clip

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"millrace/ingest"
	"millrace/internal/media"
)

// State is what a player does.
type State string

// The states of a player.
const (
	Cued    State = "cued" // the first picture stands
	Playing State = "playing"
	Paused  State = "paused"
	Ended   State = "ended" // the last picture stands, or the slate
	Broken  State = "error" // the file cannot be played
)

// Order is what an operator, or the program, asks of a player.
type Order string

// The orders.
const (
	Play    Order = "play"    // go on from where it is
	Pause   Order = "pause"   // and keep the picture
	Restart Order = "restart" // play from the beginning
	Cue     Order = "cue"     // to the beginning, and wait there
	Load    Order = "load"    // the file is another one
)

// Settings are what may change while a clip plays.
type Settings struct {
	Loop   bool
	Rewind bool // cue at the end
	Begin  bool // play when the player begins to run
}

// Status is a player at one instant.
type Status struct {
	State    State
	Position time.Duration
	Length   time.Duration // 0 while unknown
	Reason   error         // of Broken
}

// Feed is what a player feeds: an *ingest.Source.
type Feed interface {
	ConnectPlaced(kind, remote string) (ingest.Session, error)
	Fail(reason error)
}

// Config is what a player is made of.
type Config struct {
	Feed  Feed
	Clock *media.Clock
	// Open opens the file, for each time that it is loaded.
	Open func() (Reader, error)
	// Settings are asked for when they count.
	Settings func() Settings
	// OnState is told of every change of the state, by one goroutine; it must not
	// call the player.
	OnState func(State)
	Log     *slog.Logger
}

const (
	lead     = 250 * time.Millisecond // that a packet is handed on before its time
	gopLimit = 16 << 20               // bytes that a pause keeps, to go on from
	orders   = 16                     // that wait
)

// Player plays one clip into a source, in real time and exactly by the timeline.
// All methods but Run may be called from any goroutine.
type Player struct {
	config Config
	wake   chan struct{} // an order waits

	mu      sync.Mutex
	pending []Order
	status  Status
	base    media.Time // when the clip's position was 0, while it plays
}

// NewPlayer starts nothing.
func NewPlayer(config Config) *Player {
	return &Player{config: config, wake: make(chan struct{}, 1), status: Status{State: Cued}}
}

// Do gives an order; it does not wait.
func (p *Player) Do(order Order) {
	p.mu.Lock()
	if len(p.pending) == orders {
		p.pending = p.pending[1:]
	}
	p.pending = append(p.pending, order)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Status is the player now.
func (p *Player) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	if s.State == Playing {
		s.Position = max(p.config.Clock.Now().Sub(p.base), 0)
	}
	return s
}

// next takes the oldest order; "" where none waits.
func (p *Player) next() (order Order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) > 0 {
		order, p.pending = p.pending[0], p.pending[1:]
	}
	return order
}

// enter changes the state.
func (p *Player) enter(state State, position time.Duration, reason error) {
	p.mu.Lock()
	changed := p.status.State != state
	p.status.State, p.status.Position, p.status.Reason = state, position, reason
	p.mu.Unlock()
	if changed && p.config.OnState != nil {
		p.config.OnState(state)
	}
}

// Run plays until the context ends.
func (p *Player) Run(ctx context.Context) error {
	d := &deck{player: p}
	defer d.unload()
	order := Cue
	if p.config.Settings().Begin {
		order = Restart
	}
	for {
		d.obey(ctx, order)
		order = p.await(ctx)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// await waits for an order.
func (p *Player) await(ctx context.Context) Order {
	for {
		if order := p.next(); order != "" {
			return order
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return ""
		}
	}
}

// obey carries an order out, and those that come while the clip plays.
func (d *deck) obey(ctx context.Context, order Order) {
	for order != "" && ctx.Err() == nil {
		var err error
		if order, err = d.step(ctx, order); err != nil {
			d.fail(err)
			return
		}
	}
}

// step carries out one order and gives the one that comes of it.
func (d *deck) step(ctx context.Context, order Order) (Order, error) {
	state := d.player.Status().State
	switch order {
	case Load:
		d.unload()
		if state == Playing {
			return Restart, nil
		}
		return Cue, nil
	case Cue:
		return "", d.cue()
	case Pause:
		if state == Playing {
			d.pause()
		}
		return "", nil
	case Play:
		if state == Paused {
			return d.play(ctx, true)
		}
		if state == Playing {
			return d.play(ctx, false)
		}
	}
	if err := d.rewind(); err != nil {
		return "", err
	}
	return d.play(ctx, false)
}

// fail ends the clip with a reason, until it is loaded anew.
func (d *deck) fail(reason error) {
	d.unload()
	p := d.player
	p.config.Log.Warn("clip cannot be played", "err", reason)
	p.enter(Broken, 0, reason)
	p.config.Feed.Fail(reason)
}

// errEmpty is of a clip that has nothing to be shown or heard.
var errEmpty = unusable("nothing in it can be played")

// ended reports whether an error is the end of a clip.
func ended(err error) bool { return errors.Is(err, io.EOF) }
