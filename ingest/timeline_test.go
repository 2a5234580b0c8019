package ingest

import (
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

const hour = time.Hour

// feed is a simulated publisher: what it captures at true time c carries
// source(kind, c) and arrives at c plus delay.
type feed struct {
	length  time.Duration
	frame   time.Duration                                       // video interval; 0: 1/30 s
	reorder time.Duration                                       // PTS - DTS of every other picture
	source  func(video bool, c time.Duration) time.Duration     // nil: c + 5 s
	delay   func(rnd *rand.Rand, c time.Duration) time.Duration // nil: 20 ms and up to 30 ms of jitter
}

type sample struct {
	video              bool
	captured, pts, dts time.Duration
	arrival            media.Time
	outPTS, outDTS     media.Time
}

var testEpoch = media.TimeOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))

func (f feed) run(t *testing.T, latency time.Duration) ([]sample, TimelineStats) {
	t.Helper()
	if f.frame == 0 {
		f.frame = time.Second / 30
	}
	if f.source == nil {
		f.source = func(_ bool, c time.Duration) time.Duration { return c + 5*time.Second }
	}
	if f.delay == nil {
		f.delay = jitter
	}
	rnd := rand.New(rand.NewPCG(7, uint64(f.length)))
	var samples []sample
	for n := range int(f.length / f.frame) {
		c := time.Duration(n) * f.frame
		s := sample{video: true, captured: c, dts: f.source(true, c)}
		s.pts = s.dts + f.reorder*time.Duration(n%2)
		samples = append(samples, s)
	}
	for n := range int(f.length * 48000 / 1024 / time.Second) {
		c := time.Duration(n) * 1024 * time.Second / 48000
		s := f.source(false, c)
		samples = append(samples, sample{captured: c, pts: s, dts: s})
	}
	sort.SliceStable(samples, func(i, j int) bool { return samples[i].captured < samples[j].captured })
	var newest media.Time
	for i := range samples {
		arrival := testEpoch.Add(samples[i].captured + f.delay(rnd, samples[i].captured))
		if arrival < newest {
			arrival = newest // both tracks share one connection
		}
		newest = arrival
		samples[i].arrival = arrival
	}
	timeline := NewTimeline(latency)
	for i := range samples {
		s := &samples[i]
		s.outPTS, s.outDTS = timeline.Map(map[bool]string{true: "v", false: "a"}[s.video], s.pts, s.dts, s.arrival)
	}
	return samples, timeline.Stats()
}

func jitter(rnd *rand.Rand, _ time.Duration) time.Duration {
	return 20*time.Millisecond + time.Duration(rnd.Int64N(int64(30*time.Millisecond)))
}

// requireAscending checks that no track's DTS repeats or steps back.
func requireAscending(t *testing.T, samples []sample) {
	t.Helper()
	last := map[bool]media.Time{}
	for _, s := range samples {
		if s.outDTS <= last[s.video] || s.outPTS < s.outDTS { // require is slow
			require.Fail(t, "steps back", "captured %v video=%v", s.captured, s.video)
		}
		last[s.video] = s.outDTS
	}
}

// worst is the largest distance from capture + 20 ms + latency, of what was
// captured in [from, to).
func worst(samples []sample, latency, from, to time.Duration) time.Duration {
	var most time.Duration
	for _, s := range samples {
		if s.captured < from || s.captured >= to {
			continue
		}
		ideal := testEpoch.Add(s.captured + 20*time.Millisecond + latency)
		most = max(most, s.outDTS.Sub(ideal).Abs())
	}
	return most
}

// skew is the most that audio and video captured together come apart, the
// instant of each kind being interpolated between its neighbours.
func skew(samples []sample, from, to time.Duration) time.Duration {
	var audio []sample
	for _, s := range samples {
		if !s.video {
			audio = append(audio, s)
		}
	}
	var most time.Duration
	for _, s := range samples {
		if !s.video || s.captured < from || s.captured >= to {
			continue
		}
		i := sort.Search(len(audio), func(i int) bool { return audio[i].captured > s.captured })
		if i == 0 || i == len(audio) {
			continue
		}
		a, b := audio[i-1], audio[i]
		part := float64(s.captured-a.captured) / float64(b.captured-a.captured)
		at := a.outDTS + media.Time(part*float64(b.outDTS-a.outDTS))
		most = max(most, s.outDTS.Sub(at).Abs())
	}
	return most
}

