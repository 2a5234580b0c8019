package engine

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// level is the amplitude of a frequency between two instants of what the
// channel sounds like.
func level(ring *audio.Ring, hz float64, from, to media.Time) float64 {
	first := from.Ticks(audio.Hz)
	block := audio.NewBlock(int(to.Ticks(audio.Hz) - first))
	ring.Read(first, block)
	w := 2 * math.Pi * hz / audio.Hz
	var a, b float64
	for _, v := range block[0] {
		if v != v {
			v = 0
		}
		a, b = float64(v)+2*math.Cos(w)*a-b, a
	}
	return 2 * math.Sqrt(a*a+b*b-2*math.Cos(w)*a*b) / float64(block.Len())
}

const testTone = 0.0316 // -30 dBFS

func TestWhoIsHeard(t *testing.T) {
	show := testShow("30")
	for i, change := range []worker.AudioSettings{
		{}, {Mode: worker.AudioOn, GainDB: -6}, {Mode: worker.AudioFollow, Mute: true}, {Mode: worker.AudioOff},
	} {
		show.Sources[i].Audio = change
	}
	solo := "only-d"
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		require.Empty(t, s.do(worker.Command{At: s.first + 30, Cut: &solo}).Error)
		changed := show
		changed.Sources = slices.Clone(show.Sources)
		changed.Sources[3].Audio.Mode = worker.AudioFollow
		require.Empty(t, s.do(worker.Command{At: s.first + 60, Show: &changed}).Error)
		s.until(s.first + 95)
	})
	wants := [][4]float64{ // tones of a to d, second by second
		{testTone, testTone / 2, 0, 0},
		{0, testTone / 2, 0, 0},
		{0, testTone / 2, 0, testTone},
	}
	for rendition := 1; rendition <= 2; rendition++ {
		ring, _ := s.listen(t, rendition)
		for second, want := range wants {
			begin := s.rate.At(s.first + 30*int64(second))
			for i, hz := range []float64{440, 554, 659, 880} {
				got := level(ring, hz, begin.Add(200*time.Millisecond), begin.Add(700*time.Millisecond))
				require.InDelta(t, want[i], got, 0.003, "rendition %d second %d source %c", rendition, second, 'a'+i)
			}
		}
	}
}

// TestMakesWay: while its key is heard a source is taken back, and it returns; the
// master's fader moves both.
func TestMakesWay(t *testing.T) {
	show := testShow("30")
	show.Sources[1].Audio.Duck = &worker.Duck{Keys: []string{"a", "nobody", "b"}, ThresholdDB: -50, Ratio: 4, AttackMs: 10, ReleaseMs: 50}
	solo := "only-b"
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		require.Empty(t, s.do(worker.Command{At: s.first + 30, Cut: &solo}).Error)
		changed := show
		changed.Master = worker.Master{GainDB: -20 * math.Log10(2)}
		require.Empty(t, s.do(worker.Command{At: s.first + 60, Show: &changed}).Error)
		changed.Master.Mute = true
		require.Empty(t, s.do(worker.Command{At: s.first + 90, Show: &changed}).Error)
		s.until(s.first + 125)
	})
	ring, _ := s.listen(t, 1)
	for second, want := range []float64{testTone * math.Pow(10, -15.0/20), testTone, testTone / 2, 0} {
		begin := s.rate.At(s.first + 30*int64(second))
		require.InDelta(t, want, level(ring, 554, begin.Add(500*time.Millisecond), begin.Add(900*time.Millisecond)), 0.001, "second %d", second)
	}
	begin := s.rate.At(s.first)
	require.InDelta(t, testTone, level(ring, 440, begin.Add(300*time.Millisecond), begin.Add(900*time.Millisecond)), 0.001, "the key stays as it is")
}

// TestSoundStandsWithItsPicture: the beep of a test source begins with the
// second, at which its picture flashes.
func TestSoundStandsWithItsPicture(t *testing.T) {
	for _, rate := range []string{"30", "24000/1001", "60"} {
		s := inStudio(t, testShow(rate), func(t *testing.T, s *studio) { s.until(s.rate.Index(noon.Add(1300 * time.Millisecond))) })
		ring, _ := s.listen(t, 1)
		second := noon.Add(time.Second)
		quiet := level(ring, 1000, second.Add(-60*time.Millisecond), second.Add(-5*time.Millisecond))
		loud := level(ring, 1000, second.Add(5*time.Millisecond), second.Add(60*time.Millisecond))
		require.Less(t, quiet, 0.05, rate)
		require.Greater(t, loud, 0.2, rate)
	}
}

