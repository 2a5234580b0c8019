package ingest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// ntpOf is what a sender's clock shows that is ahead of ours.
func ntpOf(at media.Time, ahead time.Duration) time.Duration {
	return time.Duration(at) + ntpEpoch + ahead
}

// camcorder is a publisher whose reports come after a while.
type camcorder struct {
	timeline *Timeline
	rnd      *rand.Rand
	origin   time.Duration // source time of the epoch of the test
	path     time.Duration
	ahead    time.Duration
}

func newCamcorder(latency, origin, path, ahead time.Duration) *camcorder {
	timeline := NewTimeline(latency)
	timeline.FollowSender(true)
	return &camcorder{timeline, rand.New(rand.NewPCG(1, uint64(path))), origin, path, ahead}
}

// shoot gives when what is captured at c is shown.
func (m *camcorder) shoot(c time.Duration) media.Time {
	captured := testEpoch.Add(c)
	arrival := captured.Add(m.path + time.Duration(m.rnd.Int64N(int64(10*time.Millisecond))))
	if c > 2*time.Second {
		m.timeline.Captured("v", c+m.origin, ntpOf(captured, m.ahead), false, arrival)
	}
	pts, _ := m.timeline.Map("v", c+m.origin, c+m.origin, arrival)
	return pts
}

// Cameras whose clocks agree line up, however long their networks take; each is
// shown when its latency has passed since the capture.
func TestSourcesLineUpByTheirSendersClocks(t *testing.T) {
	const ms = time.Millisecond
	near, far := newCamcorder(300*ms, hour, 5*ms, 0), newCamcorder(300*ms, 7*hour, 180*ms, 2*ms)
	for c := time.Duration(0); c < 30*time.Second; c += 40 * ms {
		a, b := near.shoot(c), far.shoot(c)
		if c < 3*time.Second {
			continue
		}
		require.InDelta(t, 0, b.Sub(a), float64(3*ms), "at %v", c)
		require.InDelta(t, 300*ms, a.Sub(testEpoch.Add(c)), float64(ms))
	}
	require.True(t, near.timeline.Stats().BySender)
	require.Equal(t, uint64(1), near.timeline.Stats().Steps, "when the first report came")
}

// A clock that cannot be right says nothing: packets are placed by their arrival.
func TestASendersClockThatIsWrong(t *testing.T) {
	const ms = time.Millisecond
	for name, ahead := range map[string]time.Duration{"an hour ahead": hour, "an hour behind": -hour, "half a second ahead": 500 * ms, "later than the latency": -290 * ms} {
		m := newCamcorder(300*ms, hour, 20*ms, ahead)
		for c := time.Duration(0); c < 20*time.Second; c += 40 * ms {
			require.InDelta(t, 325*ms, m.shoot(c).Sub(testEpoch.Add(c)), float64(8*ms), name)
		}
		require.False(t, m.timeline.Stats().BySender, name)
		require.Zero(t, m.timeline.Stats().Steps, name)
	}
}

// A clock that is put right while its publisher sends is followed, and one that
// leaves the time let go.
func TestASendersClockThatChanges(t *testing.T) {
	const ms = time.Millisecond
	m := newCamcorder(300*ms, hour, 100*ms, hour)
	var last media.Time
	for c := time.Duration(0); c < 60*time.Second; c += 40 * ms {
		switch {
		case c == 20*time.Second:
			m.ahead = 0
		case c == 40*time.Second:
			m.ahead = -2 * time.Second
		}
		pts := m.shoot(c)
		require.Greater(t, pts, last)
		last = pts
		switch after := pts.Sub(testEpoch.Add(c)); {
		case c > 30*time.Second && c < 40*time.Second:
			require.InDelta(t, 300*ms, after, float64(2*ms), "%v", c)
		case c > 50*time.Second:
			require.InDelta(t, 405*ms, after, float64(8*ms), "%v", c)
		}
	}
	require.False(t, m.timeline.Stats().BySender)
}

// One report that is wrong moves nothing.
func TestASendersClockWithALapse(t *testing.T) {
	const ms = time.Millisecond
	for _, lapse := range []time.Duration{-hour, hour} {
		m := newCamcorder(300*ms, hour, 50*ms, 0)
		for c := time.Duration(0); c < 20*time.Second; c += 40 * ms {
			m.ahead = 0
			if c == 10*time.Second {
				m.ahead = lapse
			}
			if pts := m.shoot(c); c > 3*time.Second {
				require.InDelta(t, 300*ms, pts.Sub(testEpoch.Add(c)), float64(ms), "%v", c)
			}
		}
		require.True(t, m.timeline.Stats().BySender)
		require.Equal(t, uint64(1), m.timeline.Stats().Steps)
	}
}

// Who is shown by his clock has no cushion.
func TestASourceFollowsItsSender(t *testing.T) {
	withSource(t, func(t *testing.T, source *Source, _ *states) {
		source.SetSenderClock(true)
		session, err := source.ConnectInteractive("whip", "a")
		require.NoError(t, err)
		for at := time.Duration(0); at < 2*time.Second; at += 20 * time.Millisecond {
			captured := ntpOf(source.config.Clock.Now().Add(-50*time.Millisecond), 0)
			session.Write(AccessUnit{Track: testAudio, PTS: at, DTS: at, Captured: captured, Key: true, Data: []byte{2}})
			time.Sleep(20 * time.Millisecond)
		}
		stats := source.State().Timeline
		require.True(t, stats.BySender)
		require.Equal(t, 200*time.Millisecond, stats.Latency)
	})
}
