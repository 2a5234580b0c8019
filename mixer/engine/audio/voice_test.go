package audio

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// sineIn writes a sine into a ring between two positions.
func sineIn(ring *Ring, hz float64, from, to int64, level float32) {
	b := NewBlock(int(to - from))
	for i := range b[0] {
		v := level * float32(math.Sin(2*math.Pi*hz*float64(from+int64(i))/Hz))
		b[0][i], b[1][i] = v, v
	}
	ring.Write(from, b)
}

// steepest is the largest step from sample to sample.
func steepest(b Block) (step float32) {
	for i := 1; i < b.Len(); i++ {
		step = max(step, b[0][i]-b[0][i-1], b[0][i-1]-b[0][i])
	}
	return step
}

// mixed runs a voice over a span in ticks of 1600 samples.
func mixed(v *Voice, source Source, from int64, n int, gain func(at int64) float32, at func(int64) int64) Block {
	out := NewBlock(n)
	for i := 0; i < n; i += 1600 {
		v.Mix(out.Slice(i, i+1600), source, at(from+int64(i)), NewStrip(0, 0, gain(from+int64(i))))
	}
	return out
}

func same(at int64) int64   { return at }
func unity(_ int64) float32 { return 1 }

// TestBreaksDoNotClick: a 440 Hz sine at half scale moves at most 0.029 a
// sample; a fade adds at most 1/240 of a value.
func TestBreaksDoNotClick(t *testing.T) {
	const smooth = 0.029 + 0.5/Fade + 0.5/Fade
	base := int64(48000 * 1_700_000_000)
	tests := []struct {
		name  string
		spans [][2]int64 // written, relative to base
		gain  func(at int64) float32
		at    func(int64) int64
	}{
		{name: "steady", spans: [][2]int64{{0, 16000}}},
		{name: "ends inside a tick", spans: [][2]int64{{0, 4011}}},
		{name: "ends with a tick", spans: [][2]int64{{0, 4800}}},
		{name: "begins inside a tick", spans: [][2]int64{{3333, 16000}}},
		{name: "hole", spans: [][2]int64{{0, 5011}, {9033, 16000}}},
		{name: "hole shorter than a fade", spans: [][2]int64{{0, 5011}, {5071, 16000}}},
		{name: "single sample missing", spans: [][2]int64{{0, 5011}, {5012, 16000}}},
		{name: "muted and back", spans: [][2]int64{{0, 16000}}, gain: func(at int64) float32 {
			if (at-base)/3200%2 == 0 {
				return 1
			}
			return 0
		}},
		{name: "delay changes", spans: [][2]int64{{0, 16000}}, at: func(at int64) int64 {
			if at-base > 6000 {
				return at - 1237
			}
			return at
		}},
		{name: "lost while muted", spans: [][2]int64{{0, 5000}}, gain: func(at int64) float32 {
			if at-base >= 3200 && at-base < 6400 {
				return 0
			}
			return 1
		}},
	}
	for _, test := range tests {
		ring := NewRing(Hz)
		for _, span := range test.spans {
			sineIn(ring, 440, base+span[0], base+span[1], 0.5)
		}
		if test.gain == nil {
			test.gain = unity
		}
		if test.at == nil {
			test.at = same
		}
		out := mixed(NewVoice(0), ring, base, 16000, test.gain, test.at)
		require.LessOrEqual(t, steepest(out), float32(smooth), test.name)
		require.Greater(t, out.Peak(), float32(0.4), test.name)
	}
}

func TestSteadySoundIsUntouched(t *testing.T) {
	ring := NewRing(Hz)
	sineIn(ring, 440, 0, 16000, 0.5)
	want := NewBlock(16000)
	ring.Read(0, want)
	got := mixed(NewVoice(1), ring, 0, 16000, unity, same)
	require.Equal(t, want.Slice(Fade, 16000), got.Slice(Fade, 16000))
}

func TestGainMovesWithinOneTick(t *testing.T) {
	ring := NewRing(Hz)
	ones := NewBlock(6400)
	for i := range ones[0] {
		ones[0][i], ones[1][i] = 1, 1
	}
	ring.Write(0, ones)
	voice := NewVoice(1)
	out := NewBlock(1600)
	voice.Mix(out, ring, 0, NewStrip(0, 0, 1))
	out.Clear()
	voice.Mix(out, ring, 1600, NewStrip(-6, 0, 1))
	require.InDelta(t, 1, out[0][0], 0.01)
	require.InDelta(t, 0.501, out[0][1599], 0.001)
	require.InDelta(t, 0.75, out[0][800], 0.001)
	out.Clear()
	voice.Mix(out, ring, 3200, NewStrip(-6, 0, 1))
	require.InDelta(t, 0.501, out[0][0], 0.001)
	require.InDelta(t, 1, voice.TakePeak(), 1e-6)
	require.Zero(t, voice.TakePeak())
}

func TestToneDependsOnThePositionOnly(t *testing.T) {
	tone := NewTone(440, 100_000_000)
	long, short := NewBlock(5000), NewBlock(100)
	tone.Read(48000*5-1000, long)
	tone.Read(48000*7+900, short)
	require.Equal(t, long[0][1900:2000], short[0])
	require.InDelta(t, Gain(beepLevel)+Gain(toneLevel), long.Peak(), 0.02)
	silent := NewBlock(Hz)
	NewTone(0, 0).Read(3, silent)
	require.Zero(t, silent.Peak())
}

func TestPan(t *testing.T) {
	for _, test := range []struct {
		pan  float64
		want [2]float32
	}{{0, [2]float32{1, 1}}, {-1, [2]float32{1, 0}}, {1, [2]float32{0, 1}}, {0.5, [2]float32{math.Sqrt2 / 2, 1}}, {7, [2]float32{0, 1}}} {
		got := NewStrip(0, test.pan, 1).Fader
		require.InDelta(t, test.want[0], got[0], 1e-6, "%v", test)
		require.InDelta(t, test.want[1], got[1], 1e-6, "%v", test)
	}
}

// TestVoiceIsMeteredUnheard: a meter shows what the fader lets through, also of a
// source that nobody hears.
func TestVoiceIsMeteredUnheard(t *testing.T) {
	ring := NewRing(Hz)
	sineIn(ring, 440, 0, 16000, 0.5)
	voice, bus := NewVoice(0), NewBlock(1600)
	voice.Meter = &Meter{}
	for i := range int64(5) {
		voice.Mix(bus, ring, 1600*i, NewStrip(-6, -1, 0))
	}
	require.Zero(t, bus.Peak())
	reading := voice.Meter.Take()
	require.InDelta(t, -12, reading.Peak[0], 0.1)
	require.Equal(t, Silent, reading.Peak[1])
	voice.Mix(bus, ring, 30_000, NewStrip(0, 0, 0))
	voice.Mix(bus, ring, 31_600, NewStrip(0, 0, 0))
	voice.Meter.Take()
	voice.Mix(bus, ring, 33_200, NewStrip(0, 0, 0))
	require.Equal(t, Silent, voice.Meter.Take().Peak[0], "a source that went away")
}
