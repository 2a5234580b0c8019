package appliance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/api"
)

func TestProcessorTicks(t *testing.T) {
	for _, test := range []struct {
		name, stat string
		busy, idle uint64
	}{
		{"all CPUs together", "cpu  100 5 20 700 30 1 2 3 9 0\ncpu0 1 1 1 1\n", 131, 730},
		{"an old kernel", "cpu 1 2 3 4\n", 6, 4},
		{"another file", "intr 1 2 3 4 5\n", 0, 0},
		{"no figures", "cpu a b c d e\n", 0, 0},
		{"nothing", "", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			busy, idle := processorTicks(test.stat)
			require.Equal(t, []uint64{test.busy, test.idle}, []uint64{busy, idle})
		})
	}
}

func TestNetworkBytesLeaveTheLoopbackOut(t *testing.T) {
	const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0
  eth0: 100 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0
wlan0:7 1 0 0 0 0 0 0 3 1 0 0 0 0 0 0
broken: x
`
	received, sent := networkBytes(dev)
	require.Equal(t, []uint64{107, 23}, []uint64{received, sent})
}

func TestMachineSince(t *testing.T) {
	begin := time.Unix(1000, 0)
	before := machine{at: begin, busy: 100, idle: 100, received: 1000, sent: 50}
	got := machine{at: begin.Add(10 * time.Second), busy: 175, idle: 125, received: 2000, sent: 40}.since(before)
	require.InDelta(t, 0.75, got.Cpu, 1e-9)
	require.EqualValues(t, 800, got.Received)
	require.Zero(t, got.Sent, "a counter that began again")
}

func TestFigureLogKeepsAnHour(t *testing.T) {
	var log figureLog
	begin := time.Unix(1000, 0)
	for i := range figuresKept + 5 {
		log.add(api.Figures{Time: api.Timestamp{Time: begin.Add(time.Duration(i) * figuresEvery)}})
	}
	all := log.since(time.Time{})
	require.Len(t, all, figuresKept)
	require.Equal(t, begin.Add(5*figuresEvery), all[0].Time.Time)
	require.Len(t, log.since(all[figuresKept-3].Time.Time), 2)
	require.Empty(t, log.since(all[figuresKept-1].Time.Time))
}
