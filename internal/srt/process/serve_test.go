package process

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/child"
	"millrace/internal/srt"
	"millrace/internal/srt/srttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is the process and its client, in this process.
type rig struct {
	client  *srt.Client
	address string
	conns   chan *srt.Conn
	release chan struct{}
}

const keyOne, keyTwo, phrase = "one-one-one-one-one-1", "two-two-two-two-two-2", "correct horse battery"

func table() srt.Table {
	return srt.Table{Connections: 3, Entries: []srt.Entry{
		{Source: "cam1", Keys: []srt.Hash{srt.HashKey(keyOne)}},
		{Source: "cam2", Keys: []srt.Hash{srt.HashKey(keyTwo)}, Passphrase: phrase},
		{Source: "busy", Keys: []srt.Hash{srt.HashKey("busy")}, Busy: true},
		{Source: "file", Keys: []srt.Hash{srt.HashKey("file")}, Forbidden: true},
	}}
}

func start(t *testing.T) *rig { return startWith(t, 120) }

func startWith(t *testing.T, latencyMs int) *rig {
	t.Helper()
	near, far, err := child.Pair()
	require.NoError(t, err)
	r := &rig{conns: make(chan *srt.Conn, 10), release: make(chan struct{})}
	listening := make(chan string, 1)
	r.client = srt.NewClient(srt.ClientConfig{
		Config: srt.Config{Listen: "127.0.0.1:0", LatencyMs: latencyMs},
		Handle: func(ctx context.Context, conn *srt.Conn) {
			r.conns <- conn
			select {
			case <-r.release:
			case <-ctx.Done():
			}
		},
		OnListening: func(address string, err error) {
			require.NoError(t, err)
			listening <- address
		},
	})
	r.client.SetTable(table())
	ctx, cancel := context.WithCancel(context.Background())
	served, processed := make(chan error, 1), make(chan error, 1)
	go func() { served <- r.client.Serve(ctx, near) }()
	go func() {
		err := Serve(far)
		_ = far.Close()
		processed <- err
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-processed)
		require.NoError(t, <-served)
		require.NoError(t, near.Close())
	})
	r.address = <-listening
	require.Eventually(t, func() bool { // the table arrives after the listener is up
		_, err := srttest.Dial(r.address, "nonsense", "")
		return err == srttest.RejectError(srt.RejectKey)
	}, 5*time.Second, 10*time.Millisecond)
	return r
}

func TestRefusals(t *testing.T) {
	r := start(t)
	const badSecret, unsecure = 10, 11 // SRT_REJ_BADSECRET, SRT_REJ_UNSECURE
	cases := []struct {
		name, streamID, passphrase string
		want                       srttest.RejectError
	}{
		{"wrong key", "publish:cam1:" + keyTwo, "", 1401},
		{"no key", "#!::r=cam1,m=publish", "", 1401},
		{"no stream ID", "", "", 1401},
		{"unknown source", "publish:cam9:" + keyOne, "", 1404},
		{"syntax", "#!::r", "", 1400},
		{"wants to watch", "#!::r=cam1,s=" + keyOne, "", 1405},
		{"busy", "busy", "", 1409},
		{"takes no publisher", "file", "", 1403},
		{"512 characters", strings.Repeat("x", 512), "", 1401},
		{"S03 wrong passphrase", keyTwo, "wrong horse battery", badSecret},
		{"S03 no passphrase", keyTwo, "", unsecure},
		{"S03 passphrase of the caller only", keyOne, phrase, unsecure},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := srttest.Dial(r.address, c.streamID, c.passphrase)
			require.Equal(t, c.want, err)
		})
	}
	require.Empty(t, r.conns, "nobody was let in")
}

func TestEveryFormIsLetIn(t *testing.T) {
	r := start(t)
	cases := []struct{ streamID, passphrase, source string }{
		{"#!::r=cam1,m=publish,s=" + keyOne, "", "cam1"},
		{"publish:cam1:" + keyOne, "", "cam1"},
		{keyOne, "", "cam1"},
		{keyTwo, phrase, "cam2"},
	}
	for _, c := range cases {
		caller, err := srttest.Dial(r.address, c.streamID, c.passphrase)
		require.NoError(t, err, c.streamID)
		conn := <-r.conns
		require.Equal(t, c.source, conn.Source())
		host, _, err := net.SplitHostPort(conn.Remote())
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1", host)
		caller.Close()
		r.release <- struct{}{}
	}
}