func TestSoundOfASource(t *testing.T) {
	shot := film(t, cameraSize, media.Rate{Num: 30, Den: 1}, 3*time.Second, 30, 700)
	begin := noon.Add(200 * time.Millisecond)
	tests := []struct {
		name  string
		send  func(s *studio)
		quiet [][2]time.Duration // since begin
		loud  [][2]time.Duration
	}{
		{"whole", func(s *studio) {
			s.feed("cam", shifted(shot.sound, begin, nil), 200*time.Millisecond)
		}, nil, [][2]time.Duration{{100 * time.Millisecond, 2900 * time.Millisecond}}},
		{"missing for a while", func(s *studio) {
			s.feed("cam", shifted(shot.sound[:47], begin, nil), 200*time.Millisecond)
			s.feed("cam", shifted(shot.sound[94:], begin, nil), 200*time.Millisecond)
		}, [][2]time.Duration{{1100 * time.Millisecond, 1900 * time.Millisecond}}, [][2]time.Duration{
			{100 * time.Millisecond, 900 * time.Millisecond}, {2100 * time.Millisecond, 2900 * time.Millisecond}}},
		{"too late for its tick", func(s *studio) {
			s.feed("cam", shifted(shot.sound[:94], begin, nil), -300*time.Millisecond)
			s.feed("cam", shifted(shot.sound[118:], begin, nil), 200*time.Millisecond)
		}, [][2]time.Duration{{0, 2400 * time.Millisecond}}, [][2]time.Duration{{2600 * time.Millisecond, 2900 * time.Millisecond}}},
	}
	for _, test := range tests {
		s := inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
			test.send(s)
			s.feed("cam", shifted(shot.video, begin, nil), 200*time.Millisecond)
			s.until(s.rate.Index(begin.Add(3100 * time.Millisecond)))
		})
		for n, counter := range counters(t, s) { // the picture never waits for sound
			require.Equal(t, newest(shifted(shot.video, begin, nil), s.rate.At(n)), counter, test.name)
		}
		ring, _ := s.listen(t, 1)
		for _, span := range test.quiet {
			require.Less(t, level(ring, 700, begin.Add(span[0]), begin.Add(span[1])), 0.01, "%s: %v", test.name, span)
		}
		for _, span := range test.loud {
			require.InDelta(t, 0.25, level(ring, 700, begin.Add(span[0]), begin.Add(span[1])), 0.02, "%s: %v", test.name, span)
		}
	}
}

func TestASourceThatOnlySoundsShowsItsNameAndIsLive(t *testing.T) {
	shot := film(t, cameraSize, media.Rate{Num: 30, Den: 1}, 2*time.Second, 30, 700)
	s := inStudio(t, withSource(testShow("30"), "cam"), func(t *testing.T, s *studio) {
		s.feed("cam", shifted(shot.sound, noon, nil), 100*time.Millisecond)
		s.until(s.first + 40)
		report := s.latest("cam")
		require.Equal(t, worker.Live, report.State)
		require.True(t, report.Slate)
		s.until(s.first + 95)
		require.Equal(t, worker.Lost, s.latest("cam").State)
	})
	ring, _ := s.listen(t, 1)
	require.InDelta(t, 0.25, level(ring, 700, noon.Add(300*time.Millisecond), noon.Add(time.Second)), 0.02)
}

func TestDelayMovesTheSound(t *testing.T) {
	show := testShow("30")
	show.Program = "only-a"
	show.Sources[0].Audio.DelayMs = 250
	s := inStudio(t, show, func(t *testing.T, s *studio) { s.until(s.first + 60) })
	ring, _ := s.listen(t, 1)
	second := noon.Add(time.Second + 250*time.Millisecond)
	require.Less(t, level(ring, 1000, second.Add(-60*time.Millisecond), second.Add(-5*time.Millisecond)), 0.02)
	require.Greater(t, level(ring, 1000, second.Add(5*time.Millisecond), second.Add(60*time.Millisecond)), 0.05)
}

// TestSoundHasNoSeams: every sample of the channel is the tone's, whatever the
// rate does to the length of a tick.
func TestSoundHasNoSeams(t *testing.T) {
	for _, rate := range []string{"24000/1001", "30000/1001", "60"} {
		show := testShow(rate)
		show.Program = "only-a"
		s := inStudio(t, show, func(t *testing.T, s *studio) { s.until(s.rate.Index(noon.Add(1900 * time.Millisecond))) })
		for rendition := 1; rendition <= 2; rendition++ {
			ring, _ := s.listen(t, rendition)
			got, want := audio.NewBlock(audio.Hz/2), audio.NewBlock(audio.Hz/2)
			at := noon.Add(1200 * time.Millisecond).Ticks(audio.Hz)
			require.True(t, ring.Read(at, got))
			audio.NewTone(440, 0).Read(at, want)
			var worst float64
			for i := range got[0] {
				worst = max(worst, math.Abs(float64(got[0][i]-want[0][i])))
			}
			require.Less(t, worst, 0.01, "%s rendition %d", rate, rendition)
		}
	}
}
