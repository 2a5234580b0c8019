package audio

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// sine is seconds of a stereo tone with a peak level in dBFS.
func sine(seconds, hz, level, phase float64) Block {
	b := NewBlock(int(seconds * Hz))
	for i := range b[0] {
		b[0][i] = float32(math.Pow(10, level/20) * math.Sin(2*math.Pi*hz*float64(i)/Hz+phase))
	}
	copy(b[1], b[0])
	return b
}

// inPieces writes a block as ticks of uneven length.
func inPieces(b Block, write func(Block)) {
	for at, n := 0, 0; at < b.Len(); at += n {
		n = min(1601+at%3, b.Len()-at)
		write(b.Slice(at, at+n))
	}
}

// TestLoudness holds the meter against the minimum requirements of EBU Tech
// 3341, table 1: signals 1 to 5, within 0.1 LU.
func TestLoudness(t *testing.T) {
	type part struct{ seconds, level float64 }
	tests := []struct {
		name  string
		parts []part
		want  float64
	}{
		{"case 1: -23", []part{{20, -23}}, -23},
		{"case 2: -33", []part{{20, -33}}, -33},
		{"case 3: the relative gate", []part{{10, -36}, {60, -23}, {10, -36}}, -23},
		{"case 4: the absolute gate", []part{{10, -72}, {10, -36}, {60, -23}, {10, -36}, {10, -72}}, -23},
		{"case 5: what passes both", []part{{20, -26}, {20.1, -20}, {20, -26}}, -23},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var l Loudness
			for _, p := range test.parts {
				inPieces(sine(p.seconds, 1000, p.level, 0), l.Write)
			}
			require.InDelta(t, test.want, l.Integrated(), 0.1)
			if len(test.parts) == 1 {
				require.InDelta(t, test.want, l.Momentary(), 0.1)
				require.InDelta(t, test.want, l.ShortTerm(), 0.1)
			}
		})
	}
}

func TestLoudnessWindows(t *testing.T) {
	var l Loudness
	require.Equal(t, Silent, l.Integrated())
	inPieces(sine(5, 1000, -20, 0), l.Write)
	inPieces(NewBlock(Hz/2), l.Write)
	require.Less(t, l.Momentary(), -60.0, "400 ms are over")
	require.InDelta(t, -20+10*math.Log10(2.5/3), l.ShortTerm(), 0.1, "2.5 of 3 s sounded")
	l.Write(Block{{float32(math.NaN())}, {1}})
	inPieces(sine(1, 1000, -20, 0), l.Write)
	require.InDelta(t, -20, l.Momentary(), 0.1, "a sample that is no number does no harm")
	l.Reset()
	require.Equal(t, Silent, l.ShortTerm())
}

// TestTruePeak: signals 15 to 19 of EBU Tech 3341: a tone whose samples miss its
// crests is found within +0.2 and -0.4 dB.
func TestTruePeak(t *testing.T) {
	tests := []struct{ hz, level, phase float64 }{
		{Hz / 4, -6, 0}, {Hz / 4, -6, math.Pi / 4}, {Hz / 6, -6, math.Pi / 3}, {Hz / 8, -6, math.Pi * 3 / 8},
		{Hz / 4, 3, math.Pi / 4}, {997, -1, 0},
	}
	for _, test := range tests {
		tone := sine(0.2, test.hz, test.level, test.phase)
		for i := range 480 { // a fade, so that the onset has no crest of its own
			for c := range tone {
				tone[c][i] *= float32(i) / 480
			}
		}
		var p TruePeak
		peak := float32(0)
		inPieces(tone, func(b Block) { peak = max(peak, p.Write(b, 0)) })
		require.GreaterOrEqual(t, Decibels(float64(peak)), test.level-0.4, "%v", test)
		require.LessOrEqual(t, Decibels(float64(peak)), test.level+0.2, "%v", test)
	}
	sum := 0.0
	for _, taps := range peakPhases {
		of := 0.0
		for _, tap := range taps {
			of += math.Abs(float64(tap))
		}
		sum = max(sum, of)
	}
	require.LessOrEqual(t, sum, peakBound, "the bound below which nothing is looked for")
}

func TestMeter(t *testing.T) {
	var m Meter
	tone := sine(1, 1000, -12, 0)
	for i := range tone[1] {
		tone[1][i] /= 2
	}
	inPieces(tone, m.Write)
	r := m.Take()
	require.InDelta(t, -12, r.Peak[0], 0.05)
	require.InDelta(t, -18.02, r.Peak[1], 0.05)
	require.InDelta(t, -15.01, r.RMS[0], 0.05)
	require.InDelta(t, -12, r.TruePeak, 0.1)
	require.InDelta(t, -12-3.01+10*math.Log10(1.25), r.Momentary, 0.1)
	r = m.Take()
	require.Equal(t, [2]float64{Silent, Silent}, r.Peak, "since the last reading")
	require.Equal(t, Silent, r.TruePeak)
}

func BenchmarkMeter(b *testing.B) {
	block, rnd := NewBlock(Hz), rand.New(rand.NewPCG(1, 2))
	for c := range block {
		for i := range block[c] {
			block[c][i] = float32(rnd.NormFloat64()) * 0.1
		}
	}
	var m Meter
	for b.Loop() {
		inPieces(block, m.Write)
		m.Take()
	}
}
