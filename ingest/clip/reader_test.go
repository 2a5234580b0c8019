package clip

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// memory is a file in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func openBytes(text []byte, format Format) (Reader, error) {
	return Open(memory{bytes.NewReader(text)}, format)
}

// record makes a clip of three seconds at 30 pictures a second that are reordered.
func record(t testing.TB, name string, arguments ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	path := filepath.Join(t.TempDir(), name)
	args := append([]string{
		"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=128x96:r=30:d=3", "-f", "lavfi", "-i", "sine=d=3:r=48000",
		"-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac",
	}, append(arguments, path)...)
	out, err := exec.Command("ffmpeg", args...).CombinedOutput()
	require.NoError(t, err, string(out))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

// pass reads a clip to its end.
func pass(t *testing.T, r Reader) (pictures, sound []Sample) {
	t.Helper()
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return pictures, sound
		}
		require.NoError(t, err)
		require.NotEmpty(t, s.Data)
		if s.Track.Kind == media.Video {
			pictures = append(pictures, s)
		} else {
			sound = append(sound, s)
		}
	}
}

func TestClipsOfFFmpeg(t *testing.T) {
	for _, row := range []struct {
		name   string
		format Format
		args   []string
		codec  media.Codec
	}{
		{"a.mp4", MP4, nil, media.H264},
		{"fast.mp4", MP4, []string{"-movflags", "faststart"}, media.H264},
		{"a.ts", Transport, nil, media.H264},
		{"late.ts", Transport, []string{"-output_ts_offset", "95440"}, media.H264}, // the 33 bits wrap within
		{"hevc.mp4", MP4, []string{"-c:v", "libx265", "-x265-params", "log-level=none"}, media.HEVC},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r, err := openBytes(record(t, row.name, row.args...), row.format)
			require.NoError(t, err)
			var tracks []*media.Track
			for range 3 {
				pictures, sound := pass(t, r)
				require.Len(t, pictures, 90)
				require.InDelta(t, 3*time.Second, r.Length(), 10, "to the frame")
				shown := map[int64]bool{}
				for i, p := range pictures {
					require.Equal(t, row.codec, p.Track.Codec)
					require.Equal(t, []int{128, 96}, []int{p.Track.Width, p.Track.Height})
					shown[int64(p.PTS+time.Millisecond)*30/int64(time.Second)] = true
					if i > 0 {
						require.Greater(t, p.DTS, pictures[i-1].DTS)
					}
				}
				require.Len(t, shown, 90, "each in its place, from 0 on")
				require.True(t, shown[0] && shown[89])
				require.True(t, pictures[0].Key)
				require.Zero(t, pictures[0].PTS)
				require.InDelta(t, 141, len(sound), 3)
				require.Less(t, sound[0].PTS, 25*time.Millisecond)
				tracks = append(tracks, pictures[0].Track, sound[0].Track)
				require.NoError(t, r.Rewind())
			}
			require.Same(t, tracks[0], tracks[2], "a track stays")
			require.Same(t, tracks[1], tracks[3], "a track stays")
			if row.codec == media.H264 {
				require.Equal(t, media.Rate{Num: 30, Den: 1}, r.Rate())
			}
			require.NoError(t, r.Close())
		})
	}
}

// TestJoinedTransportStreams play on where one begins after the other.
func TestJoinedTransportStreams(t *testing.T) {
	one, other := record(t, "one.ts"), record(t, "other.ts", "-output_ts_offset", "5000")
	r, err := openBytes(append(one, other...), Transport)
	require.NoError(t, err)
	pictures, _ := pass(t, r)
	require.InDelta(t, 180, len(pictures), 2)
	require.InDelta(t, 6*time.Second, r.Length(), float64(200*time.Millisecond))
}

func TestFilesThatCannotBePlayed(t *testing.T) {
	whole := record(t, "a.mp4", "-movflags", "faststart")
	stream := record(t, "a.ts")
	for _, row := range []struct {
		name   string
		text   []byte
		format Format
		says   string
	}{
		{"nothing", nil, MP4, "no moov box"},
		{"no container", whole, "avi", "no container"},
		{"cut off in its head", whole[:500], MP4, "cut off"},
		{"cut off in its samples", whole[:len(whole)-5000], MP4, "outside the file"},
		{"fragmented", record(t, "f.mp4", "-movflags", "frag_keyframe+empty_moov"), MP4, "fragmented"},
		{"a codec that is not read", record(t, "m.mp4", "-c:v", "mpeg4", "-an"), MP4, "may be H.264"},
		{"a QuickTime movie", record(t, "q.mov"), MP4, "-c copy OUT.mp4"},
		{"noise", bytes.Repeat([]byte{0, 0, 0, 9, 'f', 'r', 'e', 'e', 1}, 10_000), MP4, "more than 4096 boxes"},
		{"a box of no size", []byte("\x00\x00\x00\x00ftypisom"), MP4, "no moov box"},
		{"a transport stream of nothing", bytes.Repeat(append([]byte{0x47, 0x1f, 0xff, 0x10}, make([]byte, 184)...), 100), Transport, "neither a key frame nor sound"},
		{"a transport stream without its tables", stream[188*10:][:188*20], Transport, "neither a key frame nor sound"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := openBytes(row.text, row.format)
			require.ErrorIs(t, err, ErrUnusable)
			require.ErrorContains(t, err, row.says)
		})
	}
}

// fuzzed reads what a fuzzer makes, a bounded part of it.
func fuzzed(t *testing.T, text []byte, format Format) {
	r, err := openBytes(text, format)
	if err != nil {
		require.ErrorIs(t, err, ErrUnusable)
		return
	}
	for range 200 {
		s, err := r.Next()
		if err != nil {
			break
		}
		if s.Track == nil || len(s.Data) > sampleBytes {
			t.Fatalf("%+v", s)
		}
	}
	_ = r.Length()
	_ = r.Rate()
}

func FuzzMovie(f *testing.F) {
	f.Add(record(f, "a.mp4", "-t", "0.3", "-movflags", "faststart"))
	f.Add(record(f, "b.mov", "-t", "0.3"))
	f.Fuzz(func(t *testing.T, text []byte) { fuzzed(t, text, MP4) })
}

func FuzzTransport(f *testing.F) {
	f.Add(record(f, "a.ts", "-t", "0.3"))
	f.Fuzz(func(t *testing.T, text []byte) { fuzzed(t, text, Transport) })
}
