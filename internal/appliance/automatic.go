package appliance

import (
	"context"

	"millrace/api"
)

// onAir says that a channel has begun a run. It does not wait.
func (c *channels) onAir(channel string) {
	c.feedMu.Lock()
	c.begun[channel] = true
	c.feedMu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// followAutomatic begins or ends the recording that a channel asks for by itself.
// One that went on when the node ended goes on.
func (c *channels) followAutomatic(ctx context.Context, channel string) {
	p, err := c.find(channel)
	if err != nil {
		return
	}
	c.mu.RLock()
	wanted := p.stored.Value.Recording
	c.mu.RUnlock()
	running := ""
	for _, r := range c.archive.recordings.all() {
		if r.Value.Channel == channel && r.Value.Automatic && r.Value.running() {
			running = r.Value.ID
		}
	}
	switch {
	case wanted.Automatic && running == "":
		var release func()
		if p, release, err = c.hold(channel); err == nil {
			_, err = c.record(ctx, p, api.RecordingRequest{Iso: wanted.Iso}, true)
			release()
		}
	case !wanted.Automatic && running != "":
		_, err = c.StopRecording(ctx, running)
	}
	if err != nil {
		c.log.Error("follow a channel's automatic recording", "channel", channel, "err", err)
	}
}
