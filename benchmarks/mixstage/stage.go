// Package mixstage measures the mix stage alone: four raw 1080p pictures onto a
// 2x2 canvas and the canvas onto its ladder, without codecs, against ffmpeg and
// GStreamer doing the same. All sides hold their inputs in memory.
package mixstage

import (
	"context"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"

	"millrace/benchmarks/testmedia"
	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
)

// kept is how many frames of each input a side holds and goes round in.
const kept = 8

func input() gpu.Size { return gpu.Size{Width: 1920, Height: 1080} }

func canvas() gpu.Size { return gpu.Size{Width: 1920, Height: 1080} }

// ladder are the rungs; the first one is the canvas.
func ladder() []gpu.Size {
	return []gpu.Size{canvas(), {Width: 1280, Height: 720}, {Width: 854, Height: 480}, {Width: 640, Height: 360}}
}

// inputs are the raw I420 files of the four sources in a folder, made where they
// are not there yet.
func inputs(ctx context.Context, folder string) (paths []string, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("make inputs: %w", err)
	}
	for i := range 4 {
		clip := testmedia.Clip{
			Scene: []testmedia.Scene{testmedia.Texture, testmedia.Talk}[i%2], Seed: uint64(i),
			Width: input().Width, Height: input().Height, Rate: media.Rate{Num: 30, Den: 1}, Frames: kept,
		}
		path := filepath.Join(folder, clip.Name()+".i420")
		if _, err := os.Stat(path); err != nil {
			if err := draw(ctx, clip, path); err != nil {
				return nil, fmt.Errorf("make input %d: %w", i, err)
			}
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// draw writes a clip's frames one after the other.
func draw(ctx context.Context, clip testmedia.Clip, path string) (err error) {
	painter, err := testmedia.NewPainter(clip)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "drawing-*")
	if err != nil {
		return err
	}
	defer func() {
		file.Close()
		if err == nil {
			err = os.Rename(file.Name(), path)
		}
		os.Remove(file.Name())
	}()
	picture := pattern.NewPicture(clip.Width, clip.Height)
	for n := range clip.Frames {
		if err := ctx.Err(); err != nil {
			return err
		}
		painter.Draw(picture, n)
		for _, plane := range [][]byte{picture.Y, picture.U, picture.V} {
			if _, err := file.Write(plane); err != nil {
				return err
			}
		}
	}
	return nil
}

// read fills a frame from raw I420 whose rows are padded to multiples of align bytes.
func read(r io.Reader, f *gpu.Frame, align int) error {
	padding := make([]byte, align)
	for i := range 3 {
		pixels, stride := f.Plane(i)
		size := f.Size
		if i > 0 {
			size = size.Chroma()
		}
		for y := range size.Height {
			if _, err := io.ReadFull(r, pixels[y*stride:y*stride+size.Width]); err != nil {
				return fmt.Errorf("read picture: %w", err)
			}
			if _, err := io.ReadFull(r, padding[:(align-size.Width%align)%align]); err != nil {
				return fmt.Errorf("read picture: %w", err)
			}
		}
	}
	return nil
}

// load gives every frame of every input: [input][frame]. The caller releases them.
func load(device gpu.Device, paths []string, frames int) (sources [][]*gpu.Frame, err error) {
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("load input: %w", err)
		}
		var source []*gpu.Frame
		for range frames {
			f, err := device.NewFrame(input())
			if err == nil {
				err = read(file, f, 1)
			}
			if err != nil {
				file.Close()
				return nil, fmt.Errorf("load input %s: %w", path, err)
			}
			source = append(source, f)
		}
		file.Close()
		sources = append(sources, source)
	}
	return sources, nil
}

// grid is the scene: the sources, one in each quarter. The first ones, as many as
// are moving, show their frame n, the others their first.
func grid(sources [][]*gpu.Frame, n, moving int) (layers []gpu.Layer) {
	cell := image.Pt(canvas().Width/2, canvas().Height/2)
	for i, source := range sources {
		shown := source[0]
		if i < moving {
			shown = source[n%len(source)]
		}
		corner := image.Pt(i%2*cell.X, i/2*cell.Y)
		layers = append(layers, gpu.Layer{
			Frame: shown, Dst: image.Rectangle{Min: corner, Max: corner.Add(cell)}, Opacity: 1,
		})
	}
	return layers
}

// Work composes frames ticks: our side, run in a process of its own.
func Work(ctx context.Context, folder string, frames int) error {
	return work(ctx, folder, frames, 4)
}

func work(ctx context.Context, folder string, frames, moving int) error {
	paths, err := inputs(ctx, folder)
	if err != nil {
		return err
	}
	device, err := gpu.Open("cpu")
	if err != nil {
		return err
	}
	defer device.Close()
	sources, err := load(device, paths, kept)
	if err != nil {
		return err
	}
	compositor, err := device.NewCompositor(gpu.CompositorConfig{Canvas: canvas(), Rungs: ladder()})
	if err != nil {
		return err
	}
	defer compositor.Close()
	for n := range frames {
		composition, err := compositor.Compose(grid(sources, n, moving), gpu.Black())
		if err != nil {
			return err
		}
		composition.Release()
	}
	return nil
}
