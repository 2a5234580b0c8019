package audio

import (
	"bytes"
	"encoding/binary"
	"math"
	"os/exec"
	"testing"
	"time"

	"github.com/asticode/go-astiav"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// begun is where the channels of these tests begin: an access unit of every
// format.
const begun = int64(Hz) * 1_790_000_000 / (15 * AACUnit) * (15 * AACUnit)

// encoded is samples from begun on as packets.
func encoded(t *testing.T, format Format, samples Block) (*media.Track, []*media.Packet) {
	first := begun / format.Unit
	e, err := NewEncoder("audio", format, first, begun)
	require.NoError(t, err)
	defer e.Close()
	var packets []*media.Packet
	for i := 0; i < samples.Len(); i += 1600 {
		require.NoError(t, e.Write(samples.Slice(i, min(i+1600, samples.Len())), func(i int64, data []byte) {
			require.Equal(t, first+int64(len(packets)), i)
			pts := media.TimeOfTicks(i*format.Unit, Hz)
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

func formats() []Format { return []Format{AAC(128_000), Opus(96_000)} }

// exact are the formats that keep a click on its sample: Opus where it codes
// music, as it does with everything when it expects no loss.
func exact() []Format {
	music := Opus(96_000)
	music.options["packet_loss"] = "0"
	return []Format{AAC(128_000), music}
}

func TestAccessUnitDecodesToItsSlot(t *testing.T) {
	for _, format := range exact() {
		for _, at := range []int{3000, 4096, 5119, 7777} {
			_, packets := encoded(t, format, click(16*AACUnit, at))
			require.GreaterOrEqual(t, len(packets), 13)
			ring := NewRing(Hz)
			feed := NewFeed(ring)
			for _, p := range packets {
				require.NoError(t, feed.Write(p))
			}
			feed.Close()
			got := NewBlock(12 * AACUnit)
			require.True(t, ring.Read(begun, got))
			tidy(got)
			require.InDelta(t, at, loudest(got[0]), 1, format.Codec)
		}
	}
}

// TestFirstAccessUnit: wherever in a slot the sound begins, the first access
// unit that comes out is the next whole one, and holds the samples of its slot.
func TestFirstAccessUnit(t *testing.T) {
	for _, format := range exact() {
		for _, early := range []int64{0, 1, 311, 312, 313, format.Unit - 1, format.Unit} {
			const at = 5119
			first := begun / format.Unit
			e, err := NewEncoder("a", format, first, begun-early)
			require.NoError(t, err)
			ring := NewRing(Hz)
			feed := NewFeed(ring)
			next := first
			require.NoError(t, e.Write(click(16*AACUnit, at+int(early)), func(i int64, data []byte) {
				require.Equal(t, next, i)
				next++
				require.NoError(t, feed.Write(&media.Packet{Track: e.Track(), PTS: media.TimeOfTicks(i*format.Unit, Hz), Data: data}))
			}))
			e.Close()
			feed.Close()
			got := NewBlock(12 * AACUnit)
			require.True(t, ring.Read(begun, got))
			tidy(got)
			require.InDelta(t, at, loudest(got[0]), 1, "%s begins %d samples early", format.Codec, early)
		}
		for _, wrong := range []int64{-1, format.Unit + 1} {
			_, err := NewEncoder("a", format, begun/format.Unit, begun-wrong)
			require.Error(t, err)
		}
	}
}

// TestOpusDecodesToItsSlotInAnotherDecoder: FFmpeg's own, which shares nothing
// with libopus.
func TestOpusDecodesToItsSlotInAnotherDecoder(t *testing.T) {
	const at = 5119
	track, packets := encoded(t, exact()[1], click(16*AACUnit, at))
	require.Equal(t, []byte{0, 2, 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 0}, track.Config)
	codec := astiav.FindDecoderByName("opus")
	require.NotNil(t, codec)
	d := &decoder{context: astiav.AllocCodecContext(codec), packet: astiav.AllocPacket(), frame: astiav.AllocFrame()}
	defer d.close()
	d.context.SetSampleRate(Hz)
	d.context.SetChannelLayout(astiav.ChannelLayoutStereo)
	require.NoError(t, d.context.Open(codec, nil))
	var samples []float32
	for _, p := range packets {
		require.NoError(t, d.decode(p, func(frame *astiav.Frame) error {
			require.Equal(t, astiav.SampleFormatFltp, frame.SampleFormat())
			data, err := frame.Data().Bytes(1)
			for i := range frame.NbSamples() {
				samples = append(samples, math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
			}
			return err
		}))
	}
	require.InDelta(t, at, loudest(samples), 1)
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
	_, packets := encoded(t, AAC(128_000), click(16*AACUnit, at))
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
	for _, format := range formats() {
		unit, err := Silence(format)
		require.NoError(t, err)
		require.Less(t, len(unit), 100)
		track, loud := encoded(t, format, click(10*AACUnit, 5000))
		if format.Codec == media.AAC {
			require.Equal(t, []byte{0x11, 0x90}, track.Config)
		}
		ring := NewRing(2 * Hz)
		feed := NewFeed(ring)
		for i := range int64(40) {
			p := &media.Packet{Track: track, PTS: media.TimeOfTicks(i*format.Unit, Hz), Data: unit}
			if i >= 15 && i < 20 { // the sound that it stands in for
				p.Data = loud[i-15].Data
			}
			require.NoError(t, feed.Write(p), format.Codec)
		}
		feed.Close()
		got := NewBlock(12 * int(format.Unit))
		ring.Read(format.Unit, got)
		require.Less(t, got.Peak(), float32(1e-4), format.Codec)
		ring.Read(25*format.Unit, got)
		tidy(got)
		require.Less(t, got.Peak(), float32(1e-4), format.Codec)
	}
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
	pts := media.TimeOfTicks(begun, Hz)
	begin := pts
	for _, part := range []struct{ rate, channels int }{{44100, 2}, {48000, 2}, {22050, 1}, {48000, 2}} {
		for _, p := range sourcePackets(t, media.AAC, part.rate, part.channels) {
			p.PTS = pts
			require.NoError(t, feed.Write(p))
			pts = pts.Add(time.Duration(AACUnit) * time.Second / time.Duration(part.rate))
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
			return -(time.Duration(i) * AACUnit * time.Second / Hz % time.Millisecond)
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
			moved.PTS = media.TimeOfTicks(int64(i)*AACUnit, Hz).Add(time.Hour + test.shift(i))
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
	_, packets := encoded(t, AAC(128_000), sine)
	begin := packets[0].PTS
	for _, fast := range []float64{1, 1.0002, 0.9998, 1.01, 0.99} {
		ring := NewRing(length + 2*Hz)
		feed := NewFeed(ring)
		for i, p := range packets {
			moved := *p
			moved.PTS = begin.Add(time.Duration(float64(p.PTS.Sub(begin))/fast) / time.Millisecond * time.Millisecond)
			require.NoError(t, feed.Write(&moved))
			end := moved.PTS.Ticks(Hz) + AACUnit
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
	for _, format := range formats() {
		b.Run(string(format.Codec), func(b *testing.B) {
			e, err := NewEncoder("audio", format, 1, 0)
			require.NoError(b, err)
			defer e.Close()
			tone, block := NewTone(440, 100_000_000), NewBlock(1600)
			for at := int64(0); b.Loop(); at += 1600 { // one tick at 30 frames a second
				tone.Read(at, block)
				_ = e.Write(block, func(int64, []byte) {})
			}
		})
	}
}
