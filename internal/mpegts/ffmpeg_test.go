package mpegts

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// access is one emitted access unit.
type access struct {
	track    *media.Track
	pts, dts time.Duration
	key      bool
	data     []byte
}

// demux reads a stream in pieces of 7 packets, as SRT brings it.
func demux(stream []byte) (list []access, stats Stats) {
	d := NewDemuxer(func(track *media.Track, pts, dts time.Duration, key bool, data []byte) {
		list = append(list, access{track, pts, dts, key, data})
	})
	for len(stream) > 0 {
		n := min(len(stream), 7*packetSize)
		d.Write(stream[:n])
		stream = stream[n:]
	}
	d.Flush()
	return list, d.Stats()
}

func of(list []access, kind media.Kind) (some []access) {
	for _, a := range list {
		if a.track.Kind == kind {
			some = append(some, a)
		}
	}
	return some
}

func ffmpeg(t *testing.T, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg program on this machine")
	}
	command := exec.Command(path, append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1"}, args...)...)
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	require.NoError(t, err, problems.String())
	return out
}

// encode makes a transport stream of 2 s of test picture and sound.
func encode(t *testing.T, size string, args ...string) []byte {
	t.Helper()
	all := []string{"-f", "lavfi", "-i", "testsrc2=size=" + size + ":rate=25:duration=2", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"}
	return ffmpeg(t, append(append(all, args...), "-f", "mpegts", "-")...)
}

var x264 = []string{"-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-bf", "2", "-pix_fmt", "yuv420p"}

func with(base []string, more ...string) []string {
	return append(append([]string(nil), base...), more...)
}

// reference is one packet as FFmpeg reads the stream.
type reference struct {
	pts, dts int64 // 90 kHz
	hash     string
}

func references(t *testing.T, stream []byte, args ...string) (list []reference) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in.ts")
	require.NoError(t, os.WriteFile(file, stream, 0o600))
	out := ffmpeg(t, with(with([]string{"-copyts", "-i", file}, args...), "-c", "copy", "-enc_time_base", "1:90000", "-f", "framemd5", "-")...)
	scale := int64(1)
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "#tb 0: 1/"); ok {
			hz, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			require.NoError(t, err)
			require.Zero(t, 90000%hz)
			scale = 90000 / hz
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, ",")
		dts, err := strconv.ParseInt(strings.TrimSpace(fields[1]), 10, 64)
		require.NoError(t, err)
		pts, err := strconv.ParseInt(strings.TrimSpace(fields[2]), 10, 64)
		require.NoError(t, err)
		list = append(list, reference{pts * scale, dts * scale, strings.TrimSpace(fields[5])})
	}
	return list
}

// annexB turns NAL units behind lengths into a byte stream.
func annexB(t *testing.T, data []byte) (out []byte) {
	t.Helper()
	for len(data) > 0 {
		require.GreaterOrEqual(t, len(data), 4)
		n := int(binary.BigEndian.Uint32(data))
		require.GreaterOrEqual(t, len(data), 4+n)
		out = append(append(out, 0, 0, 0, 1), data[4:4+n]...)
		data = data[4+n:]
	}
	return out
}

// pictures decodes a file and hashes its pictures.
func pictures(t *testing.T, name string, stream []byte) (hashes []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, stream, 0o600))
	out := ffmpeg(t, "-i", file, "-an", "-fps_mode", "passthrough", "-autoscale", "0", "-f", "framemd5", "-")
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			fields := strings.Split(line, ",")
			hashes = append(hashes, strings.TrimSpace(fields[5]))
		}
	}
	return hashes
}

