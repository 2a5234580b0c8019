package audio

import (
	"bytes"
	"math"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// access units of a channel that began long ago.
const firstUnit = int64(48000) * 1_790_000_000 / AccessUnit

// encoded runs samples through an Encoder, beginning with firstUnit's slot.
func encoded(t *testing.T, samples Block) (*media.Track, []*media.Packet) {
	e, err := NewEncoder("audio", 128000, firstUnit, firstUnit*AccessUnit)
	require.NoError(t, err)
	defer e.Close()
	var packets []*media.Packet
	for i := 0; i < samples.Len(); i += 1600 {
		require.NoError(t, e.Write(samples.Slice(i, min(i+1600, samples.Len())), func(i int64, data []byte) {
			require.Equal(t, firstUnit+int64(len(packets)), i)
			pts := media.TimeOfTicks(i*AccessUnit, Hz)
			packets = append(packets, &media.Packet{Track: e.Track(), PTS: pts, DTS: pts, Key: true, Data: data})
		}))
	}
	return e.Track(), packets
}

// click is silence with one short pulse that AAC keeps in its place.
func click(n, at int) Block {
	b := NewBlock(n)
	for i := -8; i <= 8; i++ {
		v := 0.8 * float32(math.Cos(float64(i)*math.Pi/18))
		b[0][at+i], b[1][at+i] = v, v
	}
	return b
}

func loudest(samples []float32) (at int) {
	for i, v := range samples {
		if max(v, -v) > max(samples[at], -samples[at]) {
			at = i
		}
	}
	return at
}

func TestAccessUnitDecodesToItsSlot(t *testing.T) {
	for _, at := range []int{3000, 4096, 5119, 7777} {
		_, packets := encoded(t, click(16*AccessUnit, at))
		require.GreaterOrEqual(t, len(packets), 13)
		ring := NewRing(Hz)
		feed := NewFeed(ring)
		for _, p := range packets {
			require.NoError(t, feed.Write(p))
		}
		feed.Close()
		got := NewBlock(12 * AccessUnit)
		require.True(t, ring.Read(firstUnit*AccessUnit, got))
		for i, v := range got[0] {
			if !present(v) {
				got[0][i] = 0
			}
		}
		require.InDelta(t, at, loudest(got[0]), 1)
	}
}

// adts puts an access unit into the frame that a plain decoder reads.
func adts(data []byte) []byte {
	n := len(data) + 7
	head := []byte{0xff, 0xf1, 1<<6 | 3<<2, 2<<6 | byte(n>>11), byte(n >> 3), byte(n<<5) | 0x1f, 0xfc}
	return append(head, data...)
}

func TestAccessUnitDecodesToItsSlotInAnotherDecoder(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	const at = 5119
	_, packets := encoded(t, click(16*AccessUnit, at))
	var stream bytes.Buffer
	for _, p := range packets {
		stream.Write(adts(p.Data))
	}
	command := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "aac", "-i", "-", "-f", "f32le", "-ac", "1", "-")
	command.Stdin = &stream
	output, err := command.Output()
	require.NoError(t, err)
	samples := make([]float32, len(output)/4)
	for i := range samples {
		samples[i] = math.Float32frombits(uint32(output[4*i]) | uint32(output[4*i+1])<<8 | uint32(output[4*i+2])<<16 | uint32(output[4*i+3])<<24)
	}
	require.InDelta(t, at, loudest(samples), 1)
}

func TestSilenceIsSilentAndRepeats(t *testing.T) {
	unit, err := Silence(128000)
	require.NoError(t, err)
	require.Less(t, len(unit), 100)
	track, _ := encoded(t, NewBlock(4*AccessUnit))
	require.Equal(t, []byte{0x11, 0x90}, track.Config)
	ring := NewRing(Hz)
	feed := NewFeed(ring)
	defer feed.Close()
	for i := range int64(20) {
		require.NoError(t, feed.Write(&media.Packet{Track: track, PTS: media.TimeOfTicks(i*AccessUnit, Hz), Data: unit}))
	}
	got := NewBlock(16 * AccessUnit)
	ring.Read(AccessUnit, got)
	require.Less(t, got.Peak(), float32(1e-4))
}

// power is the share of a frequency in a signal (Goertzel), as an amplitude.
func power(samples []float32, hz float64) float64 {
	w := 2 * math.Pi * hz / Hz
	var a, b float64
	for _, v := range samples {
		a, b = float64(v)+2*math.Cos(w)*a-b, a
	}
	return 2 * math.Sqrt(a*a+b*b-2*math.Cos(w)*a*b) / float64(len(samples))
}

func TestSampleRateChangesWithoutPitchError(t *testing.T) {
	ring := NewRing(10 * Hz)
	feed := NewFeed(ring)
	pts := media.TimeOfTicks(firstUnit*AccessUnit, Hz)
	begin := pts
	for _, part := range []struct{ rate, channels int }{{44100, 2}, {48000, 2}, {22050, 1}, {48000, 2}} {
		for _, p := range sourcePackets(t, media.AAC, part.rate, part.channels) {
			p.PTS = pts
			require.NoError(t, feed.Write(p))
			pts = pts.Add(time.Duration(AccessUnit) * time.Second / time.Duration(part.rate))
		}
	}
	feed.Close()
	end := pts.Ticks(Hz)
	require.InDelta(t, end, ring.End(), 2, "the sound ends where it should")
	for at := begin.Ticks(Hz) + Hz/2; at+Hz/4 < end; at += Hz / 2 {
		got := NewBlock(Hz / 4)
		ring.Read(at, got)
		tidy(got)
		require.InDelta(t, 0.25, power(got[0], 1000), 0.08, "at %d", at-begin.Ticks(Hz))
		require.Less(t, power(got[0], 1088), 0.03)
		require.Less(t, power(got[0], 919), 0.03)
	}
}

