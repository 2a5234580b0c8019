package audio

import (
	"encoding/binary"
	"math"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// spoken is what the distribution's ffmpeg says, 48 kHz stereo.
func spoken(t *testing.T) Block {
	command := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi",
		"-i", "flite=text='Good evening and welcome. We hear every guest, and no guest hears himself.'", "-ar", "48000", "-ac", "2", "-f", "f32le", "-")
	raw, err := command.Output()
	if err != nil {
		t.Skip("no ffmpeg that speaks: ", err)
	}
	b := NewBlock(len(raw) / 8)
	for i := range b[0] {
		b[0][i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[8*i:]))
		b[1][i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[8*i+4:]))
	}
	return b
}

// redundant says whether an Opus packet of one frame carries a copy of the one
// before (RFC 6716 4.2.4): bit 1 behind the VAD bit of either channel.
func redundant(packet []byte) bool {
	celt := packet[0]>>3 >= 16 // RFC 6716 3.1
	return !celt && len(packet) > 1 && packet[1]&0b0101_0000 != 0
}

func TestSpeechIsProtectedAgainstLoss(t *testing.T) {
	speech := spoken(t)
	count := func(samples Block) (protected, all int) {
		_, packets := encoded(t, Opus(96_000), samples)
		for _, p := range packets {
			if redundant(p.Data) {
				protected++
			}
		}
		return protected, len(packets)
	}
	protected, all := count(speech)
	require.Greater(t, protected, all/2, "of speech")

	chord := NewBlock(4 * Hz)
	for i := range chord[0] {
		at := float64(i) / Hz
		fade := math.Exp(-3 * math.Mod(at, 0.5))
		for n, hz := range []float64{220, 277.2, 329.6, 440} {
			chord[n%2][i] += float32(0.1 * fade * math.Sin(2*math.Pi*hz*at))
		}
	}
	protected, all = count(chord)
	require.Less(t, protected, all/20, "of music")
}

// TestSpeechStandsInItsPlace: the lag at which the decoded speech is most like
// the original.
func TestSpeechStandsInItsPlace(t *testing.T) {
	speech := spoken(t)
	_, packets := encoded(t, Opus(96_000), speech)
	ring := NewRing(speech.Len() + Hz)
	feed := NewFeed(ring)
	for _, p := range packets {
		require.NoError(t, feed.Write(p))
	}
	feed.Close()
	got := NewBlock(speech.Len() - 4*OpusUnit)
	require.True(t, ring.Read(begun, got))
	tidy(got)
	best, lag := 0.0, 0
	for try := -20; try <= 20; try++ {
		var like float64
		for i := 100; i < got.Len()-100; i++ {
			like += float64(speech[0][i] * got[0][i+try])
		}
		if like > best {
			best, lag = like, try
		}
	}
	require.InDelta(t, 0, lag, 3)
}

func TestOpusStaysWithinItsBitrate(t *testing.T) {
	_, packets := encoded(t, Opus(96_000), spoken(t))
	bytes := 0
	for _, p := range packets {
		bytes += len(p.Data)
		require.LessOrEqual(t, len(p.Data), 1200, "one RTP packet")
	}
	require.LessOrEqual(t, bytes*8*Hz/OpusUnit/len(packets), 100_000)
	require.Equal(t, media.Opus, packets[0].Track.Codec)
}
