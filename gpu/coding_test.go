package gpu

import (
	"bytes"
	"encoding/hex"
	"os"
	"testing"

	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// sample is eight pictures of 320x192 as an encoder gives them, every fourth one to
// begin with: testdata/sample.h265 by x265, sample.obu by libaom.
type sample struct {
	coding  coding
	header  []byte   // as an encoder's extradata
	packets [][]byte // with all that stands in the stream
}

func readSample(t testing.TB, codec media.Codec) sample {
	t.Helper()
	coding, err := EncoderConfig{Codec: codec}.coding()
	require.NoError(t, err)
	s := sample{coding: coding}
	if codec == media.HEVC {
		stream, err := os.ReadFile("testdata/sample.h265")
		require.NoError(t, err)
		start := []byte{0, 0, 0, 1}
		for _, nal := range nalUnits(stream) {
			switch kind := hevc.GetNaluType(nal[0]); {
			case kind == hevc.NALU_AUD:
				s.packets = append(s.packets, nil)
			case len(s.packets) == 1 && kind >= hevc.NALU_VPS && kind <= hevc.NALU_PPS:
				s.header = append(append(s.header, start...), nal...)
			}
			last := &s.packets[len(s.packets)-1]
			*last = append(append(*last, start...), nal...)
		}
		return s
	}
	stream, err := os.ReadFile("testdata/sample.obu")
	require.NoError(t, err)
	units, err := av1.SplitOBUs(stream)
	require.NoError(t, err)
	for _, unit := range units {
		switch {
		case unit.Header.Type == av1.OBUTemporalDelimiter:
			s.packets = append(s.packets, nil)
		case unit.Header.Type == av1.OBUSequenceHeader:
			s.header = unit.Encode()
			continue // as an encoder that keeps its header apart
		}
		last := &s.packets[len(s.packets)-1]
		*last = append(*last, unit.Encode()...)
	}
	return s
}

func (s sample) config() EncoderConfig {
	return EncoderConfig{ID: "v", Codec: s.coding.codec, Size: Size{320, 192}, Rate: media.Rate{Num: 30, Den: 1}, Bitrate: 60_000}
}

// What an encoder of cards gives becomes a track and access units that a decoder takes
// without anything else.
func TestCodings(t *testing.T) {
	for _, test := range []struct {
		codec media.Codec
		mime  string
		head  string // of the configuration record
	}{
		{media.HEVC, "hvc1.1.6.L60.90", "0101600000009000000000003cf000fcfdf8f800000f03"}, // as FFmpeg writes it
		{media.AV1, "av01.0.00M.08", "81000c000a0e"},
	} {
		t.Run(string(test.codec), func(t *testing.T) {
			s := readSample(t, test.codec)
			require.Len(t, s.packets, 8)
			track, err := s.coding.track(s.config(), s.header)
			require.NoError(t, err)
			require.Equal(t, test.mime, track.MIME)
			require.Equal(t, test.head, hex.EncodeToString(track.Config[:len(test.head)/2]))
			require.Equal(t, test.codec, track.Codec)

			device, err := Open("cpu")
			require.NoError(t, err)
			decoder, err := device.NewDecoder(track)
			require.NoError(t, err)
			shown := 0
			show := func(f *Frame) {
				require.Equal(t, Size{320, 192}, f.Size)
				f.Release()
				shown++
			}
			for n, packet := range s.packets {
				unit, key := s.coding.cut(packet, track)
				require.Equal(t, n%4 == 0, key, "picture %d", n)
				require.NotEmpty(t, unit)
				if test.codec == media.AV1 {
					require.Equal(t, key, bytes.HasPrefix(unit, track.Config[4:]), "a key frame comes with its sequence header")
				} else {
					require.False(t, hevc.HasParameterSets(unit), "parameter sets are out of band (hvc1)")
				}
				require.NoError(t, decoder.Decode(&media.Packet{Track: track, PTS: media.Time(n), DTS: media.Time(n), Key: key, Data: unit}, show))
			}
			decoder.Drain(show)
			require.Equal(t, 8, shown)
			require.Zero(t, decoder.Stats().Errors)
			require.Zero(t, decoder.Stats().Damaged)
			decoder.Close()
			require.Zero(t, device.Outstanding())
			device.Close()

			wrong := s.config()
			wrong.Size = Size{640, 360}
			_, err = s.coding.track(wrong, s.header)
			require.ErrorContains(t, err, "320x192, not 640x360")
			_, err = s.coding.track(s.config(), nil)
			require.Error(t, err)
		})
	}
}

// A machine without NVENC says so, for every codec that has no other encoder.
func TestCodecsOfCardsOnly(t *testing.T) {
	cpu, err := Open("cpu")
	require.NoError(t, err)
	defer cpu.Close()
	card := openEmulated(t, "")
	for _, codec := range []media.Codec{media.HEVC, media.AV1, media.VP8} {
		for _, device := range []Device{cpu, card} {
			for _, software := range []bool{false, true} {
				asked := EncoderConfig{ID: "v", Codec: codec, Size: Size{320, 192}, Rate: media.Rate{Num: 30, Den: 1}, Bitrate: 60_000, Software: software}
				_, err := device.NewEncoder(asked)
				require.ErrorIs(t, err, ErrNoEncoder)
			}
		}
	}
	_, err = card.NewEncoder(EncoderConfig{Codec: media.HEVC})
	require.ErrorContains(t, err, "HEVC is encoded by NVENC only: the driver is an emulation for tests")
}

// FuzzCodings: whatever an encoder gives is cut or refused, at bounded cost.
func FuzzCodings(f *testing.F) {
	tracks := map[media.Codec]*media.Track{}
	for _, codec := range []media.Codec{media.HEVC, media.AV1} {
		s := readSample(f, codec)
		track, err := s.coding.track(s.config(), s.header)
		require.NoError(f, err)
		tracks[codec] = track
		f.Add(s.header)
		f.Add(s.packets[0])
		f.Add(s.packets[1])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, coding := range codings() {
			_, _ = coding.track(EncoderConfig{Codec: coding.codec, Size: Size{320, 192}}, data)
			unit, _ := coding.cut(data, tracks[coding.codec])
			if len(unit) > 2*len(data)+100 {
				t.Fatalf("%s: %d bytes of %d", coding.words, len(unit), len(data))
			}
		}
	})
}
