package record

import (
	"context"
	"errors"
	"time"
)

// committer gathers what is appended into group commits, hands them to the
// writer, and lists them: when they are durable, or when the disk is slow.
type committer struct {
	store    *Store
	queue    *queue
	outcomes chan *outcome
	returns  chan *returned
	early    []*returned // that came before the first layout
	layout   *Layout
	born     int64
	version  uint64
	newest   int64 // highest segment listed by this run
	state    State
	logged   time.Time // when degrading was last logged
	warned   bool      // the present degradation was logged

	gathered []*item // not handed to the writer yet
	reached  []int64 // part that each rendition of the layout has reached, counted since the epoch
	batches  []*batch
	queued   int64   // bytes of batches
	gaps     []*held // dropped segments of which the disk does not know yet
}

// batch is one group commit.
type batch struct {
	items  []*item // to be written
	all    []*item // to be listed
	bytes  int64
	handed time.Time
	listed bool
	reset  bool // remove everything first

	returned *returned // a disk that is back
}

// maxGaps bounds how many lost segments are remembered for a disk that is away:
// a missing segment is a gap in any case.
const maxGaps = 4096

func (c *committer) run(ctx context.Context) {
	gather, overdue := stopped(), stopped()
	defer gather.Stop()
	defer overdue.Stop()
	done := ctx.Done()
	for done != nil || len(c.batches) > 0 {
		select {
		case <-c.store.signal:
			c.collect()
			if c.ready() {
				c.commit()
			} else if len(c.gathered) > 0 && !gather.armed {
				gather.arm(gatherTime)
			}
		case <-gather.C:
			gather.armed = false
			c.commit()
		case <-overdue.C:
			overdue.armed = false
			c.overdue()
		case o := <-c.outcomes:
			c.settle(o)
		case r := <-c.returns:
			c.readmit(r)
			c.publish()
		case <-done:
			c.collect()
			c.commit()
			done = nil
		}
		if at, waiting := c.deadline(); waiting && !overdue.armed {
			overdue.arm(time.Until(at))
		}
	}
	c.queue.close()
	for o := range c.outcomes {
		c.settle(o)
	}
}

// alarm is a timer that knows whether it is set.
type alarm struct {
	*time.Timer
	armed bool
}

func stopped() *alarm {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &alarm{Timer: t}
}

func (a *alarm) arm(d time.Duration) { a.Reset(d); a.armed = true }

// collect takes over what was appended.
func (c *committer) collect() {
	items, damaged := c.store.take()
	for _, b := range damaged {
		for _, s := range c.store.series {
			if s.condemn(b) {
				c.store.log.Warn("stored segment does not read back as written", "rendition", s.id)
			}
		}
	}
	for _, i := range items {
		switch {
		case i.chunk == nil:
			c.commit()
			if i.reset {
				c.reset()
			}
			c.enter(i.layout)
		case i.rendition < 0:
			c.state.Refused++
		default:
			c.gathered = append(c.gathered, i)
			parts := int64(i.layout.Grid.Parts())
			c.reached[i.rendition] = i.chunk.Segment*parts + int64(i.chunk.Part)
		}
	}
	if len(damaged) > 0 {
		c.publish()
	}
}

// enter brings a layout into force.
func (c *committer) enter(l *Layout) {
	c.layout = l
	for id, s := range c.store.series {
		if _, stays := l.index(id); !stays {
			s.close()
			s.admitted.held = nil
		}
	}
	c.reached = make([]int64, len(l.Renditions))
	for _, r := range l.Renditions {
		s := c.store.series[r.ID]
		if s == nil {
			s = &series{id: r.ID}
			c.store.series[r.ID] = s
		}
	}
	for _, r := range c.early {
		c.readmit(r)
	}
	c.early = nil
	c.publish()
}

