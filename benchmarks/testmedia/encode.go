package testmedia

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
)

// File gives the path of a clip in a folder, with an extension that says the
// container: .mp4, .ts, .flv, .mkv with H.264 and AAC, or .y4m with raw
// pictures. It is made where it is not there yet; ffmpeg must be on PATH.
func File(ctx context.Context, folder string, c Clip, extension string) (string, error) {
	path := filepath.Join(folder, c.Name()+extension)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("create folder of test media: %w", err)
	}
	temporary, err := os.CreateTemp(folder, "making-*"+extension)
	if err != nil {
		return "", fmt.Errorf("create test clip: %w", err)
	}
	defer os.Remove(temporary.Name())
	if err := temporary.Close(); err != nil {
		return "", fmt.Errorf("create test clip: %w", err)
	}
	if err := Encode(ctx, c, temporary.Name()); err != nil {
		return "", err
	}
	return path, os.Rename(temporary.Name(), path)
}

// Encode writes a clip to a path whose extension says the container.
func Encode(ctx context.Context, c Clip, path string) error {
	painter, err := NewPainter(c)
	if err != nil {
		return err
	}
	writers := []func(io.Writer) error{painter.writeVideo}
	if !raw(path) {
		writers = append(writers, c.writeAudio)
	}
	command := exec.CommandContext(ctx, "ffmpeg", c.arguments(path)...)
	var said bytes.Buffer
	command.Stderr = &said
	if err := runFed(command, writers); err != nil {
		return fmt.Errorf("encode %s clip: %w: %s", c.Scene, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// runFed runs a command that reads each writer's bytes from a pipe: the first from descriptor 3, the next from 4.
func runFed(command *exec.Cmd, writers []func(io.Writer) error) error {
	var ends []*os.File
	for range writers {
		read, write, err := os.Pipe()
		if err != nil {
			return err
		}
		defer read.Close()
		defer write.Close()
		command.ExtraFiles = append(command.ExtraFiles, read)
		ends = append(ends, write)
	}
	if err := command.Start(); err != nil {
		return err
	}
	failures := make([]error, len(writers))
	var running sync.WaitGroup
	for i, write := range writers {
		command.ExtraFiles[i].Close() // the command has it: when it ends, our writing fails
		running.Go(func() {
			defer ends[i].Close()
			failures[i] = write(ends[i])
		})
	}
	running.Wait()
	return errors.Join(append([]error{command.Wait()}, failures...)...)
}

// raw says whether the container holds raw pictures and no sound.
func raw(path string) bool { return filepath.Ext(path) == ".y4m" }

// arguments is ffmpeg's command line. The thread count is fixed because x264's output depends on it.
func (c Clip) arguments(path string) []string {
	args := []string{"-hide_banner", "-loglevel", "error", "-nostdin", "-y",
		"-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", fmt.Sprintf("%dx%d", c.Width, c.Height),
		"-framerate", c.Rate.String(), "-i", "pipe:3"}
	if raw(path) {
		return append(args, "-f", "yuv4mpegpipe", path)
	}
	bitrate, gop := c.Bitrate, c.GOP
	if bitrate == 0 {
		bitrate = int(int64(c.Width*c.Height) * c.Rate.Num / c.Rate.Den / 10)
	}
	if gop == 0 {
		gop = int(c.Rate.Index(2*media.Time(time.Second)-1) + 1)
	}
	text := strconv.Itoa
	args = append(args, "-f", "s16le", "-ar", text(SampleRate), "-ac", "2", "-i", "pipe:4",
		"-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-threads", "2",
		"-b:v", text(bitrate), "-maxrate", text(bitrate), "-bufsize", text(bitrate),
		"-g", text(gop), "-keyint_min", text(gop), "-sc_threshold", "0", "-bf", text(c.BFrames),
		"-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
		"-c:a", "aac", "-b:a", "128000",
		"-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")
	if filepath.Ext(path) == ".mp4" {
		args = append(args, "-movflags", "+faststart")
	}
	return append(args, path)
}

// writeVideo writes every frame as raw planes.
func (p *Painter) writeVideo(w io.Writer) error {
	picture := pattern.NewPicture(p.clip.Width, p.clip.Height)
	for n := range p.clip.Frames {
		p.Draw(picture, n)
		for _, plane := range [][]byte{picture.Y, picture.U, picture.V} {
			if _, err := w.Write(plane); err != nil {
				return fmt.Errorf("write frame %d: %w", n, err)
			}
		}
	}
	return nil
}

// sound gives the samples one after the other.
func (c Clip) sound() func() float64 {
	switch {
	case c.Tone > 0:
		return (&tone{hertz: c.Tone}).next
	case c.Scene == Sync:
		return (&beeps{clip: c}).next
	}
	return newSpeech(c).next
}

// writeAudio writes the sound as 16-bit stereo.
func (c Clip) writeAudio(w io.Writer) error {
	next := c.sound()
	buffered := bufio.NewWriterSize(w, 1<<16)
	var pair [4]byte
	for range c.Samples() {
		value := uint16(int16(next() * 32767))
		binary.LittleEndian.PutUint16(pair[0:], value)
		binary.LittleEndian.PutUint16(pair[2:], value)
		if _, err := buffered.Write(pair[:]); err != nil {
			return fmt.Errorf("write sound: %w", err)
		}
	}
	return buffered.Flush()
}
