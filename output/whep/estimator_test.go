package whep

import (
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

// network is a path of some capacity with a queue, whose far end gives
// transport-wide feedback as a browser does, ten times a second.
type network struct {
	capacity float64       // bits per second
	most     time.Duration // of queue; what does not fit is lost
	loss     int           // one of so many packets is lost anyway; 0: none

	busy   time.Duration // until when the path is
	number uint16
	count  int
}

// run sends at the estimator's rung for a while, 30 frames a second, and gives
// the rung of each second.
func (n *network) run(t *testing.T, e *estimator, from time.Time, seconds int) (rungs []int) {
	t.Helper()
	recorder := twcc.NewRecorder(1)
	for frame := range seconds * 30 {
		elapsed := time.Duration(frame) * time.Second / 30
		now := from.Add(elapsed)
		size := e.bitrate() / 8 / 30
		for left := size; left > 0; left -= 1200 {
			packet := min(left, 1200)
			n.number++
			n.count++
			e.sent(n.number, packet, now)
			start := max(n.busy, elapsed)
			if start-elapsed > n.most || n.loss > 0 && n.count%n.loss == 0 {
				continue
			}
			n.busy = start + time.Duration(float64(packet*8)/n.capacity*float64(time.Second))
			recorder.Record(1, n.number, (n.busy + 20*time.Millisecond + time.Hour).Microseconds())
		}
		if frame%3 == 2 {
			for _, p := range recorder.BuildFeedbackPacket() {
				raw, err := p.Marshal()
				require.NoError(t, err)
				var feedback rtcp.TransportLayerCC
				require.NoError(t, feedback.Unmarshal(raw))
				e.congestion(&feedback, now)
			}
		}
		if frame%30 == 29 {
			e.tick(now)
			rungs = append(rungs, e.rung)
		}
	}
	return rungs
}

var testBitrates = []int{400_000, 1_400_000, 2_800_000}

func TestEstimatorFindsTheRung(t *testing.T) {
	cases := []struct {
		name string
		network
		want    int
		changes int // at most, in two minutes
	}{
		{"plenty", network{capacity: 20e6, most: time.Second}, 2, 0},
		{"5 % lost at random is repaired, not evaded", network{capacity: 20e6, most: time.Second, loss: 20}, 2, 0},
		{"enough for the middle, deep queue", network{capacity: 2.0e6, most: time.Second}, 1, 9},
		{"enough for the middle, no queue", network{capacity: 2.0e6, most: 60 * time.Millisecond}, 1, 9},
		{"hardly enough for the lowest", network{capacity: 0.6e6, most: time.Second}, 0, 9},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := newEstimator(testBitrates)
			require.Equal(t, 2, e.rung, "it begins with the highest")
			rungs := c.network.run(t, e, time.Unix(1000, 0), 120)
			changes, held := 0, 0
			for i, rung := range rungs {
				if i > 0 && rung != rungs[i-1] {
					changes++
				}
				if i >= 10 && rung == c.want {
					held++
				}
			}
			t.Log(rungs)
			require.LessOrEqual(t, changes, c.changes)
			require.Greater(t, held, 110*8/10, "most of the time")
		})
	}
}

// A network that gets better is used again.
func TestEstimatorGoesUpAgain(t *testing.T) {
	e := newEstimator(testBitrates)
	begin := time.Unix(1000, 0)
	bad := network{capacity: 0.6e6, most: time.Second}
	bad.run(t, e, begin, 20)
	require.Equal(t, 0, e.rung)
	good := network{capacity: 20e6, most: time.Second, number: bad.number}
	rungs := good.run(t, e, begin.Add(20*time.Second), 180)
	require.Equal(t, 2, rungs[len(rungs)-1], "%v", rungs)
}

func TestEstimatorByREMBAndReports(t *testing.T) {
	begin := time.Unix(1000, 0)
	e := newEstimator(testBitrates)
	e.limit(2_700_000, begin)
	require.Equal(t, 2, e.rung, "it follows what is sent")
	e.limit(1_500_000, begin)
	require.Equal(t, 1, e.rung)
	e.lost(0.05, begin.Add(3*time.Second))
	require.Equal(t, 1, e.rung)
	e.lost(0.2, begin.Add(4*time.Second))
	require.Equal(t, 0, e.rung)
	e.lost(0.2, begin.Add(8*time.Second))
	require.Equal(t, 0, e.rung, "there is always picture")

	require.Zero(t, newEstimator(nil).rung)
}

func TestPacerSpreadsWhatIsLarge(t *testing.T) {
	var p pacer
	p.follow(4_000_000) // 2 MB/s
	now := time.Unix(1000, 0)
	sent := 0
	for p.allow(now, 1200) {
		sent += 1200
	}
	require.InDelta(t, paceBurst, sent, 1200)
	wait := p.wait(now, 1200)
	require.InDelta(t, 4800, wait.Microseconds(), 600, "for eight packets")
	now = now.Add(wait)
	for range 8 {
		require.True(t, p.allow(now, 1200))
	}
	require.False(t, p.allow(now, 1200))
}

func TestHistory(t *testing.T) {
	h := &history{}
	now := time.Unix(1000, 0)
	for n := range 70_000 {
		h.put(sentPacket{number: uint16(n), payload: []byte{1}})
	}
	newest := uint16(69_999 & 0xffff)
	require.NotNil(t, h.take(newest, now, leastRepeat))
	require.Nil(t, h.take(newest, now, leastRepeat), "a moment ago")
	require.NotNil(t, h.take(newest-historySize+1, now, leastRepeat))
	require.Nil(t, h.take(newest-historySize, now, leastRepeat), "too old")
	for range mostRepeats - 1 {
		now = now.Add(time.Second)
		require.NotNil(t, h.take(newest, now, leastRepeat))
	}
	require.Nil(t, h.take(newest, now.Add(time.Second), leastRepeat), "often enough")
}
