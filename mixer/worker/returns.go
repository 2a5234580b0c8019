package worker

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"millrace/internal/media"
)

// maxReturns is how many returns a channel can have: no more than sources.
const maxReturns = maxInputs

// maxBehind is how far before now a worker may begin a return: one that lags
// further is replaced anyway.
const maxBehind = 30 * time.Second

// Begin is told that the attached worker begins a return. An error says that
// the worker must be replaced.
func (c *Continuity) Begin(begin *Begin) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(begin); err != nil {
		return fmt.Errorf("%w: begin %q: %w", ErrContinuity, begin.Rendition.ID, err)
	}
	return nil
}

func (c *Continuity) begin(begin *Begin) error {
	if !c.attached {
		return errors.New("before the start")
	}
	if c.streams[begin.Stream] != nil {
		return fmt.Errorf("stream %d is another rendition", begin.Stream)
	}
	if slices.ContainsFunc(c.lines, func(l *line) bool { return l.id == begin.Rendition.ID }) {
		return errors.New("it is there already")
	}
	if len(c.lines)-c.program >= maxReturns {
		return fmt.Errorf("there are %d returns", maxReturns)
	}
	if begin.First < 0 || begin.First > 1<<52 {
		return fmt.Errorf("access unit %d", begin.First)
	}
	line, err := c.newReturn(begin.Rendition, begin.First)
	if err != nil {
		return err
	}
	at := line.due()
	if ahead := at.Sub(c.clock.Now()); ahead > maxAhead || -ahead > maxBehind || at < c.ended {
		return fmt.Errorf("access unit %d is out of time", begin.First)
	}
	line.await(begin.First)
	c.lines = append(c.lines, line)
	c.streams[begin.Stream] = line
	return nil
}

// End is told that the attached worker ends a return.
func (c *Continuity) End(stream uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.lines, c.streams[stream])
	if i < c.program {
		return fmt.Errorf("%w: end of stream %d, which is no return", ErrContinuity, stream)
	}
	c.over(c.lines[i])
	c.lines = slices.Delete(c.lines, i, i+1)
	delete(c.streams, stream)
	return nil
}

// over notes where a return ended: none begins before.
func (c *Continuity) over(l *line) { c.ended = max(c.ended, l.due()) }

// keepReturns makes the returns those of a new worker: what it does not have
// is over, and what is new begins with its first frame.
func (c *Continuity) keepReturns(renditions []Rendition, start int64) {
	old := c.lines[c.program:]
	lines := slices.Clone(c.lines[:c.program])
	for _, rendition := range renditions {
		i := slices.IndexFunc(old, func(l *line) bool { return l.id == rendition.ID })
		if i >= 0 {
			lines = append(lines, old[i])
			continue
		}
		if line, err := c.newReturn(rendition, 0); err == nil { // Compatible has seen it
			line.next = line.begin(start)
			lines = append(lines, line)
		}
	}
	for _, l := range old {
		if !slices.Contains(lines, l) {
			c.over(l)
		}
	}
	c.lines = lines
}

// newReturn is a line from access unit first on, with the silence of the
// program's sound of the same format.
func (c *Continuity) newReturn(rendition Rendition, first int64) (*line, error) {
	if rendition.Return == "" || rendition.ID != ReturnID(rendition.Return) || rendition.Track.ID != rendition.ID {
		return nil, errors.New("is no return")
	}
	for _, l := range c.lines[:c.program] {
		if !l.video() && sameFormat(l.track, rendition.Track) {
			return &line{id: rendition.ID, track: rendition.Track, rate: c.rate, grid: l.grid, filler: l.filler, next: first}, nil
		}
	}
	return nil, errors.New("has not the format of the program's sound")
}

// sameFormat says whether both tracks are the same to a decoder, but for their
// Config.
func sameFormat(a, b *media.Track) bool {
	return a.Kind == b.Kind && a.Codec == b.Codec && a.Width == b.Width && a.Height == b.Height &&
		a.SampleRate == b.SampleRate && a.Channels == b.Channels
}
