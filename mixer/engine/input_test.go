package engine

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu"
	"millrace/internal/delay"
	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
	"millrace/mixer/worker"
)

var cameraSize = gpu.Size{Width: 320, Height: 180}

// counters reads what each output frame shows of the camera; 0 is none.
func counters(t *testing.T, s *studio) map[int64]uint32 {
	shown := map[int64]uint32{}
	for _, picture := range s.watch(t, 0) {
		shown[picture.frame], _ = pattern.ReadCounter(picture.picture)
	}
	return shown
}

// newest is the counter of the camera's newest picture at t.
func newest(packets []*media.Packet, t media.Time) (counter uint32) {
	for i, p := range packets {
		if p.PTS <= t {
			counter = uint32(i + 1)
		}
	}
	return counter
}

// requireNear checks a frame of a source whose pictures wander over the edges
// of the ticks: they may come half a tick early.
func requireNear(t *testing.T, s *studio, packets []*media.Packet, n int64, counter uint32) {
	t.Helper()
	at := s.rate.At(n)
	require.GreaterOrEqual(t, counter, newest(packets, at), "frame %d", n-s.first)
	require.LessOrEqual(t, counter, newest(packets, at.Add(s.rate.Interval()/2)), "frame %d", n-s.first)
}

func TestTheNewestPictureThatIsDueIsOnScreen(t *testing.T) {
	for _, rate := range []media.Rate{{Num: 30, Den: 1}, {Num: 25, Den: 1}, {Num: 60, Den: 1}, {Num: 10, Den: 1}, {Num: 24000, Den: 1001}} {
		shot := film(t, cameraSize, rate, 2*time.Second, 48, 500)
		var video []*media.Packet
		s := inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
			video = shifted(shot.video, noon.Add(307*time.Millisecond), nil)
			s.feed("cam", video, 200*time.Millisecond)
			s.until(s.first + 55)
			require.Equal(t, worker.Live, s.latest("cam").State)
			require.Equal(t, 320, s.latest("cam").Width)
		})
		for n, counter := range counters(t, s) {
			if even := rate.Den == 1 && rate.Num != 25; even {
				require.Equal(t, newest(video, s.rate.At(n)), counter, "%v: frame %d", rate, n-s.first)
			} else {
				requireNear(t, s, video, n, counter)
			}
		}
	}
}

func TestHoldThenSlateThenBack(t *testing.T) {
	shot := film(t, cameraSize, media.Rate{Num: 30, Den: 1}, time.Second, 15, 500)
	var lost, back media.Time
	s := inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
		check := func(after time.Duration, want worker.SourceReport) {
			require.NoError(t, s.clock.SleepUntil(s.t.Context(), noon.Add(after)))
			got := s.latest("cam")
			require.Equal(t, want, worker.SourceReport{State: got.State, Held: got.Held, Slate: got.Slate}, "after %v", after)
		}
		begin := noon.Add(500 * time.Millisecond)
		video := shifted(shot.video, begin, nil)
		lost = video[len(video)-1].PTS
		s.feed("cam", video, 100*time.Millisecond)
		check(400*time.Millisecond, worker.SourceReport{State: worker.Idle, Slate: true})
		check(1200*time.Millisecond, worker.SourceReport{State: worker.Live})
		check(2200*time.Millisecond, worker.SourceReport{State: worker.Degraded, Held: true})
		check(4*time.Second, worker.SourceReport{State: worker.Lost, Slate: true})
		s.engine.Gone("cam")
		back = noon.Add(5 * time.Second)
		track := *shot.video[0].Track // a publisher that comes back is a new track
		s.feed("cam", shifted(shot.video, back, &track), 100*time.Millisecond)
		check(5500*time.Millisecond, worker.SourceReport{State: worker.Live})
	})
	for n, counter := range counters(t, s) {
		at := s.rate.At(n)
		slate := at < noon.Add(500*time.Millisecond) || at > lost.Add(2*time.Second) && at < back
		require.Equal(t, slate, counter == 0, "at %v", at.Sub(noon))
		if at > lost && !slate && at < back {
			require.Equal(t, uint32(30), counter, "the last picture is held")
		}
	}
}

