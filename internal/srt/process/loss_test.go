package process

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/srt"
	"millrace/internal/srt/srttest"
)

// lossy relays datagrams between one caller and the listener, half the round
// trip later, and loses a share of them in each direction.
func lossy(t *testing.T, to string, trip time.Duration, share float64) (address string) {
	t.Helper()
	inside, err := net.Dial("udp", to)
	require.NoError(t, err)
	outside, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	var mu sync.Mutex
	var caller net.Addr
	rnd := rand.New(rand.NewPCG(6, 6))
	pass := func(write func([]byte)) func([]byte) {
		return func(p []byte) {
			mu.Lock()
			lost := rnd.Float64() < share
			mu.Unlock()
			if lost {
				return
			}
			p = bytes.Clone(p)
			running.Add(1)
			time.AfterFunc(trip/2, func() { defer running.Done(); write(p) })
		}
	}
	in := pass(func(p []byte) { _, _ = inside.Write(p) })
	out := pass(func(p []byte) {
		mu.Lock()
		at := caller
		mu.Unlock()
		_, _ = outside.WriteTo(p, at)
	})
	running.Go(func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := outside.ReadFrom(buffer)
			if err != nil {
				return
			}
			mu.Lock()
			caller = from
			mu.Unlock()
			in(buffer[:n])
		}
	})
	running.Go(func() {
		buffer := make([]byte, 2048)
		for {
			n, err := inside.Read(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				out(buffer[:n])
			}
		}
	})
	t.Cleanup(func() {
		_ = inside.Close()
		_ = outside.Close()
		running.Wait()
	})
	return outside.LocalAddr().String()
}

// S06: at a round trip of 20 ms, 7% of loss costs nothing. The guideline's
// latency of 100 ms is enough on an idle machine; a busy one wakes the relay
// and the caller too late for it.
func TestLossIsRepaired(t *testing.T) {
	r := startWith(t, 1000)
	address := lossy(t, r.address, 20*time.Millisecond, 0.07)
	caller, err := srttest.Dial(address, keyOne, "")
	require.NoError(t, err)
	conn := <-r.conns
	const pieces = 600
	var sending sync.WaitGroup
	sending.Go(func() {
		ticker := time.NewTicker(4 * time.Millisecond) // 2.6 Mb/s
		defer ticker.Stop()
		for i := range pieces {
			<-ticker.C
			if _, err := caller.Write(bytes.Repeat([]byte{byte(i)}, 1316)); err != nil {
				return
			}
		}
	})
	for i := range pieces {
		data, err := conn.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, byte(i), data[0], "piece %d", i)
	}
	sending.Wait()
	require.Eventually(t, func() bool { return conn.Stats().Packets >= pieces }, 5*time.Second, 50*time.Millisecond)
	require.NotZero(t, conn.Stats().Lost)
	require.Zero(t, conn.Stats().Dropped)
	caller.Close()
	_, err = conn.Read(t.Context())
	require.ErrorIs(t, err, srt.ErrShutdown)
	r.release <- struct{}{}
}
