package gpu

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

const source = "testsrc2=size=320x180:rate=25:duration=1"

func newDecoder(t testing.TB, device Device, track *media.Track) Decoder {
	t.Helper()
	decoder, err := device.NewDecoder(track)
	require.NoError(t, err)
	t.Cleanup(decoder.Close)
	return decoder
}

// Every picture comes out, in presentation order, with its packet's PTS.
func TestOrderOfPresentation(t *testing.T) {
	for _, test := range []struct {
		name      string
		codec     media.Codec
		container string
		arguments string
		delay     int // packets between a picture's and its showing, at most
	}{
		{"H.264 with a B pyramid", media.H264, "mp4", "-c:v libx264 -bf 3 -refs 4 -x264-params b-pyramid=normal:keyint=12:b-adapt=0", 4},
		{"H.264 open GOP", media.H264, "mp4", "-c:v libx264 -bf 2 -x264-params open-gop=1:keyint=10:b-adapt=0", 4},
		{"H.264 without delay", media.H264, "mp4", "-c:v libx264 -tune zerolatency", 0},
		{"H.264 baseline", media.H264, "mp4", "-c:v libx264 -profile:v baseline -pix_fmt yuv420p", 0},
		{"HEVC", media.HEVC, "mp4", "-c:v libx265 -x265-params log-level=none:bframes=3:pools=none", 5},
		{"HEVC without delay", media.HEVC, "mp4", "-c:v libx265 -tune zerolatency -x265-params log-level=none:pools=none", 0},
		{"AV1", media.AV1, "mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt yuv420p", 0},
		{"VP8", media.VP8, "mkv", "-c:v libvpx -deadline realtime -cpu-used 8", 0},
		{"VP9 with hidden frames", media.VP9, "mkv", "-c:v libvpx-vp9 -deadline good -cpu-used 8 -pix_fmt yuv420p", 0},
		{"MPEG-2", media.MPEG2, "mkv", "-c:v mpeg2video -bf 2 -b:v 2M", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			arguments := append([]string{"-f", "lavfi", "-i", source}, strings.Fields(test.arguments)...)
			packets := encoded(t, test.codec, test.container, arguments...)
			require.GreaterOrEqual(t, len(packets), 25)
			var want, got []media.Time
			device := openCPU(t)
			decoder := newDecoder(t, device, packets[0].Track)
			show := func(f *Frame) {
				got = append(got, f.PTS)
				require.Equal(t, Size{320, 180}, f.Size)
				f.Release()
			}
			for n, packet := range packets {
				want = append(want, packet.PTS)
				require.NoError(t, decoder.Decode(packet, show))
				require.GreaterOrEqual(t, len(got), n+1-test.delay, "delay")
			}
			decoder.Drain(show)
			slices.Sort(want)
			require.Equal(t, want, got)
			stats := decoder.Stats()
			require.Zero(t, stats.Errors+stats.Damaged+stats.Disorder)
		})
	}
}