func after(c, from, add time.Duration) time.Duration {
	if c >= from {
		return c + add
	}
	return c
}

func TestTimelineHoldsThePromise(t *testing.T) {
	const ms = time.Millisecond
	scaled := func(permille int64) func(bool, time.Duration) time.Duration {
		return func(_ bool, c time.Duration) time.Duration { return c + c*time.Duration(permille)/1_000_000 }
	}
	cases := []struct {
		name     string
		feed     feed
		off      time.Duration // largest error from 5 s on
		skew     time.Duration // largest lip-sync error from the beginning on
		jumps    uint64
		restamps uint64
	}{
		{name: "steady", feed: feed{length: 60 * time.Second}, off: 3 * ms, skew: 2 * ms},
		{name: "B-frames", feed: feed{length: 30 * time.Second, reorder: 66 * ms}, off: 3 * ms, skew: 2 * ms},
		{name: "one picture a second", feed: feed{length: 60 * time.Second, frame: time.Second}, off: 3 * ms, skew: 2 * ms},
		{name: "200 ppm, an hour", feed: feed{length: hour, frame: 200 * ms, source: scaled(200)}, off: 5 * ms, skew: 2 * ms},
		{name: "source 1% fast", feed: feed{length: 10 * time.Minute, source: scaled(10_000)}, off: 40 * ms, skew: 2 * ms},
		{name: "source 1% slow", feed: feed{length: 10 * time.Minute, source: scaled(-10_000)}, off: 40 * ms, skew: 2 * ms},
		{name: "clocks start days in", feed: feed{length: 20 * time.Second,
			source: func(_ bool, c time.Duration) time.Duration { return c + 26*hour }}, off: 3 * ms, skew: 2 * ms},
		{name: "begins late, as TCP's first window", feed: feed{length: 20 * time.Second,
			delay: func(rnd *rand.Rand, c time.Duration) time.Duration {
				return max(jitter(rnd, c), 800*ms-c)
			}}, off: 3 * ms, skew: 100 * ms},
		{name: "F09 one video frame +10 h", feed: feed{length: 20 * time.Second,
			source: func(v bool, c time.Duration) time.Duration {
				if v && c == 300*(time.Second/30) {
					return c + 10*hour
				}
				return c
			}}, off: 35 * ms, skew: 35 * ms, restamps: 1},
		{name: "F09 one audio frame -10 h", feed: feed{length: 20 * time.Second,
			source: func(v bool, c time.Duration) time.Duration {
				if !v && c == 500*1024*time.Second/48000 {
					return c - 10*hour
				}
				return c
			}}, off: 35 * ms, skew: 35 * ms, restamps: 1},
		{name: "F09 +10 h for good", feed: feed{length: 30 * time.Second,
			source: func(_ bool, c time.Duration) time.Duration { return after(c, 10*time.Second, 10*hour) }},
			off: 70 * ms, skew: 70 * ms, jumps: 2, restamps: 4},
		{name: "F09 -10 h for good", feed: feed{length: 30 * time.Second,
			source: func(_ bool, c time.Duration) time.Duration { return after(c+11*hour, 11*hour+10*time.Second, -10*hour) }},
			off: 70 * ms, skew: 70 * ms, jumps: 2, restamps: 4},
		{name: "a file that loops", feed: feed{length: 30 * time.Second,
			source: func(_ bool, c time.Duration) time.Duration { return c % (7 * time.Second) }},
			off: 100 * ms, skew: 100 * ms, jumps: 8, restamps: 16},
		{name: "F15 bases that differ by days", feed: feed{length: 30 * time.Second,
			source: func(v bool, c time.Duration) time.Duration {
				if v {
					return c + 72*hour
				}
				return c
			}}, off: 5 * ms, skew: 35 * ms, restamps: 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			const latency = 200 * time.Millisecond
			samples, stats := c.feed.run(t, latency)
			requireAscending(t, samples)
			require.LessOrEqual(t, worst(samples, latency, 5*time.Second, c.feed.length), c.off, "error")
			require.LessOrEqual(t, skew(samples, 0, c.feed.length), c.skew, "lip sync")
			require.Equal(t, c.jumps, stats.Jumps, "jumps")
			require.Equal(t, c.restamps, stats.Restamped, "restamped")
		})
	}
}

