package testmedia

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/mixer/engine/pattern"
)

// decode runs ffmpeg over a file and returns what it writes with the given output options.
func decode(t *testing.T, path string, options ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "ffmpeg",
		append(append([]string{"-v", "error", "-nostdin", "-i", path}, options...), "pipe:1")...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, stderr.String())
	return out
}

// pictures decodes a clip's video at another size.
func pictures(t *testing.T, path string, width, height int) []pattern.Picture {
	t.Helper()
	planes := decode(t, path, "-map", "0:v", "-vf", fmt.Sprintf("scale=%d:%d", width, height), "-pix_fmt", "yuv420p",
		"-fps_mode", "passthrough", "-f", "rawvideo")
	var all []pattern.Picture
	for size := width * height * 3 / 2; len(planes) >= size; planes = planes[size:] {
		all = append(all, pattern.Picture{
			Width: width, Height: height, YStride: width, CStride: width / 2,
			Y: planes[:width*height], U: planes[width*height : width*height*5/4], V: planes[width*height*5/4 : size],
		})
	}
	return all
}

func needFFmpeg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg on PATH to encode with")
	}
}

func TestCounterIsReadBackFromEveryContainer(t *testing.T) {
	needFFmpeg(t)
	tests := []struct {
		scene     Scene
		extension string
		bframes   int
	}{
		{Texture, ".mp4", 2}, {Talk, ".ts", 2}, {Talk, ".flv", 0}, {Texture, ".mkv", 0}, {Sync, ".mp4", 0}, {Talk, ".y4m", 0},
	}
	for _, tt := range tests {
		t.Run(string(tt.scene)+tt.extension, func(t *testing.T) {
			c := small(tt.scene)
			c.First, c.BFrames = 1<<20, tt.bframes
			path, err := File(t.Context(), t.TempDir(), c, tt.extension)
			require.NoError(t, err)
			shown := pictures(t, path, 214, 120)
			require.Len(t, shown, int(c.Frames))
			for i, p := range shown {
				counter, ok := pattern.ReadCounter(p)
				require.True(t, ok, i)
				require.Equal(t, uint32(1<<20+i), counter)
			}
		})
	}
}

func TestFlashAndBeepAreReadBack(t *testing.T) {
	needFFmpeg(t)
	c := small(Sync)
	path, err := File(t.Context(), t.TempDir(), c, ".mp4")
	require.NoError(t, err)
	for i, p := range pictures(t, path, c.Width, c.Height) {
		require.Equal(t, i%30 < FlashFrames, ReadFlash(p), i)
	}
	sound := decode(t, path, "-map", "0:a", "-ac", "1", "-f", "f32le")
	samples := make([]float32, len(sound)/4)
	for i := range samples {
		samples[i] = math.Float32frombits(binary.LittleEndian.Uint32(sound[4*i:]))
	}
	starts := ReadBeeps(samples)
	require.Len(t, starts, 2)
	require.InDelta(t, 0, starts[0], 48)
	require.InDelta(t, SampleRate, starts[1], 48)
}

func TestTheSameDescriptionIsTheSameFile(t *testing.T) {
	needFFmpeg(t)
	c := small(Talk)
	c.BFrames = 2
	one, other := filepath.Join(t.TempDir(), "one.mp4"), filepath.Join(t.TempDir(), "other.mp4")
	require.NoError(t, Encode(t.Context(), c, one))
	require.NoError(t, Encode(t.Context(), c, other))
	first, err := os.ReadFile(one)
	require.NoError(t, err)
	second, err := os.ReadFile(other)
	require.NoError(t, err)
	require.True(t, bytes.Equal(first, second))
}

func TestFileIsMadeOnce(t *testing.T) {
	needFFmpeg(t)
	folder := t.TempDir()
	path, err := File(t.Context(), folder, small(Sync), ".mp4")
	require.NoError(t, err)
	old := time.Unix(1e9, 0)
	require.NoError(t, os.Chtimes(path, old, old))
	again, err := File(t.Context(), folder, small(Sync), ".mp4")
	require.NoError(t, err)
	require.Equal(t, path, again)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, info.ModTime().Equal(old))
}

func TestEncodeSaysWhatFFmpegSaid(t *testing.T) {
	needFFmpeg(t)
	err := Encode(t.Context(), small(Talk), filepath.Join(t.TempDir(), "absent", "clip.mp4"))
	require.ErrorContains(t, err, "No such file or directory")
}
