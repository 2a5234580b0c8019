package media

import (
	"context"
	"time"
)

// Clock ties the channel timeline to the process's monotonic clock. It is
// immutable; steps of the system clock after its making do not move it.
type Clock struct {
	base   Time
	anchor time.Time // with its monotonic reading
}

// NewClock is the timeline on which the instant anchor reads base.
func NewClock(base Time, anchor time.Time) *Clock { return &Clock{base, anchor} }

// StartClock is the timeline that begins now and reads UTC.
func StartClock() *Clock {
	now := time.Now()
	return NewClock(TimeOf(now), now)
}

// Now is the present instant of the timeline.
func (c *Clock) Now() Time { return c.base.Add(time.Since(c.anchor)) }

// At is the timeline reading of a local instant, which must carry a monotonic
// reading (as time.Now gives it).
func (c *Clock) At(t time.Time) Time { return c.base.Add(t.Sub(c.anchor)) }

// Until is how long from now until t; negative when t has passed.
func (c *Clock) Until(t Time) time.Duration { return t.Sub(c.Now()) }

// SleepUntil returns nil at t, at once if t has passed, or the context's error.
func (c *Clock) SleepUntil(ctx context.Context, t Time) error {
	wait := c.Until(t)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
