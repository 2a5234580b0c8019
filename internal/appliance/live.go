package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"millrace/api"
	"millrace/internal/media"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

// takeAhead is how far in the future a take may be asked for.
const takeAhead = time.Minute

// Take implements api.Live: it acts on exactly one frame and says which.
func (c *channels) Take(ctx context.Context, id string, take api.Take) (api.LiveAnswer, error) {
	p, err := c.find(id)
	if err != nil {
		return api.LiveAnswer{}, err
	}
	command, rate, err := c.command(p, take)
	if err != nil {
		return api.LiveAnswer{}, err
	}
	// The command cannot be taken back, so it does not end with who gave it; and
	// a take that waits for its frame keeps nobody else from acting.
	ctx = context.WithoutCancel(ctx)
	ack, err := c.do(ctx, p, command)
	if err != nil {
		return api.LiveAnswer{}, err
	}
	c.size(p, ack.Program, ack.Preview)
	p.live.Lock()
	defer p.live.Unlock()
	if now, _ := c.find(id); now == p && ack.Frame >= p.taken {
		p.taken = ack.Frame
		onAir := p.onAir.Value
		onAir.Program, onAir.Preview = ack.Program, ack.Preview
		if command.Black != nil {
			onAir.Black = command.Black.On
		}
		for id, on := range take.Overlays {
			onAir.Overlays = switched(onAir.Overlays, id, on)
		}
		// A worker that is gone may have taken what the document has no more.
		err = c.storeAir(ctx, p, onAir.within(p.stored.Value))
	}
	black := p.onAir.Value.Black
	p.movement.heard(ack.Frame, ack.Transition)
	kinds := eventsOf(command)
	c.tellTaken(p, rate, ack, kinds)
	if command.Bar == nil || ack.Transition == nil { // a hand's way is nothing to look up later
		for _, kind := range kinds {
			c.note(ctx, p, api.ShowEvent{Type: kind, Frame: ack.Frame, Program: ack.Program, Preview: ack.Preview})
		}
	}
	return api.LiveAnswer{
		Program: ack.Program, Preview: ack.Preview, Ftb: black, Frame: ack.Frame,
		Time: api.Timestamp{Time: rate.At(ack.Frame).UTC()},
	}, err
}

// eventsOf is how the show log names what a command does.
func eventsOf(command worker.Command) (kinds []api.ShowEventType) {
	if command.Preview != nil {
		kinds = append(kinds, api.ShowEventTypePreview)
	}
	switch {
	case command.Cut == nil:
	case command.With != nil:
		kinds = append(kinds, api.ShowEventTypeAuto)
	default:
		kinds = append(kinds, api.ShowEventTypeCut)
	}
	if command.Black != nil {
		kinds = append(kinds, api.ShowEventTypeFtb)
	}
	if command.Overlays != nil {
		kinds = append(kinds, api.ShowEventTypeOverlay)
	}
	return kinds
}

// command words a take for the worker.
func (c *channels) command(p *program, take api.Take) (worker.Command, media.Rate, error) {
	c.mu.RLock()
	document, black := p.stored.Value, p.onAir.Value.Black
	c.mu.RUnlock()
	rate, err := media.ParseRate(string(document.Canvas.Rate))
	if err != nil {
		return worker.Command{}, rate, err
	}
	if err := checkNames(take, document); err != nil {
		return worker.Command{}, rate, err
	}
	command := worker.Command{At: take.Frame, Preview: take.Preview, Cut: take.Program, Bar: take.TBar, Overlays: take.Overlays}
	if take.Auto || take.TBar != nil {
		command.With = transitionOf(take, document.Transition)
	}
	if fade := take.Black; fade != nil {
		command.Black = &worker.Black{On: !black, DurationMs: fade.DurationMs}
		if fade.On != nil {
			command.Black.On = *fade.On
		}
	}
	if take.Expect != "" {
		command.Expect = &take.Expect
	}
	return command, rate, c.setAt(&command, take, rate)
}

// checkNames refuses a take of scenes or overlays that the document does not have.
func checkNames(take api.Take, document api.Channel) error {
	for _, id := range []*string{take.Preview, take.Program} {
		if id != nil && *id != "" && !hasScene(document, *id) {
			return api.NotFound("scene", *id)
		}
	}
	for id := range take.Overlays {
		if !slices.ContainsFunc(document.Overlays, func(o api.Overlay) bool { return o.ID == id }) {
			return api.NotFound("overlay", id)
		}
	}
	return nil
}

// setAt gives a command its frame: for an instant, the first one that is due then
// or later.
func (c *channels) setAt(command *worker.Command, take api.Take, rate media.Rate) error {
	last := c.clock.Now().Add(takeAhead)
	switch {
	case take.Time.IsZero():
	case take.Time.Before(time.Unix(1, 0)): // before a Time can say
		command.At = 1
	case !take.Time.After(last.UTC()):
		command.At = rate.Index(media.TimeOf(take.Time)-1) + 1
	default:
		command.At = math.MaxInt64
	}
	if command.At > rate.Index(last) {
		return api.Invalid(api.Fault{Pointer: "/at", Detail: fmt.Sprintf("it is more than %v ahead", takeAhead)})
	}
	return nil
}

