package appliance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"millrace/api"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// describeRun says how a channel's run is doing.
func (c *channels) describeRun(s *api.ChannelState, run *channel, failure error, document api.Channel) {
	s.Encoder.Device, s.Encoder.Codec, s.Encoder.Reason = worker.CPU, "libx264", c.base.Devices.reason(document.Id)
	s.State, s.Reason = condition(run, failure, document)
	if run == nil {
		return
	}
	report := run.host.Report()
	s.Frame = run.Grid.Rate.Index(run.Clock.Now())
	s.Time = api.Timestamp{Time: run.Grid.Rate.At(s.Frame).UTC()}
	if since := media.Time(run.onAir.Load()); since != 0 && s.Time.After(since.UTC()) {
		s.OnAirSince = api.Timestamp{Time: since.UTC()}
	}
	if ready := run.worker.Load(); ready != nil {
		s.Encoder.Device, s.Encoder.Codec = ready.Encoder.Device, ready.Encoder.Codec
		s.Encoder.Reason = ready.Encoder.Reason
		s.Encoder.Withdrawn = ready.Encoder.Withdrawn
	}
	s.Ticks.Late, s.Ticks.Repeated = int64(report.Late), int64(report.Repeated)
	s.Workers.Restarts, s.Workers.Pid = run.host.Restarts(), run.host.Pid()
	s.Filler = run.fillerFrames()
	s.Latency = run.latency()
	store := run.store.State()
	s.Store.State, s.Store.Reason, s.Store.Bytes = "ok", store.Fault, store.DiskBytes
	if store.Degraded {
		s.Store.State = "degraded"
	}
}

// condition is the state of a program; the caller holds mu.
func (p *program) condition() (api.ChannelStateState, string) {
	return condition(p.run, p.failure, p.stored.Value)
}

func condition(run *channel, failure error, document api.Channel) (api.ChannelStateState, string) {
	switch {
	case run != nil:
		return run.condition()
	case failure != nil:
		return api.ChannelStateStateFailed, failure.Error()
	case document.Stopped:
		return api.ChannelStateStateStopped, ""
	}
	return api.ChannelStateStateStarting, ""
}

// slowDisk is how long a disk may be slow before the channel counts as degraded.
const slowDisk = time.Second

// condition is the state of a channel that runs, and why it is not "running".
func (c *channel) condition() (api.ChannelStateState, string) {
	store := c.store.State()
	switch {
	case c.host.Filled() == nil:
		return api.ChannelStateStateStarting, ""
	case !c.host.OnAir():
		return api.ChannelStateStateDegraded, "the worker is being replaced; filler is on air"
	case store.Fault != "":
		return api.ChannelStateStateDegraded, "the disk does not take what it is given: " + store.Fault
	case len(store.Away) > 0:
		return api.ChannelStateStateDegraded, "a storage volume is away, and what it holds is missing: " + strings.Join(store.Away, ", ")
	case store.Degraded && time.Since(store.Since) > slowDisk:
		return api.ChannelStateStateDegraded, "the disk is too slow; what is listed is not durable yet"
	}
	return api.ChannelStateStateRunning, ""
}

// fillerFrames is how much filler the fullest rung has got.
func (c *channel) fillerFrames() int64 {
	var most int64
	filled := c.host.Filled()
	for _, rung := range c.Show().Ladder {
		most = max(most, filled[rung.ID])
	}
	return most
}

// sourceStates says how each source of a channel arrives and what is shown of it.
func (c *channels) sourceStates(document api.Channel, onAir air, moving *worker.Progress, run *channel) map[string]api.ChannelSourceState {
	var report worker.Report
	if run != nil {
		report = run.host.Report()
	}
	states := make(map[string]api.ChannelSourceState, len(document.Sources))
	for _, id := range document.Sources {
		state := api.ChannelSourceState{
			State: api.SourceStateLive, Tally: api.ChannelSourceStateTally(tally(document, onAir, moving, id)), Showing: "live",
		}
		if feed := c.sources.feed(id); feed != nil {
			state.State = api.SourceState(feed.State().State)
			state.Latency = wayOf(feed, report.Sources[id].Way)
		}
		if shown, ok := report.Sources[id]; ok {
			state.Dropped = int64(shown.Dropped)
			switch {
			case shown.Slate:
				state.Showing = "slate"
			case shown.Held:
				state.Showing = "held"
			}
		}
		states[id] = state
	}
	return states
}

// ready says which channel does not run as it should; nil when all do.
func (c *channels) ready() error {
	if err := c.allRun(); err != nil {
		return err
	}
	for _, run := range c.running() {
		if state, _ := run.condition(); state == api.ChannelStateStateStarting {
			return fmt.Errorf("channel %q is starting", run.ID)
		}
	}
	return nil
}

// expected says that a channel exists and is not stopped: it is on air or about
// to be.
func (c *channels) expected(id string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, ok := c.byID[id]
	return ok && !p.stored.Value.Stopped
}

// allRun says which channel that should run does not.
func (c *channels) allRun() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.ctx == nil {
		return errors.New("the node is starting")
	}
	for id, p := range c.byID {
		if !p.stored.Value.Stopped && p.run == nil {
			return fmt.Errorf("channel %q does not run", id)
		}
	}
	return nil
}

// running are the runs of this moment.
func (c *channels) running() []*channel {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var runs []*channel
	for _, p := range c.byID {
		if p.run != nil {
			runs = append(runs, p.run)
		}
	}
	return runs
}

// count is how many channels there are and how many run.
func (c *channels) count() (all, running int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, p := range c.byID {
		all++
		if p.run != nil {
			running++
		}
	}
	return all, running
}

// sandbox is which layers hold in the workers: a layer is active only if it is
// in every one.
func (c *channels) sandbox() []api.Protection {
	layers := []api.Protection{}
	index := map[string]int{}
	for _, run := range c.running() {
		ready := run.worker.Load()
		if ready == nil {
			continue
		}
		for _, layer := range ready.Sandbox {
			i, known := index[layer.Name]
			if !known {
				index[layer.Name] = len(layers)
				layers = append(layers, api.Protection{Name: layer.Name, Active: layer.Active, Reason: layer.Reason})
			} else if !layer.Active {
				layers[i].Active, layers[i].Reason = false, layer.Reason
			}
		}
	}
	return layers
}
