package mixstage

import (
	"context"
	"fmt"
	"math"
	"os"

	"millrace/benchmarks/contest"
	"millrace/gpu"
)

// judge composes the first frame by the pixel contract and compares every
// side's rungs with it.
func judge(ctx context.Context, paths []string, folder string, peers []peer) (map[string]contest.Quality, error) {
	device, err := gpu.Open("cpu")
	if err != nil {
		return nil, err
	}
	defer device.Close()
	sources, err := load(device, paths, 1)
	if err != nil {
		return nil, err
	}
	config := gpu.CompositorConfig{Canvas: canvas(), Rungs: ladder()}
	want, err := compose(gpu.NewReference(device, config))(sources)
	if err != nil {
		return nil, err
	}
	defer want.Release()
	ours, err := compose(device.NewCompositor(config))(sources)
	if err != nil {
		return nil, err
	}
	defer ours.Release()

	judged := map[string]contest.Quality{oursName: {}}
	for i, rung := range want.Rungs {
		judged[oursName][rung.Size.String()] = psnr(ours.Rungs[i], rung)
	}
	for _, peer := range peers {
		quality, err := peer.judge(ctx, device, want, folder)
		if err != nil {
			return nil, fmt.Errorf("judge %s: %w", peer.name, err)
		}
		judged[peer.name] = quality
	}
	return judged, nil
}

// compose draws the first frame.
func compose(compositor gpu.Compositor, err error) func([][]*gpu.Frame) (gpu.Composition, error) {
	return func(sources [][]*gpu.Frame) (gpu.Composition, error) {
		if err != nil {
			return gpu.Composition{}, err
		}
		defer compositor.Close()
		return compositor.Compose(grid(sources, 0, 0), gpu.Black())
	}
}

// judge has the peer write its rungs as files and compares them.
func (p peer) judge(ctx context.Context, device gpu.Device, want gpu.Composition, folder string) (contest.Quality, error) {
	files, err := os.MkdirTemp(folder, "rungs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(files)
	o := outputs{frames: 1, folder: files}
	line := p.command(o)
	if _, err := contest.CPU(ctx, line[0], line[1:]...); err != nil {
		return nil, err
	}
	quality := contest.Quality{}
	for _, rung := range want.Rungs {
		got, err := device.NewFrame(rung.Size)
		if err != nil {
			return nil, err
		}
		file, err := os.Open(o.path(rung.Size))
		if err != nil {
			return nil, err
		}
		err = read(file, got, p.align)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("rung %v: %w", rung.Size, err)
		}
		quality[rung.Size.String()] = psnr(got, rung)
		got.Release()
	}
	return quality, nil
}

func psnr(a, b *gpu.Frame) contest.PSNR {
	return contest.PSNR{Luma: planePSNR(a, b, 0), Chroma: min(planePSNR(a, b, 1), planePSNR(a, b, 2))}
}

func planePSNR(a, b *gpu.Frame, plane int) float64 {
	size := a.Size
	if plane > 0 {
		size = size.Chroma()
	}
	left, leftStride := a.Plane(plane)
	right, rightStride := b.Plane(plane)
	sum := 0
	for y := range size.Height {
		for x := range size.Width {
			d := int(left[y*leftStride+x]) - int(right[y*rightStride+x])
			sum += d * d
		}
	}
	if sum == 0 {
		return 100
	}
	db := 10 * math.Log10(255*255*float64(size.Width*size.Height)/float64(sum))
	return math.Round(100*db) / 100
}
