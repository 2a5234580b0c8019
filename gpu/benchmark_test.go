package gpu

import (
	"image"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// cpuTime is what the process has used, user and system, in nanoseconds: on a
// shared machine it says more than the wall clock.
func cpuTime(b *testing.B) int64 {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// gridOf is four sources in a 2x2 grid.
func gridOf(canvas Size, sources []*Frame) []Layer {
	var layers []Layer
	for i, source := range sources {
		w, h := canvas.Width/2, canvas.Height/2
		corner := image.Pt(i%2*w, i/2*h)
		layers = append(layers, Layer{Frame: source, Dst: image.Rectangle{corner, corner.Add(image.Pt(w, h))}, Opacity: 1})
	}
	return layers
}

func BenchmarkCompose(b *testing.B) {
	for _, test := range []struct {
		name   string
		source Size
		config CompositorConfig
	}{
		{"4x1080p to 1080 720 480 360", Size{1920, 1080}, CompositorConfig{Size{1920, 1080}, []Size{{1920, 1080}, {1280, 720}, {854, 480}, {640, 360}}}},
		{"4x720p to 720 480 240", Size{1280, 720}, CompositorConfig{Size{1280, 720}, []Size{{1280, 720}, {854, 480}, {426, 240}}}},
	} {
		b.Run(test.name, func(b *testing.B) {
			device := openCPU(b)
			var sets [2][]*Frame // in turn, so that nothing is unchanged
			for set := range sets {
				for n := range 4 {
					source := painted(b, device, test.source, texture, 4*set+n)
					defer source.Release()
					sets[set] = append(sets[set], source)
				}
			}
			compositor, err := device.NewCompositor(test.config)
			require.NoError(b, err)
			defer compositor.Close()
			b.ReportAllocs()
			start := cpuTime(b)
			for n := 0; b.Loop(); n++ {
				composition, err := compositor.Compose(gridOf(test.config.Canvas, sets[n%2]), Black())
				if err != nil {
					b.Fatal(err)
				}
				composition.Release()
			}
			b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	device := openCPU(b)
	c := config(Size{1280, 720})
	c.Bitrate = 2_800_000
	encoder := newEncoder(b, device, c)
	var sources []*Frame
	for n := range 8 {
		sources = append(sources, painted(b, device, c.Size, talk, n))
		defer sources[n].Release()
	}
	b.ReportAllocs()
	start := cpuTime(b)
	for n := 0; b.Loop(); n++ {
		if _, err := encoder.Encode(sources[n%8], int64(n), n%48 == 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op")
}
