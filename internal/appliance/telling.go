package appliance

import (
	"context"
	"maps"
	"slices"
	"time"

	"millrace/api"
	"millrace/ingest"
	"millrace/internal/events"
	"millrace/internal/media"
	"millrace/mixer/worker"
)

// The data of events that are more than a document's change.
type (
	sourceEvent struct {
		Source   string          `json:"source"`
		State    api.SourceState `json:"state"`
		Protocol string          `json:"protocol,omitempty"`
		Remote   string          `json:"remote,omitempty"`
		Reason   string          `json:"reason,omitempty"` // why the feed ended
	}
	channelEvent struct {
		Channel string                `json:"channel"`
		State   api.ChannelStateState `json:"state"`
		Reason  string                `json:"reason,omitempty"`
	}
	airEvent struct {
		Channel string        `json:"channel"`
		Program string        `json:"program"`
		Preview string        `json:"preview"`
		Frame   int64         `json:"frame"`
		Time    api.Timestamp `json:"time"`
	}
	audioEvent struct {
		Channel  string            `json:"channel"`
		Source   string            `json:"source"`
		Settings api.AudioSettings `json:"settings"`
	}
	markEvent struct {
		Channel string        `json:"channel"`
		Text    string        `json:"text"`
		Frame   int64         `json:"frame"`
		Time    api.Timestamp `json:"time"`
	}
	tallyEvent struct {
		Channel string            `json:"channel"`
		Sources map[string]string `json:"sources"` // program, preview or off, of every source of the channel
	}
	encoderEvent struct {
		Channel string `json:"channel"`
		Device  string `json:"device"`
		Codec   string `json:"codec"`
		Reason  string `json:"reason,omitempty"`
		// Withdrawn is, by rung, why it is not encoded.
		Withdrawn map[string]string `json:"withdrawn,omitempty"`
	}
	metersEvent struct {
		Channel string `json:"channel"`
		worker.Meters
	}
	figuresEvent struct {
		Channel  string `json:"channel"`
		Frame    int64  `json:"frame"`
		Late     int64  `json:"late"`
		Repeated int64  `json:"repeated"`
		Restarts int64  `json:"restarts"`
	}
)

func tellSource(bus *events.Bus, shot ingest.Snapshot) {
	event := sourceEvent{Source: shot.Source, State: api.SourceState(shot.State), Protocol: shot.Kind, Remote: shot.Remote}
	if shot.Reason != nil {
		event.Reason = shot.Reason.Error()
	}
	bus.Publish("source.state", event)
}

// tellTaken tells what was done on a channel's air, and the tally after it.
func (c *channels) tellTaken(p *program, rate media.Rate, done worker.Ack, kinds []api.ShowEventType) {
	told := airEvent{Channel: p.id, Program: done.Program, Preview: done.Preview, Frame: done.Frame, Time: stamp(rate.At(done.Frame))}
	preview := slices.Contains(kinds, api.ShowEventTypePreview)
	if preview {
		c.bus.Publish("channel.preview", told)
	}
	if !preview || len(kinds) > 1 {
		c.bus.Publish("channel.program", told)
	}
	c.tellTally(p)
}

// tellTally tells the tally of a channel if it is another than was told last.
func (c *channels) tellTally(p *program) {
	p.telling.Lock()
	defer p.telling.Unlock()
	c.mu.RLock()
	document, onAir := p.stored.Value, p.onAir.Value
	c.mu.RUnlock()
	sources := make(map[string]string, len(document.Sources))
	for _, id := range document.Sources {
		sources[id] = tally(document, onAir, p.movement.progress(), id)
	}
	if maps.Equal(sources, p.tally) {
		return
	}
	defer c.followAir()
	p.tally = sources
	c.bus.Publish("tally.changed", tallyEvent{Channel: document.Id, Sources: sources})
}

// conditionEvery is how often the states of the channels are looked at.
const conditionEvery = 200 * time.Millisecond

// tellConditions tells when the state of a channel changes, and once a second
// the figures of those that somebody watches, until the context ends.
func (c *channels) tellConditions(ctx context.Context) error {
	ticker := time.NewTicker(conditionEvery)
	defer ticker.Stop()
	told := map[string]channelEvent{}
	metering := map[string]func(){}
	defer func() {
		for _, leave := range metering {
			leave()
		}
	}()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case p := <-c.airMoved:
			c.tellTally(p)
			continue
		case <-ticker.C:
		}
		c.followAir()
		present := c.conditions()
		for id, event := range present {
			if told[id] != event {
				c.bus.Publish("channel.state", event)
			}
		}
		told = present
		c.followMeters(metering, present)
		if n%int(time.Second/conditionEvery) == 0 {
			c.signalFigures()
		}
	}
}

// conditions are the states of all channels.
func (c *channels) conditions() map[string]channelEvent {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make(map[string]channelEvent, len(c.byID))
	for id, p := range c.byID {
		event := channelEvent{Channel: id}
		event.State, event.Reason = p.condition()
		all[id] = event
	}
	return all
}

// followMeters listens to the meters of exactly those channels that somebody
// watches; metering holds how each is left.
func (c *channels) followMeters(metering map[string]func(), present map[string]channelEvent) {
	for id, leave := range metering {
		if _, there := present[id]; !there || !c.bus.Wanted(id) {
			leave()
			delete(metering, id)
		}
	}
	for id := range present {
		if metering[id] != nil || !c.bus.Wanted(id) {
			continue
		}
		leave, err := c.Meters(id, func(m worker.Meters) { c.bus.Signal("meters", id, metersEvent{id, m}) })
		if err == nil { // else it was deleted just now
			metering[id] = leave
		}
	}
}

func (c *channels) signalFigures() {
	for _, run := range c.running() {
		report := run.host.Report()
		c.bus.Signal("figures", run.ID, figuresEvent{
			Channel: run.ID, Frame: report.Frame, Late: int64(report.Late), Repeated: int64(report.Repeated), Restarts: run.host.Restarts(),
		})
	}
}

// tellEncoder tells when a new worker encodes with something else than the one
// before it.
func (c *channel) tellEncoder(before, ready *worker.Ready) {
	if before == nil {
		c.encoder = ready.Encoder
		return
	}
	same := maps.Equal(before.Encoder.Withdrawn, ready.Encoder.Withdrawn)
	if before.Encoder.Device == ready.Encoder.Device && before.Encoder.Codec == ready.Encoder.Codec && same {
		return
	}
	event := encoderEvent{
		Channel: c.ID, Device: ready.Encoder.Device, Codec: ready.Encoder.Codec, Reason: ready.Encoder.Reason, Withdrawn: ready.Encoder.Withdrawn,
	}
	c.Bus.Publish("encoder.fallback", event)
	if c.encoder.Device == ready.Encoder.Device && c.encoder.Codec == ready.Encoder.Codec {
		c.fallback.Store(nil)
	} else {
		c.fallback.Store(fellBack(event))
	}
}
