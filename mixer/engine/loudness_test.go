package engine

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/mixer/engine/audio"
	"millrace/mixer/worker"
)

// heard is what viewers hear between two instants, decoded from the AAC.
func heard(t *testing.T, s *studio, from, to media.Time) audio.Block {
	ring, _ := s.listen(t, 1)
	b := audio.NewBlock(int(to.Ticks(audio.Hz) - from.Ticks(audio.Hz)))
	ring.Read(from.Ticks(audio.Hz), b)
	for _, channel := range b {
		for _, v := range channel {
			require.False(t, math.IsNaN(float64(v)))
		}
	}
	return b
}

// TestProgramHasItsLoudness: measured on what viewers decode, a quiet program
// comes to the target within half a loudness unit.
func TestProgramHasItsLoudness(t *testing.T) {
	show := testShow("25")
	show.Ladder[0].Width, show.Ladder[0].Height = 64, 36
	show.Program = "only-a"
	show.Loudness = worker.Loudness{TargetLUFS: -23}
	s := inStudio(t, show, func(t *testing.T, s *studio) { s.until(s.first + 25*25) })
	var meter audio.Loudness
	meter.Write(heard(t, s, s.rate.At(s.first+25*15), s.rate.At(s.first+25*25-10)))
	require.InDelta(t, -23, meter.Integrated(), 0.5)
}

// TestProgramStaysBelowItsTruePeak: four sources at full gain, and the ceiling.
func TestProgramStaysBelowItsTruePeak(t *testing.T) {
	show := testShow("25")
	show.Ladder[0].Width, show.Ladder[0].Height = 64, 36
	for i := range show.Sources {
		show.Sources[i].Audio.GainDB = 35
	}
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		s.until(s.first + 10)
		s.engine.Watch(worker.Watch{Meters: true})
		s.until(s.first + 25*3)
	})
	require.NotEmpty(t, s.meters)
	loudest := -120.0
	for _, m := range s.meters {
		require.LessOrEqual(t, m.Program.TruePeak, -1.0)
		loudest = max(loudest, m.Program.TruePeak)
	}
	require.Greater(t, loudest, -2.5, "not lower than it must be")
	b := heard(t, s, s.rate.At(s.first).Add(500*time.Millisecond), s.rate.At(s.first).Add(2500*time.Millisecond))
	require.Less(t, float64(b.Peak()), 1.0, "the encoder adds a little")
}

// TestSoundStandsOnItsSample: what the limiter looks ahead is read ahead, so that
// a tone comes out with the phase it has on the grid, within a sample.
func TestSoundStandsOnItsSample(t *testing.T) {
	show := testShow("30")
	show.Program = "only-b"
	s := inStudio(t, show, func(t *testing.T, s *studio) { s.until(s.first + 60) })
	for rendition := 1; rendition <= 2; rendition++ {
		ring, _ := s.listen(t, rendition)
		from := noon.Add(1300 * time.Millisecond).Ticks(audio.Hz)
		b := audio.NewBlock(audio.Hz / 5)
		ring.Read(from, b)
		var in, across float64 // with the tone's phase on the grid, and a quarter later
		for i, v := range b[0] {
			phase := 2 * math.Pi * 554 * float64((from+int64(i))%audio.Hz) / audio.Hz
			in += float64(v) * math.Sin(phase)
			across += float64(v) * math.Cos(phase)
		}
		samples := math.Atan2(across, in) / (2 * math.Pi * 554) * audio.Hz
		require.InDelta(t, 0, samples, 1.5, "rendition %d", rendition)
	}
}