func TestAReplayedGOPShowsOnlyItsLastPicture(t *testing.T) {
	shot := film(t, cameraSize, media.Rate{Num: 30, Den: 1}, 5*time.Second, 1<<20, 500)
	var joined media.Time
	var video []*media.Packet
	s := inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
		video = shifted(shot.video, noon.Add(-4*time.Second), nil)
		s.until(s.first + 5)
		joined = s.clock.Now()
		for _, p := range video { // the past at once, 0.8 s of the future with it
			s.engine.Packet("cam", p)
		}
		s.until(s.first + 40)
		require.Equal(t, uint64(150), s.latest("cam").Frames)
		require.Zero(t, s.latest("cam").Dropped)
	})
	for n, counter := range counters(t, s) {
		at := s.rate.At(n)
		want := newest(video, at)
		if at <= joined {
			want = 0
		}
		require.Equal(t, want, counter, "frame %d", n-s.first)
	}
}

func TestAFloodIsBounded(t *testing.T) {
	shot := film(t, cameraSize, media.Rate{Num: 30, Den: 1}, 10*time.Second, 30, 500)
	inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
		for k := range 100 { // 1,000 s of pictures and sound at once
			begin := noon.Add(time.Duration(k) * 10 * time.Second)
			for _, p := range shifted(shot.video, begin, nil) {
				s.engine.Packet("cam", p)
			}
			for _, p := range shifted(shot.sound, begin, nil) {
				s.engine.Packet("cam", p)
			}
			for _, q := range []*queue{s.engine.desk.sources["cam"].input.video, s.engine.desk.sources["cam"].input.sound} {
				packets, size := q.held()
				require.LessOrEqual(t, packets, queuePackets)
				require.LessOrEqual(t, size, queueBytes)
			}
		}
		s.until(s.first + 30)
		report := s.latest("cam")
		require.NotZero(t, report.Dropped)
		require.Less(t, s.device.Outstanding(), 40)

		// A feed with sane times is on screen again.
		track, sound := *shot.video[0].Track, *shot.sound[0].Track
		begin := noon.Add(3 * time.Second)
		s.feed("cam", shifted(shot.video, begin, &track), 200*time.Millisecond)
		s.feed("cam", shifted(shot.sound, begin, &sound), 200*time.Millisecond)
		s.until(s.first + 4*30)
		require.Equal(t, worker.Live, s.latest("cam").State)
	})
}

func TestDamageEndsNothing(t *testing.T) {
	shot := film(t, cameraSize, media.Rate{Num: 30, Den: 1}, 4*time.Second, 15, 500)
	tests := []struct {
		name   string
		damage func(i int, p *media.Packet)
	}{
		{"bits", func(i int, p *media.Packet) {
			for at := 20 + i%7; at < len(p.Data); at += 50 {
				p.Data[at] ^= 0x40
			}
		}},
		{"cut short", func(i int, p *media.Packet) { p.Data = p.Data[:len(p.Data)*(i%4)/4] }},
		{"empty", func(_ int, p *media.Packet) { p.Data = nil }},
		{"garbage", func(i int, p *media.Packet) {
			for at := range p.Data {
				p.Data[at] = byte(i * at)
			}
		}},
		{"unknown codec", func(_ int, p *media.Packet) { p.Track = &media.Track{ID: "x", Kind: p.Track.Kind, Codec: "cinepak"} }},
		{"broken config", func(_ int, p *media.Packet) {
			track := *p.Track
			track.Config = bytes.Repeat([]byte{1, 0xff}, 30)
			p.Track = &track
		}},
		{"due in a year", func(_ int, p *media.Packet) { p.PTS = p.PTS.Add(365 * 24 * time.Hour) }},
	}
	for _, test := range tests {
		s := inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
			broken := func(packets []*media.Packet) []*media.Packet {
				packets = shifted(packets, noon, nil)
				for i, p := range packets {
					if i > 20 && i < 80 {
						p.Data = bytes.Clone(p.Data)
						test.damage(i, p)
					}
				}
				return packets
			}
			s.feedAt("cam", broken(shot.video), shot.video)
			s.feedAt("cam", broken(shot.sound), shot.sound)
			s.until(s.first + 110)
			report := s.latest("cam")
			require.NotZero(t, report.DecodeErrors+report.Dropped, test.name)
		})
		shown := counters(t, s)
		for n := s.first + 100; n < s.first+110; n++ {
			require.Equal(t, newest(shifted(shot.video, noon, nil), s.rate.At(n)), shown[n], "%s: frame %d", test.name, n-s.first)
		}
	}
}