// tidy makes absent samples silent.
func tidy(b Block) {
	for _, c := range b {
		for i, v := range c {
			if !present(v) {
				c[i] = 0
			}
		}
	}
}

func TestEveryCodecDecodes(t *testing.T) {
	for _, codec := range []media.Codec{media.AAC, media.AACLATM, media.Opus, media.MP2, media.MP3, media.AC3, media.EAC3} {
		packets := sourcePackets(t, codec, 48000, 2)
		require.NotEmpty(t, packets, codec)
		ring := NewRing(2 * Hz)
		feed := NewFeed(ring)
		for _, p := range packets {
			require.NoError(t, feed.Write(p), codec)
		}
		feed.Close()
		got := NewBlock(Hz / 2)
		require.True(t, ring.Read(ring.End()-Hz*3/4, got), codec)
		tidy(got)
		require.InDelta(t, 0.25, power(got[0], 1000), 0.05, codec)
		require.InDelta(t, 0.25, power(got[1], 1000), 0.05, codec)
	}
}

func TestDamagedSoundEndsNothing(t *testing.T) {
	for _, codec := range []media.Codec{media.AAC, media.AACLATM, media.Opus, media.MP2, media.MP3, media.AC3, media.EAC3} {
		packets := sourcePackets(t, codec, 48000, 2)
		ring := NewRing(4 * Hz)
		feed := NewFeed(ring)
		for i, p := range packets {
			broken := *p
			broken.Data = bytes.Clone(p.Data)
			for j := i % 7; j < len(broken.Data); j += 11 {
				broken.Data[j] ^= byte(i*31 + j)
			}
			broken.Data = broken.Data[:len(broken.Data)*(i%5)/4]
			_ = feed.Write(&broken)
		}
		last := packets[len(packets)-1].PTS
		for _, p := range packets {
			again := *p
			again.PTS += last
			_ = feed.Write(&again)
		}
		feed.Close()
		got := NewBlock(Hz / 4)
		require.True(t, ring.Read(ring.End()-Hz/2, got), codec)
		tidy(got)
		require.InDelta(t, 0.25, power(got[0], 1000), 0.05, codec)
	}
}

func TestHolesAndOverlapsInASource(t *testing.T) {
	packets := sourcePackets(t, media.AAC, 48000, 2)
	tests := []struct {
		name   string
		shift  func(i int) time.Duration
		smooth float32
	}{
		{"whole", func(int) time.Duration { return 0 }, 0.05},
		{"rounded to milliseconds", func(i int) time.Duration {
			return -(time.Duration(i) * AccessUnit * time.Second / Hz % time.Millisecond)
		}, 0.05},
		{"half a second missing", func(i int) time.Duration {
			if i > 12 {
				return 500 * time.Millisecond
			}
			return 0
		}, 0.05},
		{"runs back", func(i int) time.Duration {
			if i > 12 {
				return -100250 * time.Microsecond
			}
			return 0
		}, 0.05},
	}
	for _, test := range tests {
		ring := NewRing(4 * Hz)
		feed := NewFeed(ring)
		for i, p := range packets {
			moved := *p
			moved.PTS = media.TimeOfTicks(int64(i)*AccessUnit, Hz).Add(time.Hour + test.shift(i))
			require.NoError(t, feed.Write(&moved))
		}
		feed.Close()
		out := mixed(NewVoice(1), ring, 3600*Hz+2400, 1600*32, unity, same)
		require.Less(t, steepest(out), test.smooth, test.name)
		require.InDelta(t, 0.25, power(out[0][1600*26:], 1000), 0.08, test.name)
	}
}

// TestASourceWhoseClockIsOff: 15 s of a source that runs fast or slow end
// where its timestamps say, without a jump, at the pitch that this makes.
func TestASourceWhoseClockIsOff(t *testing.T) {
	const length = 15 * Hz
	sine := NewBlock(length)
	for i := range sine[0] {
		sine[0][i] = 0.25 * float32(math.Sin(2*math.Pi*1000*float64(i)/Hz))
	}
	copy(sine[1], sine[0])
	_, packets := encoded(t, sine)
	begin := packets[0].PTS
	for _, fast := range []float64{1, 1.0002, 0.9998, 1.01, 0.99} {
		ring := NewRing(length + 2*Hz)
		feed := NewFeed(ring)
		for i, p := range packets {
			moved := *p
			moved.PTS = begin.Add(time.Duration(float64(p.PTS.Sub(begin))/fast) / time.Millisecond * time.Millisecond)
			require.NoError(t, feed.Write(&moved))
			end := moved.PTS.Ticks(Hz) + AccessUnit
			require.InDelta(t, end, ring.End(), float64(Tolerance), "%v: access unit %d", fast, i)
		}
		feed.Close()
		got := NewBlock(Hz)
		require.True(t, ring.Read(ring.End()-5*Hz, got))
		require.Less(t, steepest(got), float32(0.04), fast) // which NaN is not: nothing is missing
		require.InDelta(t, 0.25, power(got[0], 1000*fast), 0.04, fast)
	}
}

func BenchmarkEncoder(b *testing.B) {
	e, err := NewEncoder("audio", 128000, 1, 0)
	require.NoError(b, err)
	defer e.Close()
	tone, block := NewTone(440, 100_000_000), NewBlock(1600)
	for at := int64(0); b.Loop(); at += 1600 { // one tick at 30 frames a second
		tone.Read(at, block)
		_ = e.Write(block, func(int64, []byte) {})
	}
}
