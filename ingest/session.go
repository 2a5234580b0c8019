package ingest

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// session is the Session that Source hands out. It is Revocable.
type session struct {
	source  *Source
	once    sync.Once
	placed  bool // its times are the timeline's
	revoked chan struct{}
	reason  error       // set before revoked is closed
	story   []any       // guarded by the source
	asked   atomic.Bool // whether a keyframe is wanted, at least once
	key     atomic.Bool // a keyframe is wanted
}

func (c *session) Write(u AccessUnit) { c.source.write(c, u) }

// Describe implements Describable.
func (c *session) Describe(attributes ...any) {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	c.story = attributes
}

// Close tells the source that the publisher is gone.
func (c *session) Close(reason error) {
	s := c.source
	if errors.Is(reason, io.EOF) {
		reason = nil
	}
	s.mu.Lock()
	mine := s.session == c
	args := []any{"source", s.config.ID}
	if mine {
		s.end(reason)
		args = append(append(args, s.health.summary(s.config.Clock.Now())...), c.story...)
	}
	s.mu.Unlock()
	if reason != nil {
		args = append(args, "err", reason)
	}
	if mine {
		s.config.Log.Info("publisher gone", args...)
		s.report()
	}
}

func (c *session) revoke(reason error) {
	c.once.Do(func() {
		c.reason = reason
		close(c.revoked)
	})
}

// Wanted implements Sized.
func (c *session) Wanted() (size Size) {
	if wanted := c.source.wanted.Load(); wanted != nil {
		size = *wanted
	}
	return size
}

// KeyWanted implements Keyed.
func (c *session) KeyWanted() bool {
	c.asked.Store(true)
	return c.key.Swap(false)
}

func (c *session) Revoked() <-chan struct{} { return c.revoked }

func (c *session) Reason() error { return c.reason }
