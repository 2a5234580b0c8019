package rtmp

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/stretchr/testify/require"
)

// F20: who does not get to the point is gone after 10 s, and frees its place.
func TestF20GreetingHasADeadline(t *testing.T) {
	for name, talk := range map[string]func(net.Conn){
		"says nothing": func(net.Conn) {},
		"a byte a second": func(conn net.Conn) {
			for conn.Write([]byte{3}); ; time.Sleep(time.Second) {
				if _, err := conn.Write([]byte{0}); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, 0)
				defer b.stop()
				start := time.Now()
				conn := b.dial()
				talked := make(chan struct{})
				go func() { defer close(talked); talk(conn) }()
				_, err := io.ReadAll(conn)
				require.NoError(t, err)
				require.Equal(t, 10*time.Second, time.Since(start))
				synctest.Wait()
				require.Zero(t, b.server.all+b.server.waiting+len(b.server.greeting))
				require.EqualValues(t, 1, b.server.Counters().Failed)
				conn.Close()
				<-talked
			})
		})
	}
}

// R05: a dead publisher's name is free within 8 s, and what it sends must be
// media to count.
func TestR05SilentPublisherIsClosed(t *testing.T) {
	for name, dribble := range map[string]func(*client) error{
		"nothing": nil,
		"pings":   func(c *client) error { return c.Write(&message.UserControlPingRequest{}) },
		"metadata": func(c *client) error {
			return c.Write(&message.DataAMF0{ChunkStreamID: 4, Payload: amf0.Data{"@setDataFrame"}})
		},
		"frames without configuration": func(c *client) error {
			return c.Write(&message.Audio{ChunkStreamID: 4, Codec: message.CodecMPEG4Audio, AACType: message.AudioAACTypeAU, AU: []byte{1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, 0)
				defer b.stop()
				c := greetBy(t, b.dial(), goodKey)
				defer c.conn.Close()
				f := <-b.feeds
				for range 20 { // it may be slow
					time.Sleep(5900 * time.Millisecond)
					require.NoError(t, c.mp3())
				}
				synctest.Wait()
				last := time.Now()
				dribbled := make(chan struct{})
				go func() {
					defer close(dribbled)
					for dribble != nil && dribble(c) == nil {
						time.Sleep(500 * time.Millisecond)
					}
				}()
				<-f.closed
				require.ErrorIs(t, f.reason, ErrStalled)
				require.Equal(t, 6*time.Second, time.Since(last))
				require.Len(t, f.units, 20)
				c.hear()
				_, description := c.hear()
				require.Equal(t, ErrStalled.Error(), description)
				<-c.gone
				<-dribbled
				require.False(t, b.busy)
			})
		})
	}
}

// An encoder that never reads, as some do, may go on for as long as it likes.
func TestDeafPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 0)
		defer b.stop()
		ear := make(chan struct{})
		c := greetBy(t, &deaf{b.dial(), ear}, goodKey)
		f := <-b.feeds
		c.hear()
		close(ear)
		require.NoError(t, c.Write(&message.UserControlPingRequest{}), "heard before it grew deaf")
		start := time.Now()
		for range 100 {
			require.NoError(t, c.Write(&message.UserControlPingRequest{}))
			require.NoError(t, c.mp3())
		}
		require.Equal(t, 5*time.Second, time.Since(start), "waited for once")
		synctest.Wait()
		require.Len(t, f.units, 100)
		last := time.Now()
		<-f.closed
		require.ErrorIs(t, f.reason, ErrStalled)
		require.Equal(t, 6*time.Second, time.Since(last), "the name is free before the publisher is told")
		c.conn.Close()
		<-c.gone
	})
}

// deaf is a connection that reads nothing more once ear is closed.
type deaf struct {
	net.Conn
	ear chan struct{}
}

func (d *deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	select {
	case <-d.ear:
		return 0, errors.New("deaf")
	default:
		return n, err
	}
}

// F21: garbage costs a line a second, however much of it comes.
func TestF21GarbageIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 0)
		defer b.stop()
		for range 100 {
			conn := b.dial()
			_, err := conn.Write([]byte("G"))
			require.NoError(t, err)
			_, err = io.ReadAll(conn)
			require.NoError(t, err)
			conn.Close()
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		require.EqualValues(t, 100, b.server.Counters().Failed)
		lines := strings.Count(b.lines.String(), "\n")
		require.LessOrEqual(t, lines, 6, b.lines.String())
		require.GreaterOrEqual(t, lines, 4)
		require.Contains(t, b.lines.String(), "omitted=19")
	})
}

func TestF20PlacesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 0)
		defer b.stop()
		c := greetBy(t, b.dial(), goodKey)
		f := <-b.feeds
		synctest.Wait()
		var idle []net.Conn
		for range maxPerAddress {
			idle = append(idle, b.dial())
		}
		synctest.Wait()
		require.Zero(t, b.server.Counters().Dropped, "a publisher does not count among those that wait")
		over := b.dial()
		_, err := io.ReadAll(over)
		require.NoError(t, err)
		require.EqualValues(t, 1, b.server.Counters().Dropped)
		idle[0].Close()
		synctest.Wait()
		again := b.dial()
		synctest.Wait()
		require.EqualValues(t, 1, b.server.Counters().Dropped)
		for _, conn := range append(idle, again, over, c.conn) {
			conn.Close()
		}
		<-f.closed
		require.ErrorIs(t, f.reason, ErrLost)
	})
}

// F20: what strangers hold open is bounded, whatever they claim to send.
func TestF20MemoryIsFlat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 0)
		defer b.stop()
		heap := func() int64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		var conns []net.Conn
		for range maxPerAddress {
			conn := b.dial()
			_, _, err := handshake.DoClient(conn, false, true)
			require.NoError(t, err)
			for stream := range byte(60) { // messages of 1 kB that never end
				_, err := conn.Write(append([]byte{stream + 3, 0, 0, 0, 0, 4, 0, 20, 0, 0, 0, 0}, make([]byte, 128)...))
				require.NoError(t, err)
			}
			conns = append(conns, conn)
		}
		synctest.Wait()
		require.Less(t, heap()-before, int64(maxPerAddress*(128<<10)))
		for _, conn := range conns {
			conn.Close()
		}
	})
}

// F22: a publisher that sends as fast as it can is read at 1.1 times real time
// after the first 10 s.
func TestF22FastPublisherIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 0)
		defer b.stop()
		c := greetBy(t, b.dial(), goodKey)
		f := <-b.feeds
		start := time.Now()
		for at := time.Duration(0); at < 120*time.Second; at += 20 * time.Millisecond {
			require.NoError(t, c.Write(&message.Audio{
				ChunkStreamID: 4, MessageStreamID: 1 << 24, DTS: at, Codec: message.CodecMPEG1Audio, AU: []byte{0xff, 0xfb, 0x90, 0x64, 0},
			}))
		}
		require.InDelta(t, 100, time.Since(start).Seconds(), 1)
		c.conn.Close()
		<-f.closed
	})
}

// failing is a listener that is out of descriptors for a while.
type failing struct {
	net.Listener
	times int
}

func (l *failing) Accept() (net.Conn, error) {
	if l.times > 0 {
		l.times--
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestAcceptErrorsAreWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPorts()
		r := &registry{feeds: make(chan *feed, 1)}
		s := New(Config{Listener: &failing{p, 20}, Accept: r.accept})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		start := time.Now()
		conn := p.dial()
		require.Greater(t, time.Since(start), 10*time.Second, "not in a hurry")
		conn.Close()
		cancel()
		require.NoError(t, <-done)
	})
}
