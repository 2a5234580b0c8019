package gpu

import (
	"testing"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

var thirty = media.Rate{Num: 30, Den: 1}

func config(size Size) EncoderConfig {
	return EncoderConfig{ID: "v", Size: size, Rate: thirty, Bitrate: size.Width * size.Height * 6}
}

func newEncoder(t testing.TB, device Device, config EncoderConfig) Encoder {
	t.Helper()
	encoder, err := device.NewEncoder(config)
	require.NoError(t, err)
	t.Cleanup(encoder.Close)
	return encoder
}

func packetOf(track *media.Track, unit AccessUnit) *media.Packet {
	return &media.Packet{Track: track, PTS: track.Rate.At(unit.Frame), DTS: track.Rate.At(unit.Frame), Key: unit.Key, Data: unit.Data}
}

// What goes in comes out of a decoder: every frame, at once, at good quality.
func TestEncodeDecodeRoundTrip(t *testing.T) {
	device := openCPU(t)
	encoder := newEncoder(t, device, config(Size{640, 360}))
	decoder, err := device.NewDecoder(encoder.Track())
	require.NoError(t, err)
	defer decoder.Close()
	const start = int64(53_855_280_000)
	for n := range 40 {
		source := painted(t, device, Size{640, 360}, talk, n)
		unit, err := encoder.Encode(source, start+int64(n), n == 17)
		require.NoError(t, err)
		require.Equal(t, n == 0 || n == 17, unit.Key, "frame %d", n)
		require.Equal(t, start+int64(n), unit.Frame)
		shown := 0
		require.NoError(t, decoder.Decode(packetOf(encoder.Track(), unit), func(f *Frame) {
			shown++
			require.Equal(t, thirty.At(start+int64(n)), f.PTS)
			require.GreaterOrEqual(t, psnr(source, f, 0), 36.0, "frame %d", n)
			f.Release()
		}))
		require.Equal(t, 1, shown, "frame %d", n)
		source.Release()
	}
	require.Equal(t, DecoderStats{Packets: 40, Frames: 40}, decoder.Stats())
}

func TestStreamIsWhatTheDesignSays(t *testing.T) {
	device := openCPU(t)
	c := config(Size{854, 480})
	c.ParameterSet = 1
	encoder := newEncoder(t, device, c)
	track := encoder.Track()
	require.Equal(t, "avc1.64001f", track.MIME)
	record, err := avc.DecodeAVCDecConfRec(track.Config)
	require.NoError(t, err)
	require.Len(t, record.SPSnalus, 1)
	sps, err := avc.ParseSPSNALUnit(record.SPSnalus[0], true)
	require.NoError(t, err)
	require.EqualValues(t, 100, sps.Profile)
	require.EqualValues(t, 31, sps.Level)
	require.EqualValues(t, 1, sps.ParameterID)
	require.EqualValues(t, 854, sps.Width)
	require.EqualValues(t, 480, sps.Height)
	require.EqualValues(t, 1, sps.VUI.ColourPrimaries)
	require.EqualValues(t, 1, sps.VUI.TransferCharacteristics)
	require.EqualValues(t, 1, sps.VUI.MatrixCoefficients)
	require.False(t, sps.VUI.VideoFullRangeFlag)
	require.Zero(t, sps.VUI.MaxNumReorderFrames)
	require.Nil(t, sps.VUI.NalHrdParameters)

	// 300 frames without a key: none comes by itself, not at a cut either.
	sources := []*Frame{painted(t, device, Size{854, 480}, texture, 0), painted(t, device, Size{854, 480}, talk, 0)}
	defer sources[0].Release()
	defer sources[1].Release()
	for n := range 300 {
		unit, err := encoder.Encode(sources[n/100%2], int64(n), false)
		require.NoError(t, err)
		require.Equal(t, n == 0, unit.Key)
		nals, err := avc.GetNalusFromSample(unit.Data)
		require.NoError(t, err)
		require.Len(t, nals, 1, "one slice and nothing else")
	}
}

// Slices coded side by side are one access unit, still without delay.
func TestSlicedThreads(t *testing.T) {
	device := openCPU(t)
	c := config(Size{640, 360})
	c.Threads = 2
	encoder := newEncoder(t, device, c)
	decoder := newDecoder(t, device, encoder.Track())
	source := painted(t, device, c.Size, talk, 0)
	defer source.Release()
	for n := range 10 {
		unit, err := encoder.Encode(source, int64(n), n == 5)
		require.NoError(t, err)
		nals, err := avc.GetNalusFromSample(unit.Data)
		require.NoError(t, err)
		require.Len(t, nals, 2)
		require.NoError(t, decoder.Decode(packetOf(encoder.Track(), unit), func(f *Frame) {
			require.Greater(t, psnr(source, f, 0), 33.0)
			f.Release()
		}))
	}
	require.EqualValues(t, 10, decoder.Stats().Frames)
}

// The rate is held: no second may hold more than 1.1 times the nominal rate and
// the buffer that was full before.
func TestRateIsHeld(t *testing.T) {
	device := openCPU(t)
	c := config(Size{320, 180})
	c.Bitrate = 200_000
	encoder := newEncoder(t, device, c)
	bits := 0
	const frames = 150
	for n := range frames {
		source := painted(t, device, c.Size, texture, n)
		unit, err := encoder.Encode(source, int64(n), n%48 == 0)
		source.Release()
		require.NoError(t, err)
		bits += 8 * len(unit.Data)
	}
	require.Less(t, float64(bits), 1.1*200_000*(frames/30.+1))
	require.Greater(t, float64(bits), 0.5*200_000*frames/30.)
}

func TestEncoderRefuses(t *testing.T) {
	device := openCPU(t)
	for name, change := range map[string]func(*EncoderConfig){
		"odd":    func(c *EncoderConfig) { c.Size.Width++ },
		"size":   func(c *EncoderConfig) { c.Size = Size{} },
		"rate":   func(c *EncoderConfig) { c.Rate = media.Rate{} },
		"bits":   func(c *EncoderConfig) { c.Bitrate = 0 },
		"level":  func(c *EncoderConfig) { c.Bitrate = 2_000_000_000 },
		"preset": func(c *EncoderConfig) { c.Preset = "nosuch" },
		"set":    func(c *EncoderConfig) { c.ParameterSet = 32 },
	} {
		c := config(Size{320, 180})
		change(&c)
		_, err := device.NewEncoder(c)
		require.Error(t, err, name)
	}
	encoder := newEncoder(t, device, config(Size{320, 180}))
	other := painted(t, device, Size{322, 180}, texture, 0)
	defer other.Release()
	_, err := encoder.Encode(other, 0, false)
	require.Error(t, err)
	require.Equal(t, 1, device.Outstanding())
}

func TestLevels(t *testing.T) {
	for _, test := range []struct {
		size Size
		rate media.Rate
		bits int
		want int
	}{
		{Size{426, 240}, thirty, 440_000, 21},
		{Size{640, 360}, thirty, 880_000, 30},
		{Size{854, 480}, thirty, 1_540_000, 31},
		{Size{1280, 720}, thirty, 3_080_000, 31},
		{Size{1280, 720}, media.Rate{Num: 60, Den: 1}, 3_080_000, 32},
		{Size{1920, 1080}, thirty, 6_600_000, 40},
		{Size{1920, 1080}, media.Rate{Num: 60000, Den: 1001}, 6_600_000, 42},
		{Size{1920, 1080}, thirty, 26_000_000, 41},
		{Size{3840, 2160}, thirty, 20_000_000, 51},
	} {
		got, err := levelOf(test.size, test.rate, test.bits)
		require.NoError(t, err)
		require.Equal(t, test.want, got, "%v %v", test.size, test.rate)
	}
}

func TestJoinParameterSets(t *testing.T) {
	device := openCPU(t)
	c := config(Size{640, 360})
	first := newEncoder(t, device, c)
	c.ParameterSet, c.Preset = 1, "superfast"
	second := newEncoder(t, device, c)

	joined, err := JoinParameterSets(first.Track(), second.Track())
	require.NoError(t, err)
	record, err := avc.DecodeAVCDecConfRec(joined)
	require.NoError(t, err)
	require.Len(t, record.SPSnalus, 2)
	require.Len(t, record.PPSnalus, 2)

	// Both streams decode by the one record, in turn, in one decoder.
	track := *first.Track()
	track.Config = joined
	decoder, err := device.NewDecoder(&track)
	require.NoError(t, err)
	defer decoder.Close()
	shown := 0
	for n := range 24 {
		encoder := []Encoder{first, second}[n/6%2]
		source := painted(t, device, c.Size, talk, n)
		unit, err := encoder.Encode(source, int64(n), n%6 == 0)
		require.NoError(t, err)
		require.NoError(t, decoder.Decode(packetOf(&track, unit), func(f *Frame) {
			shown++
			require.Greater(t, psnr(source, f, 0), 33.0)
			f.Release()
		}))
		source.Release()
	}
	require.Equal(t, 24, shown)
	require.Zero(t, decoder.Stats().Errors)

	_, err = JoinParameterSets(first.Track(), first.Track())
	require.ErrorContains(t, err, "twice")
	for name, change := range map[string]func(*EncoderConfig){
		"size":  func(c *EncoderConfig) { c.Size.Width -= 2 },
		"level": func(c *EncoderConfig) { c.Rate.Num = 120 },
		"VUI":   func(c *EncoderConfig) { c.Rate.Num = 29 },
	} {
		other := c
		change(&other)
		_, err = JoinParameterSets(first.Track(), newEncoder(t, device, other).Track())
		require.ErrorContains(t, err, name)
	}
}

func TestFillerVariantsMayAlternate(t *testing.T) {
	device := openCPU(t)
	c := config(Size{640, 360})
	slate := painted(t, device, c.Size, talk, 0)
	defer slate.Release()
	const gop = 48
	variants, err := Filler(device, c, slate, gop)
	require.NoError(t, err)
	require.Len(t, variants, 2)

	encoder := newEncoder(t, device, c)
	track := encoder.Track()
	record, err := avc.DecodeAVCDecConfRec(track.Config)
	require.NoError(t, err)
	sps, err := avc.ParseSPSNALUnit(record.SPSnalus[0], true)
	require.NoError(t, err)
	spsMap := map[uint32]*avc.SPS{sps.ParameterID: sps}
	pps, err := avc.ParsePPSNALUnit(record.PPSnalus[0], spsMap)
	require.NoError(t, err)
	ppsMap := map[uint32]*avc.PPS{pps.PicParameterSetID: pps}

	decoder, err := device.NewDecoder(track)
	require.NoError(t, err)
	defer decoder.Close()
	var ids []uint32
	frame := int64(0)
	for round := range 4 {
		for n, unit := range variants[round%2] {
			require.Equal(t, n == 0, unit.Key)
			require.EqualValues(t, n, unit.Frame)
			if unit.Key {
				header, err := avc.ParseSliceHeader(unit.Data[4:], spsMap, ppsMap)
				require.NoError(t, err)
				ids = append(ids, header.IDRPicID)
			}
			unit.Frame = frame
			frame++
			require.NoError(t, decoder.Decode(packetOf(track, unit), func(f *Frame) {
				require.Greater(t, psnr(slate, f, 0), 36.0)
				f.Release()
			}))
		}
	}
	require.EqualValues(t, 4*gop, decoder.Stats().Frames)
	require.Zero(t, decoder.Stats().Errors+decoder.Stats().Damaged)
	for i := 1; i < len(ids); i++ {
		require.NotEqual(t, ids[i-1], ids[i], "consecutive IDRs")
	}
}

func TestStartCodes(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"two", "\x00\x00\x00\x02ab\x00\x00\x00\x01c", "\x00\x00\x00\x01ab\x00\x00\x00\x01c"},
		{"cut", "\x00\x00\x00\x02ab\x00\x00\x00\x09c", "\x00\x00\x00\x01ab"},
		{"huge", "\xff\xff\xff\xffab", ""},
		{"rest", "\x00\x00\x00\x01a\x00\x00", "\x00\x00\x00\x01a\x00\x00"},
	} {
		require.Equal(t, test.want, string(startCodes([]byte(test.in))), test.name)
	}
}

func TestNALUnits(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"no start code", "abc", nil},
		{"one", "\x00\x00\x01a", []string{"a"}},
		{"long and short codes", "\x00\x00\x00\x01ab\x00\x00\x01c\x00\x00\x00\x01\x00\x00\x01d\x00", []string{"ab", "c", "d"}},
	} {
		var got []string
		for _, nal := range nalUnits([]byte(test.in)) {
			got = append(got, string(nal))
		}
		require.Equal(t, test.want, got, test.name)
	}
}
