package rtmp

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/stretchr/testify/require"

	"millrace/ingest"
)

// bubble is a server in a bubble of time, without a network.
type bubble struct {
	*ports
	*registry
	server *Server
	lines  *bytes.Buffer
	stop   func() // ends the context and waits for Run
}

func newBubble(t *testing.T, drain time.Duration) *bubble {
	b := &bubble{ports: newPorts(), registry: &registry{feeds: make(chan *feed, 16)}, lines: new(bytes.Buffer)}
	b.server = New(Config{
		Listener: b.ports, Accept: b.accept, Drain: drain, Log: slog.New(slog.NewTextHandler(b.lines, nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.server.Run(ctx) }()
	b.stop = func() {
		cancel()
		require.NoError(t, <-done)
	}
	return b
}

func TestShutdownSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, time.Minute)
		c := greetBy(t, b.dial(), goodKey)
		waiting := b.dial()
		f := <-b.feeds
		start := time.Now()
		b.stop()
		require.Zero(t, time.Since(start), "who cannot connect elsewhere by itself is not waited for")
		<-f.closed
		require.ErrorIs(t, f.reason, ingest.ErrDown)
		c.hear()
		code, description := c.hear()
		require.Equal(t, []string{"NetStream.Publish.Rejected", ingest.ErrDown.Error()}, []string{code, description})
		<-c.gone
		c.conn.Close()
		waiting.Close()
	})
}

// R08: a client that can is asked to connect again, and read until it leaves.
func TestR08Drain(t *testing.T) {
	for name, leaves := range map[string]bool{"it leaves": true, "it stays": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, time.Minute)
				c := greetBy(t, b.dial(), goodKey, amf0.ObjectEntry{Key: "capsEx", Value: float64(1)})
				f := <-b.feeds
				c.hear()
				synctest.Wait()
				stopped := make(chan time.Duration, 1)
				start := time.Now()
				go func() { b.stop(); stopped <- time.Since(start) }()
				code, _ := c.hear()
				require.Equal(t, "NetConnection.Connect.ReconnectRequest", code)
				for range 10 {
					time.Sleep(time.Second)
					require.NoError(t, c.mp3())
				}
				synctest.Wait()
				require.Len(t, f.units, 10)
				if leaves {
					// The server may hang up before the pipe says that it has read it.
					_ = c.Write(&message.CommandAMF0{ChunkStreamID: 3, Name: "deleteStream", CommandID: 9, Arguments: amf0.Data{nil, 1.0}})
					<-f.closed
					require.NoError(t, f.reason)
					require.Equal(t, 10*time.Second, <-stopped)
				} else {
					for c.mp3() == nil {
						time.Sleep(time.Second)
					}
					<-f.closed
					require.ErrorIs(t, f.reason, ingest.ErrDown)
					require.Equal(t, time.Minute, <-stopped)
				}
				c.conn.Close()
				<-c.gone
			})
		})
	}
}

func TestRevokedWhilePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 0)
		defer b.stop()
		c := greetBy(t, b.dial(), goodKey)
		f := <-b.feeds
		for _, at := range []time.Duration{0, 9 * time.Second, 18 * time.Second} {
			require.NoError(t, c.Write(&message.Audio{
				ChunkStreamID: 4, DTS: at, Codec: message.CodecMPEG1Audio, AU: []byte{0xff, 0xfb, 0x90, 0x64, 0},
			}))
		}
		synctest.Wait() // the connection pauses for 8 s
		start := time.Now()
		f.why = ingest.ErrForbidden
		close(f.revoke)
		<-f.closed
		require.Zero(t, time.Since(start))
		require.ErrorIs(t, f.reason, ingest.ErrForbidden)
		<-c.gone
		c.conn.Close()
	})
}

// R04, R06: the client hears one status, an error, and never Publish.Start.
func TestRefusalCodes(t *testing.T) {
	for err, code := range map[error]string{
		ingest.ErrBusy:          "NetStream.Publish.BadName",
		ingest.ErrBadKey:        "NetStream.Publish.Denied",
		ingest.ErrUnknownSource: "NetStream.Publish.Denied",
		ingest.ErrForbidden:     "NetStream.Publish.Denied",
		ingest.ErrOverload:      "NetStream.Publish.Rejected",
		ingest.ErrDown:          "NetStream.Publish.Rejected",
	} {
		t.Run(err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, 0)
				defer b.stop()
				b.server.config.Accept = func(Request) (ingest.Session, error) {
					return nil, fmt.Errorf("source %q: %w", "cam1", err)
				}
				c := greetBy(t, b.dial(), "secret-of-cam1-0123456789")
				<-c.gone
				require.Len(t, c.said, 1)
				said, description := c.hear()
				require.Equal(t, code, said)
				require.Equal(t, `source "cam1": `+err.Error(), description)
				c.conn.Close()
				synctest.Wait()
				require.Contains(t, b.lines.String(), err.Error())
				require.NotContains(t, b.lines.String(), "secret", "no key is ever logged")
			})
		})
	}
}

func TestUnsupportedCodecIsToldAndClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 0)
		defer b.stop()
		c := greetBy(t, b.dial(), goodKey)
		f := <-b.feeds
		c.hear()
		require.NoError(t, c.Write(&message.Audio{ChunkStreamID: 4, Codec: message.CodecPCMA, AU: []byte{1, 2}}))
		code, description := c.hear()
		require.Equal(t, []string{"NetStream.Publish.Rejected", "G.711 audio is not supported"}, []string{code, description})
		<-f.closed
		require.ErrorContains(t, f.reason, "G.711")
		<-c.gone
		c.conn.Close()
	})
}

func TestListenerThatIsGoneIsAnError(t *testing.T) {
	p := newPorts()
	p.Close()
	require.ErrorIs(t, New(Config{Listener: p}).Run(t.Context()), net.ErrClosed)
}
