package rtmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"millrace/ingest"
	"millrace/internal/rtmp"
)

// Why a session ended that was not ended by its publisher's word.
var (
	ErrStalled = errors.New("no audio or video for 6 s")
	ErrLost    = errors.New("the connection broke")
)

// connection is one publisher, from its first byte to its last.
type connection struct {
	server *Server
	conn   net.Conn
	remote netip.AddrPort
	rtmp   *rtmp.Conn
	tracks tracks
	pacer  pacer

	// interrupted is closed once reason is set: the connection is to end.
	interrupted chan struct{}
	mu          sync.Mutex // guards reason, and read deadlines against it
	reason      error
}

func newConnection(s *Server, conn net.Conn, remote netip.AddrPort) *connection {
	return &connection{
		server: s, conn: conn, remote: remote, rtmp: rtmp.NewConn(conn), interrupted: make(chan struct{}),
	}
}

// run serves the connection until it ends or the context does.
func (c *connection) run(ctx context.Context) {
	defer c.server.leave()
	defer c.conn.Close()
	session, err := c.greet(ctx)
	c.server.greeted(c.remote.Addr())
	if session == nil {
		// A port scan or a health check says nothing; that is no news.
		if ctx.Err() == nil && c.rtmp.Received() > 0 {
			c.server.log.warn("RTMP connection refused", "remote", c.remote, "err", err)
		}
		return
	}
	c.server.counters.published.Add(1)
	err = c.publish(ctx, session)
	counts := c.tracks.counts
	c.server.counters.early.Add(counts.Early)
	c.server.counters.malformed.Add(counts.Malformed)
	session.Close(err) // first: the name is free, whatever telling takes
	if err != nil && !errors.Is(err, ErrLost) {
		c.refuse(err)
	}
	if counts != (Counts{}) {
		c.server.config.Log.Info("RTMP publisher sent frames of no use", "remote", c.remote,
			"early", counts.Early, "malformed", counts.Malformed)
	}
}

// greet takes the connection to a granted request, or says why not.
func (c *connection) greet(ctx context.Context) (ingest.Session, error) {
	stop := context.AfterFunc(ctx, func() { c.interrupt(ingest.ErrDown) })
	defer stop()
	c.readBefore(time.Now().Add(greetTimeout))
	asked, err := c.rtmp.Greet()
	if err != nil {
		c.server.counters.failed.Add(1)
		if errors.Is(err, rtmp.ErrPlay) {
			c.linger()
		}
		return nil, err
	}
	request, err := parseRequest(asked)
	request.Remote = c.remote
	var session ingest.Session
	if err == nil {
		session, err = c.server.config.Accept(request)
	}
	if err != nil {
		c.server.counters.refused.Add(1)
		c.refuse(err)
		return nil, err
	}
	if err := c.rtmp.Start(); err != nil {
		session.Close(err)
		return nil, err
	}
	return session, nil
}

// publish hands media to the session until the connection ends. nil: the
// publisher said goodbye.
func (c *connection) publish(ctx context.Context, session ingest.Session) error {
	gone := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { c.watch(ctx, session, gone) })
	defer watch.Wait()
	defer close(gone)
	c.readBefore(time.Now().Add(stallTimeout))
	for {
		m, err := c.rtmp.Media()
		if err != nil {
			return c.ended(err)
		}
		timely, err := c.tracks.take(m, session.Write)
		if err != nil {
			return err
		}
		if timely {
			c.pause()
			c.readBefore(time.Now().Add(stallTimeout))
		}
	}
}

// pause leaves a publisher unread that is too far ahead of real time.
func (c *connection) pause() {
	d := c.pacer.pause(time.Duration(c.tracks.clock.last)*time.Millisecond, time.Now())
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.interrupted:
	}
}

// ended turns the error that ended reading into the session's reason.
func (c *connection) ended(err error) error {
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	switch {
	case reason != nil:
		return reason
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrStalled
	case errors.Is(err, rtmp.ErrProtocol), errors.Is(err, rtmp.ErrPlay):
		return err
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// watch interrupts the connection when its source revokes the session or the
// context ends, until gone is closed. A publisher that can connect elsewhere by
// itself is asked to, and is read on for a while.
func (c *connection) watch(ctx context.Context, session ingest.Session, gone <-chan struct{}) {
	var revoked <-chan struct{}
	source, ok := session.(ingest.Revocable)
	if ok {
		revoked = source.Revoked()
	}
	ended, drained := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case <-gone:
			return
		case <-revoked:
			c.interrupt(source.Reason())
			return
		case <-ended:
			ended = nil
			if drain := c.server.config.Drain; drain > 0 && c.rtmp.Reconnects() &&
				c.rtmp.RequestReconnect("", "The server is going down.") == nil {
				timer := time.NewTimer(drain)
				defer timer.Stop()
				drained = timer.C
				continue
			}
			c.interrupt(ingest.ErrDown)
			return
		case <-drained:
			c.interrupt(ingest.ErrDown)
			return
		}
	}
}

// interrupt makes the connection's goroutine stop reading. Any goroutine.
func (c *connection) interrupt(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return
	}
	c.reason = reason
	close(c.interrupted)
	c.conn.SetReadDeadline(time.Unix(1, 0))
}

// readBefore sets the read deadline, unless the connection was interrupted.
func (c *connection) readBefore(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == nil {
		c.conn.SetReadDeadline(t)
	}
}

// refuse tells the client why it may not publish, or no longer.
func (c *connection) refuse(reason error) {
	code := rtmp.CodeRejected
	switch {
	case errors.Is(reason, ingest.ErrBusy):
		code = rtmp.CodeBadName
	case errors.Is(reason, ingest.ErrBadKey), errors.Is(reason, ingest.ErrForbidden), errors.Is(reason, ingest.ErrUnknownSource):
		code = rtmp.CodeDenied
	}
	if c.rtmp.Refuse(code, reason.Error()) == nil {
		c.linger()
	}
}

// linger gives the client the time to read what was said last: closing with
// bytes unread would reset the connection and take the words away.
func (c *connection) linger() {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	const wait, most = time.Second, 1 << 20 // bytes
	c.conn.SetReadDeadline(time.Now().Add(wait))
	io.CopyN(io.Discard, c.conn, most)
}
