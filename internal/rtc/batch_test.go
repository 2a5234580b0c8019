package rtc

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDatagramsOfABatchArriveWhole(t *testing.T) {
	sizes := []int{1200, 1200, 1200, 700, 1200, 90, 1200, 1200}
	for range 150 {
		sizes = append(sizes, 1000)
	}
	for _, listen := range []string{"127.0.0.1:0", ":0"} {
		for _, off := range []bool{false, true} {
			address, err := net.ResolveUDPAddr("udp", listen)
			require.NoError(t, err)
			conn, err := net.ListenUDP("udp", address)
			require.NoError(t, err)
			receiver, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			require.NoError(t, err)
			require.NoError(t, receiver.SetReadBuffer(1<<20))
			s := newSocket(conn, func(error) {})
			s.batches.off.Store(off)

			to := receiver.LocalAddr().(*net.UDPAddr).AddrPort()
			b := &batch{to: netip.AddrPortFrom(to.Addr().Unmap(), to.Port())}
			require.Equal(t, !off, s.hold(b))
			if !off {
				require.False(t, s.hold(&batch{to: b.to}), "one at a time")
			}
			for i, size := range sizes {
				_, err := s.WriteToAddrPort(bytes.Repeat([]byte{byte(i)}, size), to)
				require.NoError(t, err)
			}
			s.release(b)
			buffer := make([]byte, 2000)
			require.NoError(t, receiver.SetReadDeadline(time.Now().Add(10*time.Second)))
			for i, size := range sizes {
				n, err := receiver.Read(buffer)
				require.NoError(t, err)
				require.Equal(t, bytes.Repeat([]byte{byte(i)}, size), slices.Clone(buffer[:n]), "datagram %d", i)
			}
			require.Equal(t, off, s.batches.off.Load(), "the kernel takes them")
			require.Empty(t, s.batches.open)
			require.Equal(t, uint64(len(sizes)), s.sent.Load())
			require.NoError(t, conn.Close())
			require.NoError(t, receiver.Close())
		}
	}
}

func TestABrokenPortEndsTheTransport(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	transport := New(Config{UDP: conn})
	done := make(chan error, 1)
	go func() { done <- transport.Run(context.Background()) }()
	require.Eventually(t, transport.Running, 10*time.Second, time.Millisecond)
	require.NoError(t, conn.Close())
	select {
	case err := <-done:
		require.ErrorIs(t, err, errSocket)
	case <-time.After(10 * time.Second):
		t.Fatal("Run did not return")
	}
}
