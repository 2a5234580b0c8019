package whep

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/machinetest"
	"millrace/internal/media"
	"millrace/internal/rtc/rtctest"
)

// paths are what networks do to viewers, and what of it they may notice.
var paths = []struct {
	name string
	rtctest.Path
	pause time.Duration // without a picture, at most
	gap   time.Duration // without sound, at most
}{
	{"loss 1 %", rtctest.Path{Delay: 50 * time.Millisecond, Loss: 0.01}, time.Second, 100 * time.Millisecond},
	{"loss 5 %", rtctest.Path{Delay: 50 * time.Millisecond, Loss: 0.05}, time.Second, 100 * time.Millisecond},
	{"loss 10 %", rtctest.Path{Delay: 50 * time.Millisecond, Loss: 0.10}, 2 * time.Second, 200 * time.Millisecond},
	{"jitter", rtctest.Path{Delay: 50 * time.Millisecond, Jitter: 80 * time.Millisecond}, time.Second, 0},
	{"reorder", rtctest.Path{Delay: 50 * time.Millisecond, Reorder: 0.1}, time.Second, 0},
	{"duplicates", rtctest.Path{Delay: 10 * time.Millisecond, Duplicate: 0.1}, time.Second, 0},
}

// F18: at 5 % loss and a round trip of 100 ms no picture freezes for a second,
// and no sound is missing for 100 ms. All viewers watch at once, and one behind
// a good network notices nothing of the others (F37).
func TestF18EachKindOfPath(t *testing.T) {
	machinetest.InTime(t, 100*time.Millisecond, eachKindOfPath)
}

func eachKindOfPath(t *testing.T) func(t *testing.T) {
	p := newPlace(t)
	near := watch(t, rtctest.Options{})
	rtctest.Connect(t, near.pc, p.base, "/whep/main", "").UntilConnected(t)
	var far []*watcher
	for _, path := range paths {
		w, relay := watch(t, rtctest.Options{}), rtctest.NewRelay(t)
		relay.Connect(t, w.pc, p.base, "/whep/main", "").UntilConnected(t)
		relay.Shape(path.Path)
		far = append(far, w)
	}
	const seconds, interval = 4, 20 * time.Millisecond
	began := time.Now()
	p.air(t, interval, func() bool {
		pictures, _ := near.seen()
		return pictures > int(seconds*time.Second/interval) && time.Since(began) > seconds*time.Second
	})
	p.air(t, interval, func() bool { // what is lost is still on its way
		return !slices.ContainsFunc(far, func(w *watcher) bool { pictures, _ := w.seen(); return pictures < 100 })
	})
	return func(t *testing.T) { comparePaths(t, near, far) }
}

// comparePaths holds each path to what its viewer may notice.
func comparePaths(t *testing.T, near *watcher, far []*watcher) {
	near.mu.Lock()
	defer near.mu.Unlock()
	stalled, unheard := longestPause(near.times), longestGap(settled(near.heard)) // of the machine
	for i, path := range paths {
		w := far[i]
		w.mu.Lock()
		pause, gap := longestPause(w.times[min(len(w.times), 20):]), longestGap(settled(w.heard))
		t.Logf("%s: %d pictures, longest pause %v; sound missing for %v", path.name, len(w.pictures), pause, gap)
		require.Less(t, pause, path.pause+stalled, path.name)
		require.LessOrEqual(t, gap, path.gap+unheard, path.name)
		require.True(t, slices.IsSorted(w.stamps), path.name)
		w.mu.Unlock()
	}
	for i := 1; i < len(near.stamps); i++ {
		require.Equal(t, uint32(3000), near.stamps[i]-near.stamps[i-1], "F37: the other viewer has noticed nothing")
	}
}

func longestPause(times []time.Time) (longest time.Duration) {
	for i := 1; i < len(times); i++ {
		longest = max(longest, times[i].Sub(times[i-1]))
	}
	return longest
}

// settled are the packets of sound that no other may still overtake: without
// the last half second, in which a delayed one can be on its way.
func settled(stamps []uint32) []uint32 {
	stamps = slices.Sorted(slices.Values(stamps))
	return stamps[:max(0, len(stamps)-25)]
}

// longestGap is what is missing between packets of sound, each as long as the
// shortest step.
func longestGap(stamps []uint32) time.Duration {
	stamps = slices.Compact(slices.Sorted(slices.Values(stamps)))
	step, most := ^uint32(0), uint32(0)
	for i := 1; i < len(stamps); i++ {
		step, most = min(step, stamps[i]-stamps[i-1]), max(most, stamps[i]-stamps[i-1])
	}
	if most == 0 {
		return 0
	}
	return time.Duration(most/step-1) * 20 * time.Millisecond
}

// F19: a viewer whose network does not carry the highest rung is given another,
// and only that viewer.
func TestF19NarrowPathsGetALowerRung(t *testing.T) {
	p := newPlace(t)
	rungs := []Rung{{"v720", videoTrack("v720"), 1_600_000}, {"v480", videoTrack("v480"), 500_000}, {"v240", videoTrack("v240"), 150_000}}
	program := p.NewProgram(ProgramConfig{Resource: "wide", Rungs: rungs, Audio: soundTrack})
	rtctest.Run(t, program.Run)
	require.Eventually(t, func() bool { return p.Server.program("wide") != nil }, rtctest.Wait, time.Millisecond)
	near, narrow, relay := watch(t, rtctest.Options{}), watch(t, rtctest.Options{}), rtctest.NewRelay(t)
	rtctest.Connect(t, near.pc, p.base, "/whep/wide", "").UntilConnected(t)
	relay.Connect(t, narrow.pc, p.base, "/whep/wide", "").UntilConnected(t)
	relay.ShapeDown(rtctest.Path{Delay: 20 * time.Millisecond, Bitrate: 800_000, Queue: 400 * time.Millisecond})

	frame := int64(0)
	tick := func() {
		at := rate.At(53_000_000_000 + frame)
		for _, r := range rungs {
			nal := make([]byte, r.Bitrate/8/30)
			nal[0], nal[1] = 0x41, 0x9a
			if frame%15 == 0 {
				nal[0] = 0x65
			}
			program.Write(&media.Packet{Track: r.Track, PTS: at, DTS: at, Key: frame%15 == 0, Data: accessUnit(nal)})
		}
		frame++
	}
	targets := func() (list []int32) {
		program.mu.Lock()
		defer program.mu.Unlock()
		for _, v := range program.viewers {
			list = append(list, v.target.Load())
		}
		slices.Sort(list)
		return list
	}
	deadline := time.Now().Add(2 * rtctest.Wait)
	ticker := time.NewTicker(time.Second / 30)
	defer ticker.Stop()
	for list := targets(); len(list) < 2 || list[0] == 2; list = targets() {
		require.True(t, time.Now().Before(deadline), "no lower rung")
		tick()
		<-ticker.C
	}
	require.Equal(t, int32(2), targets()[1], "the other viewer keeps the highest")
	require.Eventually(t, func() bool { tick(); return p.Counters().Switches > 0 }, rtctest.Wait, time.Second/30, "at a keyframe")
}

// F10: timestamps pass the end of their 32 bits like any other instant.
func TestF10TimestampsWrap(t *testing.T) {
	s := &sender{}
	for _, c := range []struct{ in, want uint32 }{
		{0xffff_f000, 0xffff_f000}, {0xffff_fbb8, 0xffff_fbb8}, {0x770, 0x770}, {0x770, 0x771}, {0x1328, 0x1328},
	} {
		require.Equal(t, c.want, s.stamp(c.in))
	}
}
