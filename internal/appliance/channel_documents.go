package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"millrace/api"
	"millrace/internal/state"
	"millrace/mixer/worker"
)

// view is a channel's document with what is on its air; the caller holds mu.
func (p *program) view() api.Stored[api.Channel] {
	document := p.stored.Value
	document.Program, document.Preview = p.onAir.Value.Program, p.onAir.Value.Preview
	return api.Stored[api.Channel]{Value: document, Revision: p.stored.Revision}
}

// ListChannels implements api.Channels.
func (c *channels) ListChannels() []api.Stored[api.Channel] {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]api.Stored[api.Channel], 0, len(c.byID))
	for _, p := range c.byID {
		list = append(list, p.view())
	}
	slices.SortFunc(list, func(a, b api.Stored[api.Channel]) int { return cmp.Compare(a.Value.Id, b.Value.Id) })
	return list
}

// GetChannel implements api.Channels.
func (c *channels) GetChannel(id string) (api.Stored[api.Channel], error) {
	p, err := c.find(id)
	if err != nil {
		return api.Stored[api.Channel]{}, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return p.view(), nil
}

// ChannelFaults implements api.Channels.
func (c *channels) ChannelFaults(document api.Channel) []api.Fault {
	return checkChannel(completed(document), c.knownSource, c.base.Assets.pictureFault)
}

// CreateChannel implements api.Channels.
func (c *channels) CreateChannel(ctx context.Context, document api.Channel) (api.Stored[api.Channel], error) {
	document = completed(document)
	c.naming.Lock()
	defer c.naming.Unlock()
	if faults := checkChannel(document, c.knownSource, c.base.Assets.pictureFault); len(faults) > 0 {
		return api.Stored[api.Channel]{}, api.Invalid(faults...)
	}
	if err := c.fits(document); err != nil {
		return api.Stored[api.Channel]{}, err
	}
	stored, err := create(ctx, c.store, kindChannel, document.Id, document)
	if err != nil {
		return api.Stored[api.Channel]{}, err
	}
	onAir := air{Program: document.Program, Preview: document.Preview}
	storedAir, err := put(ctx, c.store, kindAir, document.Id, onAir, uint64(state.AnyRevision))
	if err != nil {
		// So that the name is free when there is room again.
		return api.Stored[api.Channel]{}, errors.Join(err, remove(ctx, c.store, kindChannel, document.Id, stored.Revision))
	}
	p := &program{id: stored.Value.Id, stored: stored, onAir: storedAir}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byID[document.Id] = p
	if !document.Stopped {
		c.start(p)
	}
	return p.view(), nil
}

// fits says why a channel would find no place to run; nil when it would. It is
// asked before the channel is made or started, so that nothing fails on air.
func (c *channels) fits(document api.Channel) error {
	show, err := showOf(document, air{}, c.sources.document, c.facts)
	if err != nil {
		return err
	}
	if err := c.base.Devices.ask(show); err != nil {
		return api.Conflict("no-capacity", fmt.Sprintf("The channel %q cannot be carried: %v.", document.Id, err),
			"Stop another channel, make the ladder smaller, or set gpu.policy to prefer.")
	}
	return nil
}

func (c *channels) knownSource(id string) bool {
	_, ok := c.sources.document(id)
	return ok
}

// UpdateChannel implements api.Channels.
func (c *channels) UpdateChannel(ctx context.Context, id string, match api.Match, change func(api.Channel) (api.Channel, error)) (api.Stored[api.Channel], error) {
	p, release, err := c.hold(id)
	if err != nil {
		return api.Stored[api.Channel]{}, err
	}
	defer release()
	c.mu.RLock()
	before, onAir := p.stored.Value, p.onAir.Value
	c.mu.RUnlock()
	view, err := c.replace(ctx, p, match, change)
	if err != nil {
		return view, err
	}
	var refused *worker.Refused
	if err = c.apply(ctx, p); errors.As(err, &refused) {
		if err := c.takeBack(ctx, p, before, onAir); err != nil {
			return view, err
		}
		return view, api.Conflict("on-air", fmt.Sprintf("The scene %q came on program just now.", refused.Ack.Program), "Cut to another one first.")
	}
	c.retain(p)
	c.tellTally(p)
	c.onAir(id) // its automatic recording may have changed
	return view, err
}

// takeBack puts a program's document back in force as it was before a change
// that its worker cannot follow. The caller holds live.
func (c *channels) takeBack(ctx context.Context, p *program, before api.Channel, onAir air) error {
	err := c.storeDocument(ctx, p, before)
	if err == nil {
		err = c.storeAir(ctx, p, onAir)
	}
	if err != nil {
		return err
	}
	return c.apply(ctx, p)
}

// replace checks and stores a change of a program. The caller holds live.
func (c *channels) replace(ctx context.Context, p *program, match api.Match, change func(api.Channel) (api.Channel, error)) (api.Stored[api.Channel], error) {
	none := api.Stored[api.Channel]{}
	c.naming.Lock()
	defer c.naming.Unlock()
	present := p.view()
	if !match.Holds(present.Revision) {
		return none, api.Stale()
	}
	changed, err := change(present.Value)
	if err != nil {
		return none, err
	}
	changed = completed(changed)
	if err := checkFrozen(present.Value, changed); err != nil {
		return none, err
	}
	if faults := checkChannel(changed, c.knownSource, c.base.Assets.pictureFault); len(faults) > 0 {
		return none, api.Invalid(faults...)
	}
	if changed.Program != present.Value.Program {
		return none, api.Conflict("on-air", fmt.Sprintf("The scene %q is on program.", present.Value.Program),
			"What is on air changes by POST …/cut, on a frame.")
	}
	if err := c.storeDocument(ctx, p, changed); err != nil {
		return none, err
	}
	onAir := p.onAir.Value
	onAir.Preview = changed.Preview
	if err := c.storeAir(ctx, p, onAir.within(changed)); err != nil {
		return none, err
	}
	return p.view(), nil
}

// storeDocument stores a program's document. The caller holds live, and not mu:
// who only looks, a worker that starts above all, does not wait for the disk.
func (c *channels) storeDocument(ctx context.Context, p *program, document api.Channel) error {
	stored, err := put(ctx, c.store, kindChannel, document.Id, document, p.stored.Revision)
	if err == nil {
		c.mu.Lock()
		p.stored = stored
		c.mu.Unlock()
	}
	return err
}

// storeAir stores what is on air, likewise.
func (c *channels) storeAir(ctx context.Context, p *program, onAir air) error {
	if reflect.DeepEqual(onAir, p.onAir.Value) {
		return nil
	}
	stored, err := put(ctx, c.store, kindAir, p.id, onAir, uint64(state.AnyRevision))
	if err == nil {
		c.mu.Lock()
		p.onAir = stored
		c.mu.Unlock()
	}
	return err
}

// DeleteChannel implements api.Channels.
func (c *channels) DeleteChannel(ctx context.Context, id string, match api.Match) error {
	p, release, err := c.hold(id)
	if err != nil {
		return err
	}
	defer release()
	if n := c.archive.holding(id); n > 0 {
		return api.Conflict("has-recordings", fmt.Sprintf("The channel %q holds the media of %d recordings and clips.", id, n),
			"Delete those first; they would be lost.")
	}
	if away := c.volumesAway(p); len(away) > 0 {
		return api.Conflict("volume-away", fmt.Sprintf("The volume %s is away, so that the channel's media on it cannot be removed.", away[0]),
			"Bring the volume back, or take it out of storage.volumes and restart the node.")
	}
	c.mu.Lock()
	stale := !match.Holds(p.stored.Revision)
	running := p.running
	if !stale {
		p.running = nil
	}
	c.mu.Unlock()
	if stale {
		return api.Stale()
	}
	// The id is free for another channel only when nothing of this one is left.
	running.stop()
	c.base.Origin.Remove(id)
	if err := c.showLog.clear(ctx, id); err != nil {
		c.log.Warn("remove the show log of deleted channel", "channel", id, "err", err)
	}
	if err := c.closeStore(p); err != nil {
		c.log.Warn("close store of deleted channel", "channel", id, "err", err)
	}
	for _, dir := range c.storeDirs(id) {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove store of channel %q: %w", id, err)
		}
	}
	c.naming.Lock() // of those who would make another channel of that name meanwhile
	defer c.naming.Unlock()
	if err := remove(ctx, c.store, kindChannel, id, uint64(state.AnyRevision)); err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.byID, id)
	c.mu.Unlock()
	return remove(ctx, c.store, kindAir, id, uint64(state.AnyRevision))
}
