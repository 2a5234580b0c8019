package srt

import (
	"context"
	"sync"
)

// Conn is one publisher at the srt process. Its stream is read by one
// goroutine, its handler's.
type Conn struct {
	opened Opened

	mu        sync.Mutex
	queue     [][]byte
	bytes     int
	dropped   uint64 // bytes that the handler was too slow for
	stats     Stats
	err       error // why it has ended
	discarded bool  // nobody reads any more
	why       string

	ready chan struct{} // there is something to read, or the end
}

func newConn(opened Opened) *Conn { return &Conn{opened: opened, ready: make(chan struct{}, 1)} }

// Source is where it publishes to.
func (c *Conn) Source() string { return c.opened.Source }

// Remote is the publisher's address and port.
func (c *Conn) Remote() string { return c.opened.Remote }

// Stats are its latest figures.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Dropped counts bytes that were thrown away because the handler was too slow.
func (c *Conn) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Read waits for the next piece of the stream, which is the caller's to keep.
// After everything was read it gives the reason why the connection has ended.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	for {
		c.mu.Lock()
		if len(c.queue) > 0 {
			data := c.queue[0]
			c.queue[0] = nil
			c.queue = c.queue[1:]
			c.bytes -= len(data)
			c.mu.Unlock()
			return data, nil
		}
		err := c.err
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-c.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Explain says why the handler will return before the publisher is gone.
func (c *Conn) Explain(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.why = reason
}

func (c *Conn) reason() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

func (c *Conn) push(data []byte) {
	c.mu.Lock()
	switch {
	case c.discarded:
	case c.bytes+len(data) > queueLimit:
		c.dropped += uint64(len(data))
	default:
		c.queue = append(c.queue, data)
		c.bytes += len(data)
	}
	c.mu.Unlock()
	c.signal()
}

func (c *Conn) signal() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

func (c *Conn) end(reason error) {
	c.mu.Lock()
	c.err = reason
	c.mu.Unlock()
	c.signal()
}

func (c *Conn) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

// discard lets everything go that is still to come.
func (c *Conn) discard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.discarded, c.queue, c.bytes = true, nil, 0
}

func (c *Conn) setStats(stats Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats = stats
}
