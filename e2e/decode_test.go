package e2e

import (
	"bytes"
	"encoding/binary"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/benchmarks/testmedia"
	"millrace/mixer/engine/pattern"
)

// film is a decoded video rendition: pictures of consecutive frames of the
// channel.
type film struct {
	t        *testing.T
	rung     rung
	first    int64 // frame number of the first picture
	pictures []pattern.Picture
}

// keep names a folder for recordings that outlive their test, to look at.
const keep = "E2E_KEEP"

// decode runs ffmpeg over a recording and returns what it writes.
func (r *recorder) decode(options ...string) []byte {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), r.rendition+".mp4")
	if dir := os.Getenv(keep); dir != "" {
		path = filepath.Join(dir, r.t.Name()+"-"+r.rendition+".mp4")
	}
	require.NoError(r.t, os.WriteFile(path, r.file(), 0o600))
	args := append([]string{"-v", "error", "-nostdin", "-threads", "1", "-i", path}, options...)
	command := exec.CommandContext(r.t.Context(), "ffmpeg", append(args, "pipe:1")...)
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	require.NoError(r.t, err, said.String())
	require.Empty(r.t, said.String(), "%s does not decode cleanly", r.rendition)
	return out
}

// film decodes a video recording that was stopped. Every sample gives one
// picture.
func (r *recorder) film(of rung) film {
	r.t.Helper()
	start, step, samples := r.timing()
	require.Zero(r.t, start%step, "%s: frames lie on ticks", r.rendition)
	planes := r.decode("-map", "0:v", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo")
	size := of.Width * of.Height * 3 / 2
	require.Equal(r.t, samples, len(planes)/size, "%s: pictures of as many samples", r.rendition)
	f := film{t: r.t, rung: of, first: start / step}
	for ; len(planes) > 0; planes = planes[size:] {
		luma, quarter := of.Width*of.Height, of.Width*of.Height/4
		f.pictures = append(f.pictures, pattern.Picture{
			Width: of.Width, Height: of.Height, YStride: of.Width, CStride: of.Width / 2,
			Y: planes[:luma], U: planes[luma : luma+quarter], V: planes[luma+quarter : size],
		})
	}
	return f
}

// at is the picture of a frame of the channel.
func (f film) at(frame int64) pattern.Picture {
	f.t.Helper()
	i := frame - f.first
	require.True(f.t, i >= 0 && i < int64(len(f.pictures)), "%s: frame %d is not recorded", f.rung.ID, frame)
	return f.pictures[i]
}

// end is the frame after the last.
func (f film) end() int64 { return f.first + int64(len(f.pictures)) }

// cell is a quadrant of a picture, 0 to 3 row by row.
func cell(p pattern.Picture, index int) pattern.Picture {
	x, y := index%2*p.Width/2, index/2*p.Height/2
	return p.Sub(image.Rect(x, y, x+p.Width/2, y+p.Height/2))
}

// shown is which camera a picture is from and the counter that it shows; 0
// where it shows no counter.
func shown(p pattern.Picture) (number int, counter int64) {
	read, ok := pattern.ReadCounter(p)
	if !ok {
		return 0, 0
	}
	return int(read / counterSpan), int64(read % counterSpan)
}

// grid is which cameras the four cells of a picture show.
func grid(p pattern.Picture) (numbers [4]int) {
	for i := range numbers {
		numbers[i], _ = shown(cell(p, i))
	}
	return numbers
}

// sound is decoded audio: the mean of both channels.
type sound struct {
	first   int64 // number of the first sample at 48 kHz since the epoch
	samples []float32
}

// sound decodes an audio recording that was stopped. The first access unit
// is left out: what it overlaps with is not recorded.
func (r *recorder) sound() sound {
	r.t.Helper()
	start, step, units := r.timing()
	raw := r.decode("-map", "0:a", "-ac", "2", "-f", "f32le")
	value := func(at int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(raw[at:])) }
	samples := make([]float32, len(raw)/8)
	for i := range samples {
		samples[i] = (value(8*i) + value(8*i+4)) / 2
	}
	require.Equal(r.t, units*int(step), len(samples))
	return sound{first: start + step, samples: samples[step:]}
}

// between are the samples of an interval in frames of the channel.
func (s sound) between(from, to int64) []float32 {
	first := max(rate.Samples(from, testmedia.SampleRate)-s.first, 0)
	last := min(rate.Samples(to, testmedia.SampleRate)-s.first, int64(len(s.samples)))
	return s.samples[first:max(first, last)]
}

// tone is the level of a frequency that is a multiple of 100 Hz, as are all
// that it is mixed with: the median of what each hundredth of a second holds.
// So short, it forgives a source whose clock is just being followed.
func (s sound) tone(from, to int64, hertz int) float64 {
	return s.level(from, to, hertz, testmedia.SampleRate/100)
}

// pitch is the level of a frequency and of none that is 20 Hz away or more.
func (s sound) pitch(from, to int64, hertz int) float64 {
	return s.level(from, to, hertz, testmedia.SampleRate/20)
}

func (s sound) level(from, to int64, hertz, block int) float64 {
	levels := s.levels(from, to, hertz, block)
	if len(levels) == 0 {
		return 0
	}
	slices.Sort(levels)
	return levels[len(levels)/2]
}

// levels are those of a frequency in one block of samples after the other.
func (s sound) levels(from, to int64, hertz, block int) (all []float64) {
	for samples := s.between(from, to); len(samples) >= block; samples = samples[block:] {
		all = append(all, testmedia.ReadTone(samples[:block], hertz))
	}
	return all
}

// holes is how much of an interval has no tone, of 0 to 1.
func (s sound) holes(from, to int64, hertz int) float64 {
	levels := s.levels(from, to, hertz, testmedia.SampleRate/100)
	silent := 0
	for _, level := range levels {
		if level < testmedia.ToneLevel/4 {
			silent++
		}
	}
	return float64(silent) / float64(max(len(levels), 1))
}

// beeps are the sample numbers since the epoch at which beeps of 1 kHz begin,
// in whatever mixture of tones that lie a multiple of 100 Hz away: those have
// no part in any 10 ms of a product with 1 kHz.
func (s sound) beeps() []int64 {
	const window = testmedia.SampleRate / 100
	if len(s.samples) < 2*window {
		return nil
	}
	var real, imaginary float64
	term := func(i int) (float64, float64) {
		sin, cos := math.Sincos(2 * math.Pi * float64(i%(testmedia.SampleRate/1000)) / (testmedia.SampleRate / 1000))
		return float64(s.samples[i]) * cos, float64(s.samples[i]) * sin
	}
	var starts []int64
	loud := 0 // a beep that sounds already when the recording begins is left out
	for i := range s.samples {
		cos, sin := term(i)
		real, imaginary = real+cos, imaginary+sin
		if i < window {
			continue
		}
		cos, sin = term(i - window)
		real, imaginary = real-cos, imaginary-sin
		// The beep's amplitude is 0.5: half of it is reached when half of the
		// window is in it.
		if 2*math.Hypot(real, imaginary)/window < 0.25 {
			continue
		}
		if i-loud > testmedia.SampleRate/10 {
			starts = append(starts, s.first+int64(i-window/2))
		}
		loud = i
	}
	return starts
}
