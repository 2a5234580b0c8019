package audio

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/asticode/go-astiav"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// voiced is like a voice: overtones of a pitch that glides, in syllables, so
// that what comes next cannot be told from what was.
func voiced(n int) Block {
	b := NewBlock(n)
	phase := 0.0
	for i := range b[0] {
		at := float64(i) / Hz
		phase += 2 * math.Pi * (160 + 60*math.Sin(2*math.Pi*2.3*at)) / Hz
		syllable := 0.15 + 0.85*math.Pow(math.Sin(math.Pi*3.7*at), 2)
		for k := 1.0; k <= 12; k++ {
			b[0][i] += float32(0.1 * syllable / k * math.Sin(k*phase))
		}
	}
	copy(b[1], b[0])
	return b
}

// guest is Opus as a browser sends a voice over a bad network.
func guest(fec string) Format {
	format := Opus(32_000)
	format.options["application"], format.options["packet_loss"], format.options["fec"] = "voip", "20", fec
	return format
}

// heard is what a Feed makes of packets, from begun on.
func heard(t *testing.T, packets []*media.Packet, samples int) Block {
	ring := NewRing(samples + Hz)
	feed := NewFeed(ring)
	for _, p := range packets {
		require.NoError(t, feed.Write(p))
	}
	feed.Close()
	got := NewBlock(samples)
	require.True(t, ring.Read(begun, got))
	return got
}

// likeness is the signal in dB above its difference to the other's, over the
// slots of access units.
func likeness(signal, other Block, slots []int) float64 {
	var energy, difference float64
	for _, slot := range slots {
		for i := slot * OpusUnit; i < (slot+1)*OpusUnit; i++ {
			energy += float64(signal[0][i]) * float64(signal[0][i])
			away := float64(signal[0][i]) - float64(other[0][i])
			difference += away * away
		}
	}
	return 10 * math.Log10(energy/difference)
}

// TestLostOpusPacketsAreHeardFromTheNext: every tenth packet is lost. Its place
// holds the copy in the packet after it, or what libopus makes up without one.
func TestLostOpusPacketsAreHeardFromTheNext(t *testing.T) {
	const units, settled = 200, 20
	samples := voiced((units + 2) * OpusUnit)
	like := map[string]float64{}
	for _, fec := range []string{"0", "1"} {
		_, packets := encoded(t, guest(fec), samples)
		var came []*media.Packet
		var lost, kept []int
		for i, p := range packets[:units] {
			switch {
			case i > settled && i%10 == 5:
				lost = append(lost, i)
				continue
			case i > settled && i%10 > 7 || i%10 < 5:
				kept = append(kept, i)
			}
			came = append(came, p)
		}
		length := (units - 1) * OpusUnit
		whole, got := heard(t, packets[:units], length), heard(t, came, length)
		require.False(t, slices.ContainsFunc(got[0][OpusUnit:], func(v float32) bool { return !present(v) }), "no hole")
		tidy(whole)
		tidy(got)
		like[fec] = likeness(whole, got, lost)
		t.Logf("fec=%s: the lost packets' places are %.1f dB like the whole, the others %.1f dB", fec, like[fec], likeness(whole, got, kept[:len(kept)-1]))
	}
	require.Greater(t, like["1"], 6.0, "with a copy")
	require.Greater(t, like["1"], like["0"]+3, "made up")
}

func TestWhatIsFilledBeforeAnOpusPacket(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name      string
		gap, want time.Duration
	}{
		{"none", 0, 0},
		{"a packet", 20 * ms, 20 * ms},
		{"rounded timestamps", 19 * ms, 20 * ms},
		{"three packets", 61 * ms, 60 * ms},
		{"more than can be made up", 80 * ms, 0},
		{"an hour", time.Hour, 0},
		{"a century", 100 * 365 * 24 * time.Hour, 0},
		{"a little late", 4 * ms, 0},
		{"half a packet", 12 * ms, 0},
		{"back", -20 * ms, 0},
	}
	_, packets := encoded(t, guest("1"), voiced(8*OpusUnit))
	for _, test := range tests {
		d, err := newOpusDecoder(2)
		require.NoError(t, err)
		var lengths []int
		note := func(frame *astiav.Frame) error {
			lengths = append(lengths, frame.NbSamples())
			return nil
		}
		require.Zero(t, d.hole(packets[0]), "before the first")
		require.NoError(t, d.decode(packets[0], note))
		later := *packets[1]
		later.PTS = later.PTS.Add(test.gap)
		require.Equal(t, test.want, d.hole(&later), test.name)
		require.NoError(t, d.decode(&later, note))
		want := []int{OpusUnit, OpusUnit}
		if test.want > 0 {
			want = []int{OpusUnit, int(test.want * Hz / time.Second), OpusUnit}
		}
		require.Equal(t, want, lengths, test.name)
		d.close()
	}
}

// TestADamagedOpusPacketIsFilledToo: what cannot be decoded is as good as lost.
func TestADamagedOpusPacketIsFilledToo(t *testing.T) {
	_, packets := encoded(t, guest("1"), voiced(30*OpusUnit))
	for _, damage := range [][]byte{nil, {0xff}, {0x0b, 0xff, 0xff}} {
		ring := NewRing(Hz)
		feed := NewFeed(ring)
		for i, p := range packets[:25] {
			if i == 20 {
				broken := *p
				broken.Data = damage
				require.Error(t, feed.Write(&broken))
				continue
			}
			require.NoError(t, feed.Write(p))
		}
		feed.Close()
		got := NewBlock(24 * OpusUnit)
		require.True(t, ring.Read(begun, got))
		require.False(t, slices.ContainsFunc(got[0][OpusUnit:], func(v float32) bool { return !present(v) }))
		require.InDelta(t, begun+25*OpusUnit, ring.End(), 2)
	}
}