// A new track is a new decoder, whatever it carries; a new size within one track
// is nothing special.
func TestTrackChange(t *testing.T) {
	device := openCPU(t)
	small := encoded(t, media.H264, "mp4", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-tune", "zerolatency")
	large := encoded(t, media.VP8, "mkv", "-f", "lavfi", "-i", "testsrc2=size=640x362:rate=25:duration=1", "-c:v", "libvpx")
	decoder := newDecoder(t, device, small[0].Track)
	sizes := map[Size]int{}
	show := func(f *Frame) {
		sizes[f.Size]++
		f.Release()
	}
	for _, packet := range slices.Concat(small, large) {
		require.NoError(t, decoder.Decode(packet, show))
	}
	require.Equal(t, map[Size]int{{320, 180}: len(small), {640, 362}: len(large)}, sizes)
	require.Error(t, decoder.Decode(&media.Packet{Track: &media.Track{Codec: "h263"}, Data: []byte{1}}, show))
	require.Error(t, decoder.Decode(&media.Packet{Data: []byte{1}}, show), "the track stays undecodable")
	require.NoError(t, decoder.Decode(small[0], show), "until another one comes")
}

// Parameter sets in band, without a config record, and another size later.
func TestParametersInBand(t *testing.T) {
	device := openCPU(t)
	track := &media.Track{ID: "t", Kind: media.Video, Codec: media.H264}
	var packets []*media.Packet
	for i, size := range []string{"320x180", "480x270", "322x182"} {
		clip := encoded(t, media.H264, "mp4", "-f", "lavfi", "-i", "testsrc2=rate=25:duration=0.4:size="+size, "-c:v", "libx264", "-tune", "zerolatency")
		for n, packet := range clip {
			inBand := &media.Packet{Track: track, PTS: packet.PTS.Add(time.Duration(i) * time.Second), Key: packet.Key, Data: packet.Data}
			if n == 0 {
				inBand.Data = append(setsOf(t, packet.Track), packet.Data...)
			}
			packets = append(packets, inBand)
		}
	}
	decoder := newDecoder(t, device, track)
	var sizes []Size
	for _, packet := range packets {
		require.NoError(t, decoder.Decode(packet, func(f *Frame) {
			sizes = append(sizes, f.Size)
			f.Release()
		}))
	}
	require.Len(t, sizes, len(packets))
	require.Equal(t, []Size{{320, 180}, {480, 270}, {322, 182}}, slices.Compact(sizes))
}

// setsOf gives a track's parameter sets as NAL units behind 4-byte lengths.
func setsOf(t *testing.T, track *media.Track) (sets []byte) {
	t.Helper()
	config := track.Config[5:]
	for i := range 2 {
		count := int(config[0])
		if i == 0 {
			count &= 31
		}
		config = config[1:]
		for range count {
			n := int(binary.BigEndian.Uint16(config))
			sets = binary.BigEndian.AppendUint32(sets, uint32(n))
			sets = append(sets, config[2:2+n]...)
			config = config[2+n:]
		}
	}
	return sets
}

// Frames keep their picture while the decoder goes on and after it is closed.
func TestFramesOutliveTheDecoder(t *testing.T) {
	device := openCPU(t)
	packets := encoded(t, media.H264, "mp4", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-bf", "3")
	decoder, err := device.NewDecoder(packets[0].Track)
	require.NoError(t, err)
	var frames []*Frame
	var copies [][]byte
	show := func(f *Frame) {
		luma, _ := f.Plane(0)
		frames, copies = append(frames, f), append(copies, slices.Clone(luma))
	}
	for _, packet := range packets {
		require.NoError(t, decoder.Decode(packet, show))
	}
	decoder.Drain(show)
	decoder.Close()
	require.Equal(t, len(frames), device.Outstanding())
	for i, f := range frames {
		luma, _ := f.Plane(0)
		require.Equal(t, copies[i], luma)
		f.Release()
	}
}

// Damage is counted; it neither stops the decoder nor crashes it, and the next
// whole GOP shows again.
func TestDamagedData(t *testing.T) {
	for _, test := range []struct {
		codec     media.Codec
		container string
		arguments string
	}{
		{media.H264, "mp4", "-c:v libx264 -bf 2 -g 10"},
		{media.HEVC, "mp4", "-c:v libx265 -g 10 -x265-params log-level=none:pools=none"},
		{media.VP8, "mkv", "-c:v libvpx -g 10 -deadline realtime"},
		{media.VP9, "mkv", "-c:v libvpx-vp9 -g 10 -deadline realtime -cpu-used 8 -pix_fmt yuv420p"},
		{media.AV1, "mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 10 -pix_fmt yuv420p"},
		{media.MPEG2, "mkv", "-c:v mpeg2video -bf 2 -g 10"},
	} {
		t.Run(string(test.codec), func(t *testing.T) {
			arguments := append([]string{"-f", "lavfi", "-i", source}, strings.Fields(test.arguments)...)
			packets := encoded(t, test.codec, test.container, arguments...)
			device := openCPU(t)
			decoder := newDecoder(t, device, packets[0].Track)
			shown := 0
			show := func(f *Frame) {
				require.Equal(t, Size{320, 180}, f.Size)
				shown++
				f.Release()
			}
			rnd := rand.New(rand.NewPCG(5, 6))
			for range 12 {
				for _, packet := range packets {
					if err := decoder.Decode(damage(rnd, packet), func(f *Frame) { f.Release() }); err != nil {
						require.ErrorContains(t, err, "decode track")
					}
				}
			}
			decoder.Drain(func(f *Frame) { f.Release() })
			for _, packet := range packets {
				require.NoError(t, decoder.Decode(packet, show))
			}
			require.GreaterOrEqual(t, shown, len(packets)-6)
			t.Logf("%+v", decoder.Stats())
		})
	}
}

// damage gives the packet with bits turned over, cut short or replaced by noise.
func damage(rnd *rand.Rand, p *media.Packet) *media.Packet {
	bad := *p
	bad.Data = slices.Clone(p.Data)
	switch rnd.IntN(4) {
	case 0:
		bad.Data = bad.Data[:rnd.IntN(len(bad.Data)+1)]
	case 1:
		for i := range bad.Data {
			bad.Data[i] = uint8(rnd.Uint32())
		}
	default:
		for range 1 + rnd.IntN(8) {
			bad.Data[rnd.IntN(len(bad.Data))] ^= 1 << rnd.IntN(8)
		}
	}
	return &bad
}

func TestPicturesBeyondTheLimitAreRefused(t *testing.T) {
	device := openCPU(t)
	packets := encoded(t, media.H264, "mp4", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-tune", "zerolatency")
	decoder := newDecoder(t, device, packets[0].Track)
	decoder.(*cpuDecoder).limit = 320*180 - 1
	require.ErrorContains(t, decoder.Decode(packets[0], func(*Frame) { t.Fatal("shown") }), "too large")
}

func TestUnknownCodecIsRefused(t *testing.T) {
	device := openCPU(t)
	for _, track := range []*media.Track{{ID: "a", Codec: media.Opus}, {ID: "b"}} {
		_, err := device.NewDecoder(track)
		require.Error(t, err, track.ID)
	}
}

// A step back within a second is disorder; a longer one is a new timeline.
func TestStepsBack(t *testing.T) {
	device := openCPU(t)
	packets := encoded(t, media.H264, "mp4", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-tune", "zerolatency")
	decoder := newDecoder(t, device, packets[0].Track)
	var got []media.Time
	for n, pts := range []time.Duration{10_000, 10_040, 10_020, 10_080, 2_000, 2_040} {
		packet := *packets[n]
		packet.PTS = media.Time(pts * time.Millisecond)
		require.NoError(t, decoder.Decode(&packet, func(f *Frame) {
			got = append(got, f.PTS/media.Time(time.Millisecond))
			f.Release()
		}))
	}
	require.Equal(t, []media.Time{10_000, 10_040, 10_080, 2_000, 2_040}, got)
	require.EqualValues(t, 1, decoder.Stats().Disorder)
}