// The path grows by 3 s for good at 10 s: the picture may be late for a
// second or so, then both tracks step together.
func TestTimelineFollowsALongerPath(t *testing.T) {
	grown := feed{length: 30 * time.Second, delay: func(rnd *rand.Rand, c time.Duration) time.Duration {
		if c >= 10*time.Second {
			return 3*time.Second + jitter(rnd, c)
		}
		return jitter(rnd, c)
	}}
	samples, stats := grown.run(t, 200*time.Millisecond)
	requireAscending(t, samples)
	require.Equal(t, uint64(1), stats.Steps)
	require.LessOrEqual(t, worst(samples, 3200*time.Millisecond, 13*time.Second, 30*time.Second), 10*time.Millisecond)
	require.LessOrEqual(t, skew(samples, 12*time.Second, 30*time.Second), time.Millisecond)
}

// TCP stalls for 8 s at 10 s and then catches up at once.
func TestTimelineRecoversFromAStall(t *testing.T) {
	stalled := feed{length: 40 * time.Second, delay: func(rnd *rand.Rand, c time.Duration) time.Duration {
		return max(jitter(rnd, c), 18*time.Second-c+c/100-min(c, 10*time.Second)*10)
	}}
	samples, _ := stalled.run(t, 200*time.Millisecond)
	requireAscending(t, samples)
	require.LessOrEqual(t, worst(samples, 200*time.Millisecond, 25*time.Second, 40*time.Second), 10*time.Millisecond)
	require.LessOrEqual(t, skew(samples, 20*time.Second, 40*time.Second), time.Millisecond)
}

// A publisher that sends faster (F22) or slower than real time is never shown
// far ahead of its arrival, never late for long, and is reported.
func TestTimelineBoundsTheSpeedOfASource(t *testing.T) {
	for _, speed := range []float64{100, 10, 1.5, 0.9, 0.5} {
		timeline := NewTimeline(200 * time.Millisecond)
		var last media.Time
		for n := range 30_000 {
			s := time.Duration(n) * time.Second / 30
			arrival := testEpoch.Add(time.Duration(float64(s) / speed))
			pts, dts := timeline.Map("v", s, s, arrival)
			require.Greater(t, dts, last)
			last = dts
			require.LessOrEqual(t, pts.Sub(arrival), 2300*time.Millisecond, "speed %v at %v", speed, s)
			require.GreaterOrEqual(t, pts.Sub(arrival), -1500*time.Millisecond, "speed %v at %v", speed, s)
		}
		require.InEpsilon(t, speed, timeline.Stats().Speed, 0.05)
	}
}

// Whatever a publisher writes into its timestamps, output ascends and stays
// near the arrival.
func TestTimelineOfGarbage(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		timeline := NewTimeline(200 * time.Millisecond)
		arrival := testEpoch
		last := map[string]media.Time{}
		spans := []time.Duration{time.Millisecond, time.Second, 10 * time.Second, 100 * hour}
		for range 3000 {
			arrival = arrival.Add(time.Duration(rnd.Int64N(int64(40 * time.Millisecond))))
			track := []string{"v", "a"}[rnd.IntN(2)]
			span := int64(spans[rnd.IntN(len(spans))])
			dts := time.Duration(rnd.Int64N(2*span) - span)
			pts, decoded := timeline.Map(track, dts+time.Duration(rnd.Int64N(span)), dts, arrival)
			require.Greater(t, decoded, last[track], "seed %d", seed)
			require.GreaterOrEqual(t, pts, decoded)
			require.InDelta(t, 0, decoded.Sub(arrival).Seconds(), 12, "seed %d", seed)
			last[track] = decoded
		}
	}
}

