package srt

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type message struct {
	kind    byte
	payload []byte
}

// wire is one end of a socket made of channels.
type wire struct {
	in, out chan message
	broken  chan struct{}
}

var errBroken = errors.New("socket broke")

func wires() (near, far *wire) {
	a, b, broken := make(chan message), make(chan message), make(chan struct{})
	return &wire{a, b, broken}, &wire{b, a, broken}
}

func (w *wire) Send(kind byte, parts ...[]byte) error {
	select {
	case w.out <- message{kind, bytes.Join(parts, nil)}:
		return nil
	case <-w.broken:
		return errBroken
	}
}

func (w *wire) Receive() (byte, []byte, error) {
	select {
	case m := <-w.in:
		return m.kind, m.payload, nil
	case <-w.broken:
		return 0, nil, errBroken
	}
}

func receive[T any](t *testing.T, w *wire, kind byte) T {
	t.Helper()
	got, payload, err := w.Receive()
	require.NoError(t, err)
	require.Equal(t, kind, got)
	value, err := ReadJSON[T](payload)
	require.NoError(t, err)
	return value
}

// serving runs a client against the returned wire until the test ends it.
func serving(t *testing.T, client *Client) (far *wire, end func() error) {
	near, far := wires()
	done := make(chan error, 1)
	go func() { done <- client.Serve(t.Context(), near) }()
	receive[Config](t, far, KindConfig)
	return far, func() error {
		close(far.broken)
		return <-done
	}
}

func TestTheTableSurvivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := NewClient(ClientConfig{})
		client.SetTable(Table{Connections: 1})
		far, end := serving(t, client)
		require.Equal(t, 1, receive[Table](t, far, KindTable).Connections)
		client.SetTable(Table{Connections: 2})
		require.Equal(t, 2, receive[Table](t, far, KindTable).Connections)
		require.ErrorIs(t, end(), errBroken)
		client.SetTable(Table{Connections: 3})
		far, end = serving(t, client)
		require.Equal(t, 3, receive[Table](t, far, KindTable).Connections)
		require.ErrorIs(t, end(), errBroken)
	})
}

func TestConnectionsEndWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got [][]byte
		reasons := make(chan error, 10)
		client := NewClient(ClientConfig{Handle: func(ctx context.Context, conn *Conn) {
			for {
				data, err := conn.Read(ctx)
				if err != nil {
					reasons <- err
					return
				}
				got = append(got, data)
			}
		}})
		far, end := serving(t, client)
		receive[Table](t, far, KindTable)
		for id := range uint64(3) {
			require.NoError(t, SendJSON(far, KindOpened, Opened{ID: id, Source: "cam1"}))
		}
		require.NoError(t, SendData(far, 1, []byte("hello")))
		require.NoError(t, SendData(far, 99, []byte("nobody")))
		require.NoError(t, SendJSON(far, KindClosed, Closed{ID: 1, Flowing: true}))
		require.ErrorIs(t, <-reasons, ErrShutdown)
		require.Equal(t, [][]byte{[]byte("hello")}, got)
		require.NoError(t, SendJSON(far, KindClosed, Closed{ID: 2}))
		require.ErrorIs(t, <-reasons, ErrBroken)
		require.ErrorIs(t, end(), errBroken)
		require.ErrorIs(t, <-reasons, ErrProcess)
	})
}

// A handler that is done has its connection closed, and one that is slow costs
// a bounded amount.
func TestSlowHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var dropped uint64
		client := NewClient(ClientConfig{Handle: func(_ context.Context, conn *Conn) {
			<-release
			dropped = conn.Dropped()
			conn.Explain("enough")
		}})
		far, end := serving(t, client)
		receive[Table](t, far, KindTable)
		require.NoError(t, SendJSON(far, KindOpened, Opened{ID: 7}))
		piece := make([]byte, 1<<20)
		for range 10 {
			require.NoError(t, SendData(far, 7, piece))
		}
		synctest.Wait()
		close(release)
		require.Equal(t, Closing{7, "enough"}, receive[Closing](t, far, KindClose))
		require.Equal(t, uint64(2<<20), dropped)
		require.NoError(t, SendData(far, 7, piece))
		require.ErrorIs(t, end(), errBroken)
	})
}

func TestListeningIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := make(chan error, 2)
		client := NewClient(ClientConfig{Config: Config{Listen: ":8890"}, OnListening: func(_ string, err error) { heard <- err }})
		far, end := serving(t, client)
		receive[Table](t, far, KindTable)
		require.NoError(t, SendJSON(far, KindListening, Listening{Address: ":8890"}))
		require.NoError(t, <-heard)
		require.NoError(t, SendJSON(far, KindListening, Listening{Error: "bind: nope", InUse: true}))
		err := <-heard
		require.ErrorIs(t, err, ErrInUse)
		require.ErrorContains(t, err, ":8890")
		require.ErrorIs(t, end(), errBroken)
	})
}

func TestTheProcessIsAskedToQuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := wires()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		client := NewClient(ClientConfig{})
		go func() { done <- client.Serve(ctx, near) }()
		receive[Config](t, far, KindConfig)
		receive[Table](t, far, KindTable)
		cancel()
		kind, _, err := far.Receive()
		require.NoError(t, err)
		require.Equal(t, KindQuit, kind)
		time.Sleep(time.Minute)
		require.Empty(t, done, "it waits for the process")
		close(far.broken)
		require.NoError(t, <-done)
	})
}
