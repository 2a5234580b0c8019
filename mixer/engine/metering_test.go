package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/mixer/worker"
)

// TestMeters: 20 readings a second while somebody watches, of every source
// behind its fader, heard or not, and of the program.
func TestMeters(t *testing.T) {
	show := testShow("30")
	show.Sources[0].Audio = worker.AudioSettings{GainDB: -6, Mute: true}
	show.Sources[1].Audio = worker.AudioSettings{Solo: true, Pan: 1}
	s := inStudio(t, show, func(t *testing.T, s *studio) {
		s.until(s.first + 30)
		s.engine.Watch(worker.Watch{Meters: true})
		s.until(s.first + 30 + 3*30)
		s.engine.Watch(worker.Watch{})
		s.until(s.first + 180)
	})
	require.InDelta(t, 60, len(s.meters), 2)
	for i := 1; i < len(s.meters); i++ {
		apart := s.rate.At(s.meters[i].Frame).Sub(s.rate.At(s.meters[i-1].Frame))
		require.LessOrEqual(t, apart, 70*time.Millisecond, "on ticks, 50 ms apart on average")
	}
	last := s.meters[len(s.meters)-8] // away from the beep of each second
	require.InDelta(t, -36, last.Sources["a"].Peak[0], 0.2, "muted, behind its fader")
	require.InDelta(t, -30, last.Sources["c"].Peak[0], 0.2)
	require.Equal(t, -120.0, last.Sources["b"].Peak[0], "panned to the right")
	require.InDelta(t, -30, last.Program.Peak[1], 0.2, "the others are not soloed")
	require.Equal(t, -120.0, last.Program.Peak[0])
	require.InDelta(t, -33.6, last.Program.Momentary, 0.3, "a sine of -30 dBFS on one side, and K-weighting")
	require.InDelta(t, -33, last.Program.RMS[1], 0.2)
	require.InDelta(t, -30, last.Program.TruePeak, 0.3)
}