// feedAt writes packets when the ones like them are due, 100 ms ahead.
func (s *studio) feedAt(source string, packets, like []*media.Packet) {
	go func() {
		for i, p := range packets {
			if s.clock.SleepUntil(s.t.Context(), noon.Add(time.Duration(like[i].PTS)-100*time.Millisecond)) != nil {
				return
			}
			s.engine.Packet(source, p)
		}
	}()
}

func TestPictureSizeAndCodecMayChange(t *testing.T) {
	small := film(t, gpu.Size{Width: 160, Height: 90}, media.Rate{Num: 30, Den: 1}, time.Second, 15, 500)
	large := film(t, gpu.Size{Width: 640, Height: 360}, media.Rate{Num: 25, Den: 1}, time.Second, 15, 500)
	s := inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
		s.feed("cam", shifted(small.video, noon, nil), 100*time.Millisecond)
		s.feed("cam", shifted(large.video, noon.Add(time.Second), nil), 100*time.Millisecond)
		s.until(s.first + 55)
		require.Equal(t, 640, s.latest("cam").Width)
	})
	for n, counter := range counters(t, s) {
		if s.rate.At(n) < noon.Add(time.Second) {
			require.Equal(t, newest(shifted(small.video, noon, nil), s.rate.At(n)), counter, "frame %d", n-s.first)
		} else {
			requireNear(t, s, shifted(large.video, noon.Add(time.Second), nil), n, counter)
		}
	}
}

// TestReportsSayHowLongPicturesTake: from packet in to composed, and from the
// tick to the packet out.
func TestReportsSayHowLongPicturesTake(t *testing.T) {
	shot := film(t, cameraSize, media.Rate{Num: 30, Den: 1}, 3*time.Second, 30, 500)
	for _, ahead := range []time.Duration{40 * time.Millisecond, 250 * time.Millisecond} {
		inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
			s.feed("cam", shifted(shot.video, noon, nil), ahead)
			s.until(s.first + 65)
			// A picture is composed with the tick at which it is due.
			way := s.latest("cam").Way
			for _, spread := range []delay.Spread{way.Wait, way.Total} {
				require.InEpsilon(t, ahead, spread.P50, 0.07)
				require.InDelta(t, float64(ahead), float64(spread.Max), float64(time.Millisecond))
			}
			require.NotZero(t, way.Decode.Count)
			require.Zero(t, way.Decode.Max, "the time of a bubble stands still while it works")
			require.Zero(t, way.Socket.Max)
			require.Zero(t, s.latest("a").Way)
			report := s.reports[len(s.reports)-1]
			require.Contains(t, report.Rungs, "v180")
			require.NotZero(t, report.Rungs["v180"].Count)
			require.Zero(t, report.Rungs["v180"].Max)
			require.NotZero(t, report.Composed.Count)
		})
	}
}

func TestArrivals(t *testing.T) {
	var a arrivals
	_, ok := a.of(0)
	require.False(t, ok)
	for i := range media.Time(3 * arrivalsKept) {
		a.add(arrival{i, noon + i, noon})
	}
	a.add(arrival{3*arrivalsKept - 5, noon + 1_000_000, noon}) // comes again
	from, ok := a.of(3*arrivalsKept - 5)
	require.True(t, ok)
	require.Equal(t, noon+1_000_000, from.at)
	from, ok = a.of(2*arrivalsKept + 1)
	require.True(t, ok)
	require.Equal(t, noon+2*arrivalsKept+1, from.at)
	_, ok = a.of(media.Time(2 * arrivalsKept))
	require.False(t, ok)
}
