package appliance

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSystemdHearsOfTheNode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer listener.Close()
	heard := func() string {
		require.NoError(t, listener.SetReadDeadline(time.Now().Add(20*time.Second)))
		text := make([]byte, 4096)
		n, err := listener.Read(text)
		require.NoError(t, err)
		return string(text[:n])
	}
	node := openNode(t, t.TempDir())
	to := newNotifier(func(name string) string {
		return map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000"}[name]
	})
	require.Equal(t, 30*time.Millisecond, to.watchdog)
	ctx, cancel := context.WithCancel(t.Context())
	run := begin(ctx, func(ctx context.Context) { require.NoError(t, node.notify(ctx, to, node.alive)) })
	require.Contains(t, heard(), "READY=1\nSTATUS=0 of 1 channels run")
	require.Contains(t, heard(), "WATCHDOG=1")
	cancel()
	for last := ""; last != "STOPPING=1"; last = heard() {
		require.False(t, strings.HasPrefix(last, "READY"))
	}
	run.stop()

	require.Zero(t, newNotifier(func(name string) string {
		return map[string]string{"WATCHDOG_USEC": "30000", "WATCHDOG_PID": "1"}[name]
	}).watchdog)
	require.NoError(t, notifier{}.say("READY=1"))
}