func TestVideoEqualsFFmpeg(t *testing.T) {
	cases := []struct {
		name, extension string
		args            []string
		codec           media.Codec
		mime            string
		keys            int
	}{
		{"h264 with B-frames", "h264", x264, media.H264, "avc1.64000c", 2},
		{"h264 open GOP", "h264", with(x264, "-x264-params", "open-gop=1"), media.H264, "avc1.64000c", 2},
		{"h264 intra refresh", "h264", with(x264, "-bf", "0", "-x264-params", "intra-refresh=1"), media.H264, "avc1.64000c", 2},
		{"hevc", "hevc", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=25:log-level=none:pools=none", "-pix_fmt", "yuv420p"}, media.HEVC, "hev1.1.6.L60.90", 2},
		{"mpeg2", "m2v", []string{"-c:v", "mpeg2video", "-g", "25", "-bf", "2"}, media.MPEG2, "", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			stream := encode(t, "320x180", with(c.args, "-c:a", "aac")...)
			list, stats := demux(stream)
			require.Equal(t, Stats{Packets: stats.Packets}, stats)
			video := of(list, media.Video)
			want := references(t, stream, "-map", "0:v")
			require.Len(t, video, len(want))
			var elementary []byte
			keys := 0
			for i, a := range video {
				require.Equal(t, duration(want[i].pts), a.pts, "PTS of %d", i)
				require.Equal(t, duration(want[i].dts), a.dts, "DTS of %d", i)
				require.Same(t, video[0].track, a.track)
				if a.key {
					keys++
				}
				if c.codec == media.MPEG2 {
					elementary = append(elementary, a.data...)
				} else {
					elementary = append(elementary, annexB(t, a.data)...)
				}
			}
			require.True(t, video[0].key)
			require.GreaterOrEqual(t, keys, c.keys)
			track := video[0].track
			require.Equal(t, c.codec, track.Codec)
			require.Equal(t, c.mime, track.MIME)
			require.Equal(t, []int{320, 180}, []int{track.Width, track.Height})
			require.Equal(t, media.Rate{Num: 25, Den: 1}, track.Rate)
			require.Equal(t, pictures(t, "in.ts", stream), pictures(t, "out."+c.extension, elementary))
		})
	}
}

func TestAudioEqualsFFmpeg(t *testing.T) {
	cases := []struct {
		name     string
		args     []string
		read     []string // what FFmpeg does to give the same bytes
		codec    media.Codec
		mime     string
		config   string
		channels int
	}{
		{"aac", []string{"-c:a", "aac", "-ac", "2"}, []string{"-bsf:a", "aac_adtstoasc"}, media.AAC, "mp4a.40.2", "1190", 2},
		{"aac mono", []string{"-c:a", "aac"}, []string{"-bsf:a", "aac_adtstoasc"}, media.AAC, "mp4a.40.2", "1188", 1},
		{"mp2", []string{"-c:a", "mp2", "-ac", "2"}, nil, media.MP2, "mp4a.6b", "", 2},
		{"mp3", []string{"-c:a", "libmp3lame"}, nil, media.MP3, "mp4a.6b", "", 1},
		{"mp3 at 22050 Hz", []string{"-c:a", "libmp3lame", "-ar", "22050"}, nil, media.MP3, "mp4a.69", "", 1},
		{"ac3", []string{"-c:a", "ac3", "-ac", "6"}, nil, media.AC3, "ac-3", "", 6},
		{"eac3", []string{"-c:a", "eac3", "-ac", "2"}, nil, media.EAC3, "ec-3", "", 2},
		{"opus", []string{"-c:a", "libopus", "-ac", "2"}, nil, media.Opus, "opus", "00020138" + "0000bb80" + "000000", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			stream := encode(t, "320x180", with(with(x264, c.args...), "-streamid", "1:300")...)
			list, stats := demux(stream)
			require.Equal(t, Stats{Packets: stats.Packets}, stats)
			audio := of(list, media.Audio)
			want := references(t, stream, with([]string{"-map", "0:a"}, c.read...)...)
			require.Len(t, audio, len(want))
			for i, a := range audio {
				hash := md5.Sum(a.data)
				require.Equal(t, want[i].hash, hex.EncodeToString(hash[:]), "bytes of %d", i)
				require.InDelta(t, duration(want[i].pts), a.pts, float64(25*time.Microsecond), "PTS of %d", i)
			}
			track := audio[0].track
			require.Equal(t, []any{c.codec, c.mime, c.channels}, []any{track.Codec, track.MIME, track.Channels})
			require.Equal(t, c.config, hex.EncodeToString(track.Config))
		})
	}
}

