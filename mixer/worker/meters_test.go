package worker

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMetersFollowTheWorkers: who watches hears from every worker, until he
// leaves.
func TestMetersFollowTheWorkers(t *testing.T) {
	c := startChannel(t, "", nil)
	heard := make(chan Meters, 100)
	cancel := c.host.Meters(func(m Meters) { heard <- m })
	<-c.ready
	require.Contains(t, (<-heard).Sources, "watched")
	require.NoError(t, syscall.Kill(c.host.Pid(), syscall.SIGKILL))
	<-c.ready
	require.Contains(t, (<-heard).Sources, "watched", "the next worker is told too")
	second := c.host.Meters(func(Meters) {})
	cancel()
	second()
	require.Equal(t, Watch{}, c.host.watch())
}