// reset lets go of everything that is stored.
func (c *committer) reset() {
	c.store.log.Warn("channel has another frame rate: what it stored is removed")
	clear(c.store.series)
	c.born, c.newest, c.gaps = -1, 0, nil
	for _, b := range c.batches {
		b.listed = true
		for _, i := range b.items {
			if i.held != nil {
				i.held.dropped = true
			}
		}
	}
	b := &batch{reset: true, handed: time.Now(), listed: true}
	c.batches = append(c.batches, b)
	c.queue.push(b)
}

// ready says that what is gathered makes a group: of every kind of which
// something is there, all renditions have reached the same part.
func (c *committer) ready() bool {
	for _, i := range c.gathered {
		kind := i.layout.Renditions[i.rendition].Track.Kind
		for n, r := range c.layout.Renditions {
			if r.Track.Kind == kind && c.reached[n] != c.reached[i.rendition] {
				return false
			}
		}
	}
	return len(c.gathered) > 0
}

// commit hands what is gathered to the writer as one group.
func (c *committer) commit() {
	if len(c.gathered) == 0 {
		return
	}
	b := &batch{all: c.gathered, handed: time.Now()}
	c.gathered = nil
	c.admit(b)
	c.queued += b.bytes
	c.batches = append(c.batches, b)
	c.queue.push(b)
	if c.state.Degraded {
		c.listAll()
		c.publish()
	}
}

// admit says what of a group is written: not the segments that were given up,
// and none more once the queue is full.
func (c *committer) admit(b *batch) {
	gaps := c.gaps
	c.gaps = nil
	for _, h := range gaps {
		b.items = append(b.items, &item{layout: h.layout, rendition: h.rendition, gap: h})
	}
	full := c.queued >= c.store.config.QueueBytes
	for _, i := range b.all {
		i.held = c.store.series[i.layout.Renditions[i.rendition].ID].admit(i, c.store.report)
		if i.held == nil {
			c.state.Refused++
			continue
		}
		if full {
			c.giveUp(i.held)
		}
		if i.held.dropped {
			continue
		}
		b.items = append(b.items, i)
		b.bytes += recordSize + int64(len(i.chunk.Data))
	}
}

// giveUp leaves a segment in memory only.
func (c *committer) giveUp(h *held) {
	if h.dropped {
		return
	}
	h.dropped = true
	c.state.Dropped++
	c.remember(h)
}

// remember keeps a dropped segment for the next group, to be marked on disk.
func (c *committer) remember(h *held) {
	if len(c.gaps) < maxGaps {
		c.gaps = append(c.gaps, h)
	}
}

// list makes a group visible to the next publish.
func (c *committer) list(b *batch) {
	if b.listed {
		return
	}
	b.listed = true
	for _, i := range b.all {
		if i.held == nil {
			continue
		}
		if c.born < 0 {
			c.born = i.chunk.Segment
		}
		c.newest = max(c.newest, i.chunk.Segment)
		i.held.series.add(i)
	}
}

// listAll lists every group that is on its way to the disk, in order.
func (c *committer) listAll() {
	for _, b := range c.batches {
		c.list(b)
	}
}

// deadline is when the oldest group that is not listed must be.
func (c *committer) deadline() (time.Time, bool) {
	for _, b := range c.batches {
		if !b.listed {
			return b.handed.Add(commitDeadline), true
		}
	}
	return time.Time{}, false
}

// overdue lists from memory what the disk has not taken in time.
func (c *committer) overdue() {
	at, waiting := c.deadline()
	if !waiting || time.Until(at) > 0 {
		return
	}
	c.listAll()
	c.degrade("")
	c.publish()
}

