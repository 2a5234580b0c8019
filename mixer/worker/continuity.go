package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"millrace/internal/media"
)

// ErrContinuity says that a worker broke the promise that every frame number
// comes once, in order and on time. The worker must be replaced.
var ErrContinuity = errors.New("worker breaks the timeline")

// startLead is how many ticks ahead of the clock a ready worker is started, so
// that the message reaches it before its first tick is due.
const startLead = 3

// maxAhead is how far ahead of the clock a worker's output may be.
const maxAhead = time.Second

// maxUnit is the largest access unit of a program, in bytes.
const maxUnit = 8 << 20

// Continuity keeps the output timeline of a channel whole: from its first
// frame on, each rendition gets every access unit number exactly once, in
// order, and an IDR at every multiple of the GOP, whatever becomes of workers.
// A worker's packets pass while they are the next ones; while no worker is
// attached, filler stands in, by the clock. Returns have such a timeline too,
// from where a worker begins them until it or a later one leaves them out.
//
// Its methods may be called from any goroutine. It holds its lock while it
// writes to the sink, so the sink must not call back.
type Continuity struct {
	clock *media.Clock
	rate  media.Rate
	gop   int64
	first int64 // frame at which the timeline begins
	sink  media.Sink

	mu       sync.Mutex
	lines    []*line // the program's, then the returns
	program  int     // how many of them are the program's
	attached bool
	streams  map[uint32]*line // of the attached worker
	ended    media.Time       // where the latest return ended
	changed  chan struct{}
}

// ContinuityConfig is what a Continuity is made of.
type ContinuityConfig struct {
	Clock      *media.Clock
	Rate       media.Rate
	GOPFrames  int64
	Renditions []Rendition // of the first worker, with filler; the program's for the life of the channel
	FirstFrame int64       // where the timeline begins
	Sink       media.Sink  // gets every packet of the program
}

// NewContinuity checks that the filler can carry every rendition.
func NewContinuity(config ContinuityConfig) (*Continuity, error) {
	c := &Continuity{
		clock: config.Clock, rate: config.Rate, gop: config.GOPFrames, first: config.FirstFrame, sink: config.Sink,
		changed: make(chan struct{}, 1),
	}
	if c.gop < 1 || len(config.Renditions) == 0 {
		return nil, errors.New("make continuity: no renditions or no GOP")
	}
	for _, rendition := range config.Renditions {
		if rendition.Return != "" {
			continue // Attach begins it
		}
		line, err := newLine(rendition, c.rate, c.gop, c.first)
		if err != nil {
			return nil, fmt.Errorf("take filler of rendition %q: %w", rendition.ID, err)
		}
		c.lines = append(c.lines, line)
	}
	c.program = len(c.lines)
	if err := c.Compatible(config.Renditions); err != nil {
		return nil, err
	}
	return c, nil
}

// Compatible says whether a worker can carry on the program's renditions, and
// whether what follows them are returns.
func (c *Continuity) Compatible(renditions []Rendition) error {
	if len(renditions) < c.program {
		return fmt.Errorf("%w: %d renditions, the channel has %d", ErrContinuity, len(renditions), c.program)
	}
	for i, rendition := range renditions {
		var err error
		if i < c.program {
			err = c.lines[i].compatible(rendition)
		} else {
			_, err = c.newReturn(rendition, 0)
		}
		if err != nil {
			return fmt.Errorf("%w: rendition %q: %w", ErrContinuity, rendition.ID, err)
		}
	}
	return nil
}

// Sets is the configuration of every rung, by its id: what the init sections list.
func (c *Continuity) Sets() map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	sets := map[string][]byte{}
	for _, line := range c.lines[:c.program] {
		if line.video() {
			sets[line.id] = line.track.Config
		}
	}
	return sets
}

// Attach is told that a worker is ready, with renditions that are compatible;
// the answer is the frame it must start at. Filler goes on up to the frame
// before, and in what the worker withdraws; returns that it leaves out are over.
func (c *Continuity) Attach(renditions []Rendition, withdrawn map[string]string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := max(c.first, c.rate.Index(c.clock.Now())+startLead)
	if newest, written := c.newestFrame(); written || start > c.first {
		// The worker's IDR must have no IDR for a neighbour: neither the one
		// that opens the filler, nor one at a GOP's boundary.
		start = max(start, newest+3)
		if (start-1)%c.gop == 0 {
			start++
		}
	}
	c.attached = true
	c.keepReturns(renditions[c.program:], start)
	c.streams = make(map[uint32]*line, len(c.lines))
	for i, line := range c.lines { // in the order of renditions
		if withdrawn[line.id] != "" {
			line.withdraw()
			continue
		}
		line.await(line.begin(start))
		c.streams[uint32(i)] = line
	}
	c.wake()
	return start
}

