package appliance

import (
	"errors"
	"path/filepath"
	"time"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/output/origin"
	"millrace/record"
)

// retention is what a channel's store keeps: its window, and what is recorded.
func (c *channels) retention(p *program) record.Retention {
	c.mu.RLock()
	document := p.stored.Value
	c.mu.RUnlock()
	return record.Retention{
		Window: time.Duration(document.Dvr.WindowMs) * time.Millisecond, MaxBytes: document.Dvr.MaxBytes,
		ReserveBytes: c.base.ReserveBytes, Pins: c.archive.pins(document.Id),
	}
}

// retain puts a changed retention in force. The caller holds no lock but live.
func (c *channels) retain(p *program) {
	p.retaining.Lock() // so that the newest set of pins is the last to be set
	defer p.retaining.Unlock()
	c.mu.RLock()
	store := p.store
	c.mu.RUnlock()
	if store != nil {
		store.Retain(c.retention(p))
	}
}

func (c *channels) retainID(channel string) {
	if p, err := c.find(channel); err == nil {
		c.retain(p)
	}
}

// openStore opens a program's store, or gives the one that is open. What it
// holds is served at once.
func (c *channels) openStore(p *program) (*record.Store, error) {
	p.retaining.Lock()
	defer p.retaining.Unlock()
	c.mu.RLock()
	store, id, stopped := p.store, p.id, p.stored.Value.Stopped
	c.mu.RUnlock()
	if store != nil {
		return store, nil
	}
	keep := c.retention(p)
	store, err := record.Open(record.Config{
		Dirs: c.storeDirs(id), Channel: id, Log: c.log,
		Window: keep.Window, MaxBytes: keep.MaxBytes, ReserveBytes: keep.ReserveBytes, Pins: keep.Pins,
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	p.store = store
	c.mu.Unlock()
	c.base.Origin.Add(id, origin.Channel{Store: store, Off: stopped, Starting: !stopped})
	return store, nil
}

// storeDirs are the folders of a channel, one a volume.
func (c *channels) storeDirs(id string) []string {
	dirs := make([]string, len(c.base.Volumes))
	for i, volume := range c.base.Volumes {
		dirs[i] = filepath.Join(volume, id)
	}
	return dirs
}

// volumesAway are the folders of a channel that cannot be used now.
func (c *channels) volumesAway(p *program) []string {
	c.mu.RLock()
	store := p.store
	c.mu.RUnlock()
	if store == nil {
		return nil
	}
	return store.State().Away
}

// openStopped opens the store of a channel that does not run, for the sake of
// its recordings.
func (c *channels) openStopped(p *program) {
	if _, err := c.openStore(p); err != nil {
		c.log.Error("what a stopped channel holds cannot be served", "channel", p.id, "err", err)
	}
}

func (c *channels) closeStore(p *program) error {
	p.retaining.Lock()
	defer p.retaining.Unlock()
	c.mu.Lock()
	store := p.store
	p.store = nil
	c.mu.Unlock()
	if store == nil {
		return nil
	}
	return store.Close()
}

// closeStores ends what the runs, which have ended, left open.
func (c *channels) closeStores() error {
	c.mu.RLock()
	var all []*program
	for id, p := range c.byID {
		c.base.Origin.Remove(id)
		all = append(all, p)
	}
	c.mu.RUnlock()
	var errs []error
	for _, p := range all {
		errs = append(errs, c.closeStore(p))
	}
	return errors.Join(errs...)
}

// gridOf is how a channel's time is cut into segments.
func (c *channels) gridOf(channel string) (cmaf.Grid, bool) {
	p, err := c.find(channel)
	if err != nil {
		return cmaf.Grid{}, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	rate, err := media.ParseRate(string(p.stored.Value.Canvas.Rate))
	return cmaf.NewGrid(rate), err == nil
}