// switched is a list of ids, sorted, with one in it or not.
func switched(ids []string, id string, on bool) []string {
	ids = slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })
	if on {
		ids = append(ids, id)
		slices.Sort(ids)
	}
	return ids
}

// transitionOf is a take's transition, with what it does not say from the
// channel's.
func transitionOf(take api.Take, usual api.Transition) *scene.Transition {
	asked := take.Transition
	if asked.Type == "" {
		asked.Type, asked.Color = usual.Type, cmp.Or(asked.Color, usual.Color)
	}
	asked.DurationMs = usual.DurationMs
	if take.DurationMs != nil {
		asked.DurationMs = *take.DurationMs
	}
	return &scene.Transition{Type: transitionType(asked.Type), DurationMs: asked.DurationMs, Color: asked.Color}
}

// transitionType takes a transition's other names for its own.
func transitionType(named api.TransitionType) scene.TransitionType {
	switch named {
	case api.TransitionTypeFade, api.TransitionTypeDissolve:
		return scene.Mix
	case api.TransitionTypeWipe:
		return scene.WipeRight
	}
	return scene.TransitionType(named)
}

// transitionState is where a transition stands on a frame.
func transitionState(p *worker.Progress, rate media.Rate, frame int64) *api.TransitionState {
	s := &api.TransitionState{From: p.From, To: p.To, Type: api.TransitionType(p.Type), Position: p.Position, EndFrame: p.End}
	if left := p.End - frame; p.End > 0 && p.Frames > 0 {
		s.Position = min(max(1-float64(left)/float64(p.Frames), p.Position), 1)
	}
	return s
}

func hasScene(document api.Channel, id string) bool {
	for _, s := range document.Scenes {
		if s.ID == id {
			return true
		}
	}
	return false
}

// do has a running channel's worker execute a command and words its refusal.
func (c *channels) do(ctx context.Context, p *program, command worker.Command) (worker.Ack, error) {
	c.mu.RLock()
	run := p.run
	c.mu.RUnlock()
	if run == nil {
		return worker.Ack{}, api.Conflict("not-running", fmt.Sprintf("The channel %q is not running.", p.id), "Start it with POST …/start.")
	}
	ack, err := run.host.Do(ctx, command)
	if errors.Is(err, worker.ErrNoWorker) {
		return ack, api.Unavailable("worker-replaced", "The channel's worker is just being started.", "Try again in a second.")
	}
	var refused *worker.Refused
	if !errors.As(err, &refused) {
		return ack, err
	}
	switch refused.Ack.Code {
	case worker.AckMoved:
		return ack, api.Conflict("program-moved", refused.Error(), "Read the state and decide again.")
	case worker.AckPast:
		return ack, api.Conflict("past", refused.Error(), fmt.Sprintf("The earliest possible frame was %d.", refused.Ack.Frame))
	}
	return ack, api.Conflict(refused.Ack.Code, refused.Error(), "")
}

// StartChannel implements api.Channels.
func (c *channels) StartChannel(ctx context.Context, id string) (api.ChannelState, error) {
	return c.setStopped(ctx, id, false)
}

// StopChannel implements api.Channels.
func (c *channels) StopChannel(ctx context.Context, id string) (api.ChannelState, error) {
	return c.setStopped(ctx, id, true)
}

func (c *channels) setStopped(ctx context.Context, id string, stopped bool) (api.ChannelState, error) {
	p, release, err := c.hold(id)
	if err != nil {
		return api.ChannelState{}, err
	}
	defer release()
	if view, err := c.GetChannel(id); err == nil && view.Value.Stopped && !stopped {
		if err := c.fits(view.Value); err != nil {
			return api.ChannelState{}, err
		}
	}
	document := p.stored.Value
	if document.Stopped != stopped {
		document.Stopped = stopped
		if err := c.storeDocument(ctx, p, document); err != nil {
			return api.ChannelState{}, err
		}
	}
	c.mu.Lock()
	ending := p.running
	if stopped {
		p.running = nil
	} else {
		ending = nil
		c.start(p)
	}
	c.mu.Unlock()
	ending.stop()
	if stopped {
		if err := c.stopRecordings(ctx, id); err != nil {
			return api.ChannelState{}, err
		}
	}
	return c.ChannelState(id)
}

// ChannelState implements api.Channels.
func (c *channels) ChannelState(id string) (api.ChannelState, error) {
	p, err := c.find(id)
	if err != nil {
		return api.ChannelState{}, err
	}
	c.mu.RLock()
	document, onAir, run, failure := p.stored.Value, p.onAir.Value, p.run, p.failure
	c.mu.RUnlock()
	s := api.ChannelState{Program: onAir.Program, Preview: onAir.Preview, Time: api.Timestamp{Time: c.clock.Now().UTC()}}
	c.describeRun(&s, run, failure, document)
	moving := p.movement.progress()
	if moving != nil && run != nil {
		s.Transition = transitionState(moving, run.Grid.Rate, s.Frame)
	}
	s.Ftb = onAir.Black
	for _, o := range document.Overlays {
		if slices.Contains(onAir.Overlays, o.ID) {
			s.Overlays = append(s.Overlays, o.ID)
		}
	}
	s.Sources = c.sourceStates(document, onAir, moving, run)
	return s, nil
}
