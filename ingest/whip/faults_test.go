package whip

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/machinetest"
	"millrace/internal/media"
	"millrace/internal/rtc/rtctest"
)

// TestF18EachKindOfPath is what networks do to publishers, all at once: at 5 %
// loss and a round trip of 100 ms no picture is a second late, and no sound is
// missing for 100 ms.
func TestF18EachKindOfPath(t *testing.T) {
	machinetest.InTime(t, 100*time.Millisecond, eachKindOfPath)
}

func eachKindOfPath(t *testing.T) func(t *testing.T) {
	paths := []struct {
		name string
		rtctest.Path
		pause time.Duration // without a picture, at most
		gap   int           // packets of sound in a row that are missing, at most
	}{
		{"nothing", rtctest.Path{}, time.Second, 0},
		{"loss 1 %", rtctest.Path{Delay: 50 * time.Millisecond, Loss: 0.01}, time.Second, 5},
		{"loss 5 %", rtctest.Path{Delay: 50 * time.Millisecond, Loss: 0.05}, time.Second, 5},
		{"loss 10 %", rtctest.Path{Delay: 50 * time.Millisecond, Loss: 0.10}, 2 * time.Second, 10},
		{"jitter", rtctest.Path{Delay: 50 * time.Millisecond, Jitter: 80 * time.Millisecond}, time.Second, 5},
		{"reorder", rtctest.Path{Delay: 50 * time.Millisecond, Reorder: 0.1}, time.Second, 5},
		{"duplicates", rtctest.Path{Delay: 10 * time.Millisecond, Duplicate: 0.1}, time.Second, 0},
	}
	p := newPlace(t)
	const frames = 150
	feeds := make([]*feed, len(paths))
	var sending sync.WaitGroup
	for i, path := range paths {
		relay, publisher := rtctest.NewRelay(t), newPublisher(t, webrtc.MimeTypeVP8, true, rtctest.Options{})
		relay.Connect(t, publisher.pc, p.base, "/whip/cam1", goodKey).UntilConnected(t)
		feeds[i] = p.feed(t)
		relay.Shape(path.Path)
		sending.Go(func() { publisher.send(t, vp8Picture, 0, frames+60, 20*time.Millisecond) })
	}
	sending.Wait()
	return func(t *testing.T) {
		var stalled time.Duration // of the machine
		for i, path := range paths {
			f := feeds[i]
			units := f.until(t, func(units []ingest.AccessUnit) bool {
				video := of(units, media.Video)
				return len(video) > 0 && number(video[len(video)-1].Data) >= frames
			})
			f.mu.Lock()
			pause := longestPause(f)
			f.mu.Unlock()
			if i == 0 {
				stalled = pause
			}
			video, gap := of(units, media.Video), longestSilence(of(units, media.Audio))
			t.Logf("%s: %d pictures, longest pause %v, %d packets of sound in a row missing", path.name, len(video), pause, gap)
			require.Less(t, pause, path.pause+stalled, path.name)
			require.LessOrEqual(t, gap, path.gap, path.name)
			require.True(t, slices.IsSortedFunc(video, func(a, b ingest.AccessUnit) int { return number(a.Data) - number(b.Data) }), path.name)
		}
	}
}

func longestPause(f *feed) (longest time.Duration) {
	var last time.Time
	for i, u := range f.units {
		if u.Track.Kind == media.Video {
			if !last.IsZero() {
				longest = max(longest, f.times[i].Sub(last))
			}
			last = f.times[i]
		}
	}
	return longest
}

// longestSilence is how many packets in a row are missing of sound that comes every
// 20 ms.
func longestSilence(units []ingest.AccessUnit) (most int) {
	for i := 1; i < len(units); i++ {
		most = max(most, int((units[i].PTS-units[i-1].PTS+10*time.Millisecond)/(20*time.Millisecond))-1)
	}
	return most
}

// F19: a publisher behind a narrow path is told how its packets fare, so that
// the estimate of the browsers' kind comes down to what the path carries.
func TestF19PublishersLearnOfNarrowPaths(t *testing.T) {
	const begin, carried = 3_000_000, 600_000 // bits per second
	estimates := make(chan cc.BandwidthEstimator, 1)
	congestion, err := cc.NewInterceptor(func() (cc.BandwidthEstimator, error) {
		return gcc.NewSendSideBWE(gcc.SendSideBWEInitialBitrate(begin), gcc.SendSideBWEPacer(gcc.NewNoOpPacer()))
	})
	require.NoError(t, err)
	congestion.OnNewPeerConnection(func(_ string, e cc.BandwidthEstimator) { estimates <- e })
	p, relay := newPlace(t), rtctest.NewRelay(t)
	publisher := newPublisher(t, webrtc.MimeTypeVP8, false, rtctest.Options{Interceptors: []interceptor.Factory{congestion}, Congestion: true})
	relay.Connect(t, publisher.pc, p.base, "/whip/cam1", goodKey).UntilConnected(t)
	estimate := <-estimates
	relay.ShapeUp(rtctest.Path{Delay: 20 * time.Millisecond, Bitrate: carried, Queue: 300 * time.Millisecond})
	deadline := time.Now().Add(2 * rtctest.Wait)
	sent := 0
	for estimate.GetTargetBitrate() > 2*carried { // of a path that is kept full
		require.True(t, time.Now().Before(deadline), "still %d b/s", estimate.GetTargetBitrate())
		publisher.send(t, vp8Picture, sent, 15, time.Second/90) // 1.4 Mb/s and more
		sent += 15
	}
	t.Logf("%d b/s after %d pictures", estimate.GetTargetBitrate(), sent)
}