// LATM becomes plain AAC, whatever its muxer.
func TestLATMBecomesAAC(t *testing.T) {
	stream := encode(t, "320x180", "-map", "1:a", "-c:a", "aac", "-mpegts_flags", "+latm")
	plain := encode(t, "320x180", "-map", "1:a", "-c:a", "aac")
	list, _ := demux(stream)
	want, _ := demux(plain)
	require.Len(t, list, len(want))
	for i := range list {
		require.Equal(t, want[i].data, list[i].data)
		require.InDelta(t, want[i].pts, list[i].pts, float64(25*time.Microsecond))
	}
	require.Equal(t, want[0].track, list[0].track)
}

// Two sizes and two codecs one after the other (F05, F07): a new track with
// the first access unit that needs it.
func TestTracksChangeInBand(t *testing.T) {
	first := encode(t, "320x180", with(x264, "-c:a", "aac")...)
	second := encode(t, "640x360", with(x264, "-c:a", "mp2", "-output_ts_offset", "2")...)
	third := encode(t, "640x360", "-c:v", "mpeg2video", "-c:a", "aac", "-ac", "2", "-output_ts_offset", "4")
	list, _ := demux(append(append(first, second...), third...))
	var seen []string
	var last [media.Audio + 1]*media.Track
	for _, a := range list {
		if last[a.track.Kind] != a.track {
			require.True(t, a.key, "a track begins where decoding can")
			seen = append(seen, fmt.Sprintf("%s %s %dx%d ch%d", a.track.ID, a.track.Codec, a.track.Width, a.track.Height, a.track.Channels))
		}
		last[a.track.Kind] = a.track
	}
	require.ElementsMatch(t, []string{
		"pid256 h264 320x180 ch0", "pid257 aac 0x0 ch1",
		"pid256 h264 640x360 ch0", "pid257 mp2 0x0 ch1",
		"pid256 mpeg2 640x360 ch0", "pid257 aac 0x0 ch2",
	}, seen)
}

// F11: the 33-bit counter wraps within the stream, for PTS before DTS.
func TestTimestampsUnwrap(t *testing.T) {
	stream := encode(t, "320x180", with(x264, "-c:a", "aac", "-output_ts_offset", "95442.7", "-muxdelay", "0")...)
	list, _ := demux(stream)
	video, audio := of(list, media.Video), of(list, media.Audio)
	require.Len(t, video, 50)
	wrapped := 0
	for i := 1; i < len(video); i++ {
		require.Equal(t, 40*time.Millisecond, video[i].dts-video[i-1].dts)
		require.InDelta(t, 0, video[i].pts-video[i].dts, float64(200*time.Millisecond))
		if video[i].pts >= duration(wrap) && video[i].dts < duration(wrap) {
			wrapped++
		}
	}
	require.NotZero(t, wrapped, "the test has a PTS that wraps before its DTS")
	for i := 1; i < len(audio); i++ {
		require.InDelta(t, 1024*time.Second/48000, audio[i].pts-audio[i-1].pts, float64(25*time.Microsecond))
	}
	require.InDelta(t, video[0].pts, audio[0].pts, float64(300*time.Millisecond), "one base")
}

// F16: whatever bits are wrong, nothing panics, and most of the stream comes
// through where few are.
func TestBitErrors(t *testing.T) {
	for _, args := range [][]string{
		with(x264, "-c:a", "aac"),
		{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:pools=none", "-c:a", "eac3"},
		{"-c:v", "mpeg2video", "-c:a", "mp2"},
		{"-c:v", "mpeg2video", "-c:a", "libopus"},
		{"-c:v", "mpeg2video", "-c:a", "aac", "-mpegts_flags", "+latm"},
	} {
		stream := encode(t, "320x180", args...)
		clean, _ := demux(stream)
		for seed, every := range []int{100_000, 10_000, 1_000, 100, 20} {
			rnd := rand.New(rand.NewPCG(uint64(seed), 9))
			damaged := bytes.Clone(stream)
			for range max(1, len(stream)*8/every) {
				damaged[rnd.IntN(len(damaged))] ^= 1 << rnd.IntN(8)
			}
			list, _ := demux(damaged)
			if every >= 100_000 {
				require.Greater(t, len(list), len(clean)*8/10, "%v", args)
			}
		}
	}
}