// settle takes the writer's word for the oldest groups.
func (c *committer) settle(o *outcome) {
	for _, b := range o.batches {
		for _, i := range b.items {
			switch {
			case i.gap != nil:
				if i.written.block == nil && i.gap.layout.Grid == c.layout.Grid {
					c.remember(i.gap)
				}
			case i.written.block != nil:
				i.held.written(i.written)
			default:
				c.giveUp(i.held)
			}
		}
		c.list(b)
		c.queued -= b.bytes
	}
	c.batches = c.batches[len(o.batches):]
	c.expire(o.floor)
	c.state.DiskBytes, c.state.LastCommit = o.bytes, o.took
	if o.tried {
		c.state.Commits++
	}
	switch {
	case errors.Is(o.err, errWaiting):
	case o.err != nil:
		c.degrade(o.err.Error())
	case o.tried && len(c.batches) == 0 && o.took < commitDeadline:
		c.restore()
	}
	c.publish()
}

// slowLimit is how long a slow disk may go unsaid: one late commit on a busy
// machine is nothing to wake anybody for, though State shows it.
const slowLimit = time.Second

func (c *committer) degrade(fault string) {
	was := c.state
	if fault != "" {
		c.state.Fault = fault
	}
	if !c.state.Degraded {
		c.state.Degraded, c.state.Since = true, time.Now()
	}
	switch since := time.Since(c.state.Since); {
	case c.warned || time.Since(c.logged) < time.Second:
	case fault != "":
		c.warned, c.logged = true, time.Now()
		c.store.log.Warn("the disk does not take what it is given; listing from memory", "err", fault)
	case since >= slowLimit:
		c.warned, c.logged = true, time.Now()
		c.store.log.Warn("the disk is too slow; listing from memory", "for", since)
	}
	c.changed(was)
}

func (c *committer) restore() {
	was := c.state
	if c.warned {
		c.store.log.Info("the store has caught up", "after", time.Since(c.state.Since))
	}
	c.warned = false
	c.state.Degraded, c.state.Since, c.state.Fault = false, time.Time{}, ""
	c.changed(was)
}

func (c *committer) changed(was State) {
	if c.store.config.OnState != nil && (was.Degraded != c.state.Degraded || was.Fault != c.state.Fault) {
		c.state.QueuedBytes = c.queued
		c.store.config.OnState(c.state)
	}
}

// publish makes one new Edge of everything that has changed.
func (c *committer) publish() {
	c.version++
	r := c.store.retention.Load()
	edge := &Edge{Layout: c.layout, Version: c.version, Born: c.born, changed: make(chan struct{})}
	edge.Changed = edge.changed
	superseded := make([]chan struct{}, 0, len(c.store.series)+1)
	for _, s := range c.store.ordered(c.layout) {
		s.evict(keepSegments, keepLost, r.pins)
		s.expire(c.horizon(r.Window), r.pins)
		if old := s.publish(); old != nil {
			superseded = append(superseded, old)
		}
		edge.listings = append(edge.listings, s.listing)
	}
	c.state.QueuedBytes = c.queued
	state := c.state
	c.store.state.Store(&state) // first: what is listed while not degraded is durable
	if old := c.store.edge.Swap(edge); old != nil {
		superseded = append(superseded, old.changed)
	}
	for _, ch := range superseded {
		close(ch)
	}
}

// horizon is the segment below which nothing is listed, whatever became of the
// blocks: a disk that is away does not make the listing grow.
func (c *committer) horizon(window time.Duration) int64 {
	if window <= 0 || c.layout == nil {
		return 0
	}
	return c.newest - int64(window/c.layout.Grid.SegmentDuration()) - 2*blockSegments
}

// expire lists no longer what lies below floor, or is no longer pinned.
func (c *committer) expire(floor int64) {
	pins := c.store.retention.Load().pins
	for _, s := range c.store.series {
		s.expire(floor, pins)
		s.unpin(pins)
	}
}

// rest is the end of a run: what is in progress is over, and what can be read
// from disk leaves memory.
func (c *committer) rest() {
	for _, s := range c.store.series {
		s.close()
		s.admitted.held = nil
		s.evict(0, keepLost, c.store.retention.Load().pins)
	}
	c.publish()
}