func TestStreamAndFiguresArrive(t *testing.T) {
	r := start(t)
	caller, err := srttest.Dial(r.address, keyTwo, phrase)
	require.NoError(t, err)
	conn := <-r.conns
	var sent []byte
	for i := range 500 {
		piece := bytes.Repeat([]byte{byte(i)}, 1316)
		_, err := caller.Write(piece)
		require.NoError(t, err)
		sent = append(sent, piece...)
		if i%50 == 49 { // live mode paces; the test does not need to
			waitBytes(t, conn, &sent)
		}
	}
	require.Eventually(t, func() bool { return conn.Stats().Packets >= 500 }, 5*time.Second, 50*time.Millisecond)
	require.GreaterOrEqual(t, conn.Stats().LatencyMs, 120)
	caller.Close()
	_, err = conn.Read(t.Context())
	require.ErrorIs(t, err, srt.ErrShutdown)
	r.release <- struct{}{}
}

// waitBytes reads what was sent, and takes it off.
func waitBytes(t *testing.T, conn *srt.Conn, sent *[]byte) {
	t.Helper()
	for len(*sent) > 0 {
		data, err := conn.Read(t.Context())
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(*sent, data), "the bytes that were sent, in order")
		*sent = (*sent)[len(data):]
	}
}

func TestTheServerClosesAndTheTableChanges(t *testing.T) {
	r := start(t)
	caller, err := srttest.Dial(r.address, keyOne, "")
	require.NoError(t, err)
	<-r.conns
	busy := table()
	busy.Entries[0].Busy = true
	r.client.SetTable(busy)
	require.Eventually(t, func() bool {
		_, err := srttest.Dial(r.address, keyOne, "")
		return err == srttest.RejectError(srt.RejectBusy)
	}, 5*time.Second, 10*time.Millisecond)
	r.release <- struct{}{} // the handler returns
	require.Eventually(t, func() bool {
		_, err := caller.Write(make([]byte, 1316))
		return err != nil
	}, 5*time.Second, 20*time.Millisecond)
	caller.Close()
	down := table()
	down.Down = true
	r.client.SetTable(down)
	require.Eventually(t, func() bool {
		_, err := srttest.Dial(r.address, keyOne, "")
		return err == srttest.RejectError(srt.RejectDown)
	}, 5*time.Second, 10*time.Millisecond)
}

func TestTooManyConnections(t *testing.T) {
	r := start(t)
	var callers []*srttest.Caller
	for range 3 {
		caller, err := srttest.Dial(r.address, keyOne, "")
		require.NoError(t, err)
		<-r.conns
		callers = append(callers, caller)
	}
	_, err := srttest.Dial(r.address, keyOne, "")
	require.Equal(t, srttest.RejectError(srt.RejectOverload), err)
	for _, caller := range callers {
		caller.Close()
	}
}

func TestAPortInUseIsNamed(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	near, far, err := child.Pair()
	require.NoError(t, err)
	heard := make(chan error, 1)
	client := srt.NewClient(srt.ClientConfig{
		Config:      srt.Config{Listen: taken.LocalAddr().String()},
		OnListening: func(_ string, err error) { heard <- err },
	})
	served := make(chan error, 1)
	go func() { served <- client.Serve(t.Context(), near) }()
	require.Error(t, Serve(far))
	require.NoError(t, far.Close())
	err = <-heard
	require.ErrorIs(t, err, srt.ErrInUse)
	require.ErrorContains(t, err, taken.LocalAddr().String())
	<-served
	require.NoError(t, near.Close())
}

func TestAllAddresses(t *testing.T) {
	socket, err := listen(srt.Config{Listen: ":0"}, nil)
	require.NoError(t, err)
	require.Positive(t, port(socket))
	socket.Close()
}
