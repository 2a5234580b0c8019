package srt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/internal/mpegts"
	"millrace/internal/srt"
)

// Why we end a connection.
var (
	errSilent = fmt.Errorf("no media for %v", stallTimeout)
	errParser = errors.New("a transport stream that broke its parser")
)

// connection is one publisher on its way to its session. One goroutine.
type connection struct {
	conn    *srt.Conn
	session ingest.Session
	log     *slog.Logger
	demuxer *mpegts.Demuxer
	units   uint64              // access units written
	arrived []ingest.AccessUnit // with the present piece of the stream
}

func compare(a, b Status) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Remote, b.Remote))
}

// handle serves one publisher from its opening to its end.
func (l *Listener) handle(ctx context.Context, conn *srt.Conn) {
	log := l.config.Log.With("source", conn.Source(), "remote", conn.Remote())
	session, err := l.config.Accept(Request{Source: conn.Source(), Remote: conn.Remote()})
	if err != nil { // another was faster between the handshake and now
		log.Info("SRT publisher refused", "err", err)
		conn.Explain(err.Error())
		return
	}
	c := &connection{conn: conn, session: session, log: log}
	c.demuxer = mpegts.NewDemuxer(c.take)
	l.add(c)
	defer l.remove(c)
	err = c.run(ctx)
	if d, ok := session.(ingest.Describable); ok {
		d.Describe(c.story()...)
	}
	if errors.Is(err, srt.ErrShutdown) {
		session.Close(nil)
	} else {
		session.Close(err)
	}
	conn.Explain(err.Error())
}

// story is what went wrong on the way, as slog takes it.
func (c *connection) story() []any {
	link, stream := c.conn.Stats(), c.demuxer.Stats()
	args := []any{"rttMs", math.Round(link.RTTMs*10) / 10}
	for _, count := range []struct {
		name  string
		value uint64
	}{
		{"lost", uint64(link.Lost)}, {"dropped", uint64(link.Dropped)}, {"undecrypted", uint64(link.Undecrypted)},
		{"gaps", stream.Gaps}, {"damaged", stream.Damaged}, {"overrunBytes", c.conn.Dropped()},
	} {
		if count.value > 0 {
			args = append(args, count.name, count.value)
		}
	}
	return args
}

func (c *connection) take(track *media.Track, pts, dts time.Duration, key bool, data []byte) {
	c.arrived = append(c.arrived, ingest.AccessUnit{Track: track, PTS: pts, DTS: dts, Key: key, Data: data})
}

// write hands over what has arrived at once: the audio frames of one PES
// packet, of which all but the last waited for it.
func (c *connection) write() {
	last := map[string]time.Duration{} // DTS of a track
	for _, unit := range c.arrived {
		last[unit.Track.ID] = unit.DTS
	}
	for _, unit := range c.arrived {
		unit.Wait = last[unit.Track.ID] - unit.DTS
		c.session.Write(unit)
	}
	c.units += uint64(len(c.arrived))
	clear(c.arrived)
	c.arrived = c.arrived[:0]
}

// run reads the stream until something ends it, and says what.
func (c *connection) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watch sync.WaitGroup
	defer watch.Wait()
	gone := make(chan struct{})
	defer close(gone)
	if r, ok := c.session.(ingest.Revocable); ok {
		watch.Go(func() {
			select {
			case <-r.Revoked():
				cancel(r.Reason())
			case <-gone:
			}
		})
	}
	stall := time.AfterFunc(stallTimeout, func() { cancel(errSilent) })
	defer stall.Stop()
	for {
		data, err := c.conn.Read(ctx)
		if errors.Is(err, context.Canceled) {
			return ingest.ErrDown
		}
		if err != nil {
			return err
		}
		before := c.units
		if err := c.read(data); err != nil {
			return err
		}
		if c.units != before {
			stall.Reset(stallTimeout)
		}
	}
}

// read demuxes one piece. What a publisher sends must not end the server: a
// fault of a parser ends the connection alone.
func (c *connection) read(data []byte) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			c.log.Error("parser of transport streams panicked", "fault", fault, "stack", string(debug.Stack()))
			err = errParser
		}
	}()
	c.demuxer.Write(data)
	c.write()
	return nil
}