// newestFrame is the newest frame that any rung got; false before the first.
func (c *Continuity) newestFrame() (int64, bool) {
	newest := c.first - 1
	for _, line := range c.lines {
		if line.video() {
			newest = max(newest, line.next-1)
		}
	}
	return newest, newest >= c.first
}

// Detach is told that the worker is gone. Filler begins with the next access
// unit of each rendition.
func (c *Continuity) Detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attached, c.streams = false, nil
	for _, line := range c.lines {
		line.running = false
	}
	c.wake()
}

// Write takes a packet of the attached worker, of the rendition with that
// index in Ready or that number in its Begin. An error says that the worker
// must be replaced.
func (c *Continuity) Write(stream uint32, packet *media.Packet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.attached {
		return fmt.Errorf("%w: packet before its start", ErrContinuity)
	}
	line := c.streams[stream]
	if line == nil {
		return fmt.Errorf("%w: unknown rendition %d", ErrContinuity, stream)
	}
	if err := c.pass(line, packet); err != nil {
		return fmt.Errorf("%w: rendition %q: %w", ErrContinuity, line.id, err)
	}
	return nil
}

func (c *Continuity) pass(line *line, packet *media.Packet) error {
	number, exact := line.number(packet.PTS)
	begin := line.start
	switch {
	case !exact || packet.DTS != packet.PTS:
		return fmt.Errorf("packet at %d, %d lies on no tick", packet.PTS, packet.DTS)
	case len(packet.Data) == 0 || len(packet.Data) > maxUnit:
		return fmt.Errorf("number %d has %d bytes", number, len(packet.Data))
	case packet.PTS.Sub(c.clock.Now()) > maxAhead:
		return fmt.Errorf("number %d is ahead of the clock", number)
	case line.running && number != line.next:
		return fmt.Errorf("number %d where %d is next", number, line.next)
	case line.video() && !packet.Key && (number%c.gop == 0 || !line.running):
		return fmt.Errorf("frame %d is no IDR", number)
	case !line.running && line.video() && number != begin:
		return fmt.Errorf("starts at frame %d instead of %d", number, begin)
	case !line.running && number < max(line.next, begin):
		return nil // an audio encoder's priming
	case !line.running && number > begin+line.second():
		return fmt.Errorf("starts at access unit %d instead of %d", number, begin)
	}
	for line.next < number { // the clock has not come to the last filler yet
		c.sink.Write(line.fill())
	}
	line.running = true
	c.sink.Write(line.pass(packet))
	return nil
}

// Overdue says which rendition got nothing from the attached worker for longer
// than limit; nil while all is well or no worker is attached.
func (c *Continuity) Overdue(limit time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.attached {
		return nil
	}
	for _, line := range c.lines {
		if line.without {
			continue
		}
		waited := time.Since(line.passed)
		if late := c.clock.Now().Sub(line.at(line.start)); !line.running && late < waited {
			waited = late // nothing is due before the start
		}
		if waited > limit {
			return fmt.Errorf("%w: rendition %q got nothing for %v", ErrContinuity, line.id, waited.Round(time.Millisecond))
		}
	}
	return nil
}

// Filled is how many access units of filler each rendition got, by id.
func (c *Continuity) Filled() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	filled := make(map[string]int64, len(c.lines))
	for _, line := range c.lines {
		filled[line.id] = line.filled
	}
	return filled
}

// Run writes filler when it is due, until ctx ends.
func (c *Continuity) Run(ctx context.Context) error {
	for {
		due, waiting := c.fillDue()
		if err := c.sleep(ctx, due, waiting); err != nil {
			return nil
		}
	}
}

// fillDue writes all filler that is due, in the order of time, and says when
// the next one is; false when none will be until something changes.
func (c *Continuity) fillDue() (media.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	for {
		next := c.earliest()
		if next == nil {
			return 0, false
		}
		if due := next.due(); due > now {
			return due, true
		}
		c.sink.Write(next.fill())
	}
}

// earliest is the line whose next filler is due first; nil when a worker
// carries all of them.
func (c *Continuity) earliest() *line {
	var first *line
	for _, line := range c.lines {
		if line.running || c.attached && !line.without && line.next >= line.start {
			continue
		}
		if first == nil || line.due() < first.due() {
			first = line
		}
	}
	return first
}

// sleep returns nil when due is reached or something changed.
func (c *Continuity) sleep(ctx context.Context, due media.Time, waiting bool) error {
	var alarm <-chan time.Time
	if waiting {
		timer := time.NewTimer(c.clock.Until(due))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-alarm:
	case <-c.changed:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// wake tells Run that Attach or Detach changed what is due.
func (c *Continuity) wake() {
	select {
	case c.changed <- struct{}{}:
	default: // it will look anyway
	}
}
