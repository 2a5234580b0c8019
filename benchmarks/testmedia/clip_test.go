package testmedia

import (
	"hash/crc32"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func small(scene Scene) Clip {
	return Clip{Scene: scene, Width: 320, Height: 180, Rate: media.Rate{Num: 30, Den: 1}, Frames: 60, Seed: 7}
}

// drawn is a checksum of one frame.
func drawn(t *testing.T, painter *Painter, n int64) uint32 {
	t.Helper()
	p := pattern.NewPicture(painter.clip.Width, painter.clip.Height)
	painter.Draw(p, n)
	sum := crc32.ChecksumIEEE(p.Y)
	return sum ^ crc32.ChecksumIEEE(p.U)<<1 ^ crc32.ChecksumIEEE(p.V)<<2
}

func TestPicturesFollowFromTheDescription(t *testing.T) {
	for _, scene := range []Scene{Texture, Talk, Sync} {
		t.Run(string(scene), func(t *testing.T) {
			one, err := NewPainter(small(scene))
			require.NoError(t, err)
			other, err := NewPainter(small(scene))
			require.NoError(t, err)
			fifth := drawn(t, one, 5)
			require.NotEqual(t, fifth, drawn(t, one, 6), "it moves")
			require.Equal(t, fifth, drawn(t, other, 5), "in any order")

			if scene == Sync {
				return // the same for every seed
			}
			seeded := small(scene)
			seeded.Seed++
			another, err := NewPainter(seeded)
			require.NoError(t, err)
			require.NotEqual(t, fifth, drawn(t, another, 5))
		})
	}
}

func TestDescriptionsThatCannotBeDrawn(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*Clip)
	}{
		{"scene", func(c *Clip) { c.Scene = "opera" }},
		{"odd width", func(c *Clip) { c.Width = 321 }},
		{"too small to read", func(c *Clip) { c.Height = 90 }},
		{"no rate", func(c *Clip) { c.Rate = media.Rate{} }},
		{"no frames", func(c *Clip) { c.Frames = 0 }},
		{"a tone that cannot be sampled", func(c *Clip) { c.Tone = 24000 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := small(Talk)
			tt.spoil(&c)
			_, err := NewPainter(c)
			require.ErrorIs(t, err, ErrClip)
		})
	}
}

func TestTimecode(t *testing.T) {
	tests := []struct {
		rate media.Rate
		n    int64
		want string
	}{
		{media.Rate{Num: 30, Den: 1}, 0, "00:00:00.00"},
		{media.Rate{Num: 30, Den: 1}, 89, "00:00:02.29"},
		{media.Rate{Num: 30000, Den: 1001}, 29, "00:00:00.29"},
		{media.Rate{Num: 30000, Den: 1001}, 30, "00:00:01.00"},
		{media.Rate{Num: 50, Den: 1}, 50 * 3661, "01:01:01.00"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, timecode(tt.rate, tt.n))
	}
}

func TestFlashAndBeepBeginTogether(t *testing.T) {
	for _, rate := range []media.Rate{{Num: 30, Den: 1}, {Num: 30000, Den: 1001}, {Num: 24000, Den: 1001}, {Num: 50, Den: 1}} {
		c := small(Sync)
		c.Rate, c.Frames = rate, rate.Index(media.Time(4*time.Second))
		var flashes []int
		for n := range c.Frames {
			if c.Flashes(n) && (n == 0 || !c.Flashes(n-1)) {
				flashes = append(flashes, int(rate.Samples(n, SampleRate)))
			}
		}
		source := &beeps{clip: c}
		samples := make([]float32, c.Samples())
		for i := range samples {
			samples[i] = float32(source.next())
		}
		starts := ReadBeeps(samples)
		require.Len(t, flashes, 4, rate)
		require.Len(t, starts, 4, rate)
		for i := range starts {
			require.InDelta(t, flashes[i], starts[i], 3, rate) // a sine begins at nothing
		}
	}
}

func TestTonesAreTakenApart(t *testing.T) {
	one, other := small(Talk), small(Sync)
	one.Tone, other.Tone = 400, 1900
	left, right := one.sound(), other.sound()
	samples := make([]float32, SampleRate)
	for i := range samples {
		samples[i] = float32(left() + right())
	}
	for hertz, want := range map[int]float64{400: ToneLevel, 1900: ToneLevel, 1000: 0, 500: 0} {
		require.InDelta(t, want, ReadTone(samples, hertz), 1e-4, hertz)
	}
}

func TestSpeechIsAtBroadcastLevelWithPauses(t *testing.T) {
	for seed := range uint64(4) {
		c := small(Talk)
		c.Seed = seed
		source := newSpeech(c)
		var energy, peak float64
		quiet := 0
		const seconds = 6
		for range seconds * 20 { // blocks of 50 ms
			block := 0.0
			for range SampleRate / 20 {
				v := source.next()
				block += v * v
				peak = max(peak, math.Abs(v))
			}
			if block < 1e-3 {
				quiet++
			}
			energy += block
		}
		level := 10 * math.Log10(energy/(seconds*SampleRate))
		require.InDelta(t, -23, level, 6, "dBFS")
		require.Less(t, peak, 0.9, "never clipped")
		require.Greater(t, quiet, seconds, "it pauses")
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, scene := range []Scene{Texture, Talk} {
		b.Run(string(scene), func(b *testing.B) {
			c := small(scene)
			c.Width, c.Height = 1920, 1080
			painter, err := NewPainter(c)
			require.NoError(b, err)
			p := pattern.NewPicture(c.Width, c.Height)
			for n := int64(0); b.Loop(); n++ {
				painter.Draw(p, n)
			}
		})
	}
}