// Audio that carries the same source time as a picture is placed at the same
// nanosecond, however much later it arrives, through slides, steps and jumps.
func TestTimelineNeverShiftsOneTrackAlone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	timeline := NewTimeline(200 * time.Millisecond)
	shown := map[time.Duration]media.Time{}
	arrival := testEpoch
	source := func(n int) time.Duration { // 0.5% fast, and an hour ahead from 7000 on
		s := time.Duration(n) * time.Second / 30 * 1005 / 1000
		if n >= 7000 {
			s += hour
		}
		return s
	}
	for n := range 9000 {
		s := source(n)
		path := 20 * time.Millisecond
		if n >= 5000 {
			path = 2 * time.Second
		}
		at := testEpoch.Add(time.Duration(n)*time.Second/30 + path + time.Duration(rnd.Int64N(int64(20*time.Millisecond))))
		arrival = max(arrival, at)
		shown[s], _ = timeline.Map("v", s, s, arrival)
		if lag := n - 8; lag >= 0 {
			s := source(lag)
			pts, _ := timeline.Map("a", s, s, arrival)
			if n < 7000 || lag >= 7002 { // not while the jump is being believed
				require.Equal(t, shown[s], pts, "frame %d", lag)
			}
			delete(shown, s)
		}
	}
	require.NotZero(t, timeline.Stats().Steps)
	require.Equal(t, uint64(2), timeline.Stats().Jumps)
}

func TestTimelineRestartAscends(t *testing.T) {
	timeline := NewTimeline(time.Second)
	_, first := timeline.Map("v", 0, 0, testEpoch)
	timeline.Restart()
	_, second := timeline.Map("v", 90*time.Hour, 90*time.Hour, testEpoch.Add(time.Millisecond))
	require.Equal(t, time.Millisecond, second.Sub(first), "the new publisher is anchored by its own arrival")
	timeline.Restart()
	_, third := timeline.Map("v", 0, 0, testEpoch)
	require.Greater(t, third, second)
}

// packed gives audio as MPEG-TS muxers send it: so many access units in one PES
// packet, when the last is there.
func packed(samples []sample, units int) []sample {
	var out, pack []sample
	for _, s := range samples {
		if s.video {
			out = append(out, s)
			continue
		}
		if pack = append(pack, s); len(pack) == units {
			for _, p := range pack {
				p.arrival = s.arrival
				out = append(out, p)
			}
			pack = nil
		}
	}
	return out
}

func TestSoundThatWaitsInItsPacketComesInTime(t *testing.T) {
	const latency, units = 200 * time.Millisecond, 16 // 341 ms, as ffmpeg packs 64 kb/s
	raw, _ := feed{length: 20 * time.Second}.run(t, latency)
	samples := packed(raw, units)
	timeline := NewTimeline(latency)
	late := 0
	for i := range samples {
		s := &samples[i]
		if !s.video {
			last := i
			for last+1 < len(samples) && !samples[last+1].video && samples[last+1].arrival == s.arrival {
				last++
			}
			timeline.Packed(samples[last].dts - s.dts)
		}
		s.outPTS, s.outDTS = timeline.Map(map[bool]string{true: "v", false: "a"}[s.video], s.pts, s.dts, s.arrival)
		if s.outPTS < s.arrival && s.captured > time.Second {
			late++
		}
	}
	require.Zero(t, late)
	requireAscending(t, samples)
	sort.SliceStable(samples, func(i, j int) bool { return samples[i].captured < samples[j].captured })
	require.Less(t, skew(samples, 2*time.Second, 19*time.Second), time.Millisecond)
	wait := (units - 1) * 1024 * time.Second / 48000
	require.Less(t, worst(samples, latency+wait, 2*time.Second, 19*time.Second), 50*time.Millisecond)

	timeline.Restart()
	arrival := testEpoch.Add(time.Hour)
	pts, _ := timeline.Map("v", 0, 0, arrival)
	require.Equal(t, arrival.Add(latency), pts, "the next publisher packs otherwise")
}
