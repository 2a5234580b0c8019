package ingest

import (
	"errors"
	"io"
	"sync"
)

// session is the Session that Source hands out. It is Revocable.
type session struct {
	source  *Source
	once    sync.Once
	revoked chan struct{}
	reason  error // set before revoked is closed
}

func (c *session) Write(u AccessUnit) { c.source.write(c, u) }

// Close tells the source that the publisher is gone.
func (c *session) Close(reason error) {
	s := c.source
	if errors.Is(reason, io.EOF) {
		reason = nil
	}
	s.mu.Lock()
	mine := s.session == c
	if mine {
		s.end(reason)
	}
	s.mu.Unlock()
	if mine {
		s.config.Log.Info("publisher gone", "source", s.config.ID, "err", reason)
		s.report()
	}
}

func (c *session) revoke(reason error) {
	c.once.Do(func() {
		c.reason = reason
		close(c.revoked)
	})
}

func (c *session) Revoked() <-chan struct{} { return c.revoked }

func (c *session) Reason() error { return c.reason }
