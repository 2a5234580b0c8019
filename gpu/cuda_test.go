package gpu

import (
	"image"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/gpu/cuda"
	"millrace/gpu/cudaemu"
)

// emulation is the library of the driver emulation, test equipment.
var emulation string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "millrace-cuda")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if emulation = os.Getenv(sanitizedVariable); emulation != "" {
			return m.Run()
		}
		if emulation, err = cudaemu.Build(dir); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

func emulationLibrary(t testing.TB, faults string) string {
	t.Helper()
	t.Setenv(cudaemu.Faults, faults)
	return emulation
}

// openEmulated gives the emulated card, which fails as told, and checks at the end
// that every frame came back and nothing is left on the card.
func openEmulated(t testing.TB, faults string) *cudaDevice {
	t.Helper()
	device, err := openCUDA(emulationLibrary(t, faults), 0)
	require.NoError(t, err)
	device.patience = time.Minute // the CPU computes what a card would, when the machine lets it
	t.Cleanup(func() {
		require.Zero(t, device.Outstanding(), "frames outstanding")
		device.Close()
		require.Zero(t, device.card.Driver().Live(), "left on the card")
	})
	return device
}

func TestOpenCUDA(t *testing.T) {
	device := openEmulated(t, "")
	require.Equal(t, Info{Name: "cuda:0", Card: "driver emulation (test equipment) 0", Encoder: "libx264", Reason: "no NVENC: " + errEmulated.Error()}, device.Info())

	best := openBest(emulationLibrary(t, ""))
	require.Equal(t, Info{Name: "cpu", Encoder: "libx264", Reason: "no CUDA device: the driver is an emulation, test equipment"}, best.Info())
	best.Close()
	best = openBest("no-such-library.so")
	require.Equal(t, "cpu", best.Info().Name)
	require.Contains(t, best.Info().Reason, "no CUDA driver: no-such-library.so: cannot open")
	best.Close()
	for _, name := range []string{"cuda:", "cuda:x", "cuda:-1", "gpu"} {
		_, err := Open(name)
		require.ErrorIs(t, err, ErrNoDevice, name)
	}
	_, err := openCUDA(emulationLibrary(t, "capability=61"), 0)
	require.ErrorContains(t, err, "compute capability 6.1")
	_, err = openCUDA(emulationLibrary(t, ""), 7)
	require.ErrorContains(t, err, "none with number 7")
	_, err = openCUDA(emulationLibrary(t, "launch=1"), 0)
	require.ErrorIs(t, err, cuda.ErrLost, "the kernel is proved first")
}

// requireEqual composes a scene by the reference and on the card.
func requireEqual(t *testing.T, device Device, config CompositorConfig, compositor Compositor, layers []Layer) {
	t.Helper()
	reference, err := NewReference(device, config)
	require.NoError(t, err)
	want, err := reference.Compose(layers, RGB(40, 80, 120))
	require.NoError(t, err)
	defer want.Release()
	got, err := compositor.Compose(layers, RGB(40, 80, 120))
	require.NoError(t, err)
	defer got.Release()
	for i, rung := range append([]*Frame{got.Canvas}, got.Rungs...) {
		host, err := rung.Download()
		require.NoError(t, err)
		require.LessOrEqual(t, difference(host, append([]*Frame{want.Canvas}, want.Rungs...)[i]), 1, "picture %d of %v, %+v", i, config, layers)
		host.Release()
	}
}

// The emulated device equals the reference within 1, whatever is drawn.
func TestCUDAEqualsTheReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(18, 19))
	device := openEmulated(t, "")
	even := func(n int) int { return 2 + 2*rnd.IntN(n) }
	for range 60 {
		config := CompositorConfig{Canvas: Size{even(120), even(80)}}
		for range rnd.IntN(4) {
			config.Rungs = append(config.Rungs, Size{even(90), even(60)})
		}
		config.Rungs = append(config.Rungs, config.Canvas)
		compositor, err := device.NewCompositor(config)
		require.NoError(t, err)
		var sources []*Frame
		for range 3 {
			sources = append(sources, painted(t, device, Size{2 + rnd.IntN(150), 2 + rnd.IntN(90)}, noise, rnd.Int()))
		}
		for range 5 {
			var layers []Layer
			for range rnd.IntN(5) {
				x, y := 2*rnd.IntN(60)-40, 2*rnd.IntN(60)-40
				layers = append(layers, Layer{
					Frame: sources[rnd.IntN(3)], Dst: image.Rect(x, y, x+even(80), y+even(60)), Opacity: min(1, 1.5*rnd.Float64()),
					Fit:  []Fit{Cover, Contain, Fill}[rnd.IntN(3)],
					Crop: Crop{rnd.Float64() / 2, rnd.Float64() / 2, 0.1 + rnd.Float64(), 0.1 + rnd.Float64()}, Radius: max(0, 30*rnd.Float64()-15),
					Border: Border{Width: max(0, 8*rnd.Float64()-4), Color: RGB(200, 30, 90)},
				})
				if last := &layers[len(layers)-1]; rnd.IntN(3) == 0 {
					last.Matte = last.Frame
				}
			}
			requireEqual(t, device, config, compositor, layers)
		}
		compositor.Close()
		for _, source := range sources {
			source.Release()
		}
	}
}

// From access units to access units over the emulated card, with slow copies, so
// that an order which is only luck shows.
func TestChainOverTheCard(t *testing.T) {
	device := openEmulated(t, "slow=200")
	size := Size{320, 180}
	feed := newEncoder(t, openCPU(t), config(size))
	decoder := newDecoder(t, device, feed.Track())
	ladder := CompositorConfig{Canvas: size, Rungs: []Size{size, {160, 90}}}
	compositor, err := device.NewCompositor(ladder)
	require.NoError(t, err)
	defer compositor.Close()
	var encoders []Encoder
	for _, rung := range ladder.Rungs {
		encoders = append(encoders, newEncoder(t, device, config(rung)))
	}
	viewer := newDecoder(t, device, encoders[0].Track())
	var composed int
	for n := range 12 {
		source := painted(t, device, size, talk, n)
		unit, err := feed.Encode(source, int64(n), false)
		require.NoError(t, err)
		require.NoError(t, decoder.Decode(packetOf(feed.Track(), unit), func(f *Frame) {
			defer f.Release()
			require.NotNil(t, f.mirror, "sent up by the decoder")
			composition, err := compositor.Compose([]Layer{{Frame: f, Dst: image.Rect(0, 0, 320, 180), Opacity: 1}}, Black())
			require.NoError(t, err)
			defer composition.Release()
			require.Panics(t, func() { composition.Canvas.Plane(0) })
			for i, encoder := range encoders {
				out, err := encoder.Encode(composition.Rungs[i], int64(n), false)
				require.NoError(t, err)
				if i == 0 {
					require.NoError(t, viewer.Decode(packetOf(encoder.Track(), out), func(shown *Frame) {
						require.GreaterOrEqual(t, psnr(source, shown, 0), 33.0)
						shown.Release()
						composed++
					}))
				}
			}
			if n == 0 {
				_, err := EncodeJPEG(device, composition.Canvas, 64)
				require.NoError(t, err)
			}
		}))
		source.Release()
	}
	require.Equal(t, 12, composed)
}

// Frames outlive the compositor and the device that drew them.
func TestCardFramesOutliveTheirMakers(t *testing.T) {
	device, err := openCUDA(emulationLibrary(t, "slow=2000"), 0)
	require.NoError(t, err)
	compositor, err := device.NewCompositor(CompositorConfig{Canvas: Size{64, 36}})
	require.NoError(t, err)
	composition, err := compositor.Compose(nil, Color{77, 100, 140})
	require.NoError(t, err)
	compositor.Close()
	host, err := composition.Canvas.Download()
	require.NoError(t, err)
	again, err := host.Download()
	require.NoError(t, err)
	require.Same(t, host, again)
	again.Release()
	luma, _ := host.Plane(0)
	require.EqualValues(t, 77, luma[64*35+63])
	device.Close()
	require.Positive(t, device.card.Driver().Live())
	host.Release()
	composition.Release()
	require.Zero(t, device.Outstanding())
	require.Zero(t, device.card.Driver().Live())
}

// The first launch is the proof at opening; a failure after it is told, and all
// comes back.
func TestCardFailures(t *testing.T) {
	for _, test := range []struct {
		faults string
		want   error
	}{
		{"launch=3", cuda.ErrLost}, {"lost=3", cuda.ErrLost}, {"hang=3", cuda.ErrHang},
	} {
		t.Run(test.faults, func(t *testing.T) {
			device := openEmulated(t, test.faults)
			compositor, err := device.NewCompositor(CompositorConfig{Canvas: Size{64, 36}, Rungs: []Size{{32, 18}}})
			require.NoError(t, err)
			defer compositor.Close()
			var failure error
			for n := range 4 {
				f := painted(t, device, Size{64, 36}, texture, n)
				composition, err := compositor.Compose([]Layer{{Frame: f, Dst: image.Rect(0, 0, 64, 36), Opacity: 1}}, Black())
				f.Release()
				if err == nil {
					var host *Frame
					if host, err = composition.Rungs[0].Download(); err == nil {
						host.Release()
					}
					composition.Release()
				}
				if n == 0 {
					require.NoError(t, err)
					if test.want == cuda.ErrHang {
						device.patience = 100 * time.Millisecond // for what never comes
					}
				}
				if failure = err; failure != nil {
					break
				}
			}
			require.ErrorIs(t, failure, test.want)
		})
	}
}

func TestCardWithoutMemory(t *testing.T) {
	device := openEmulated(t, "memory=3000000")
	var frames []*Frame
	for n := range 10 {
		f := painted(t, device, Size{640, 360}, flat(90, 100, 110), n)
		frames = append(frames, f)
		if _, err := device.onCard(f); err != nil {
			require.ErrorIs(t, err, cuda.ErrMemory)
			break
		}
	}
	require.Less(t, len(frames), 10)
	for _, f := range frames {
		f.Release()
	}
	compositor, err := device.NewCompositor(CompositorConfig{Canvas: Size{640, 360}})
	require.NoError(t, err)
	defer compositor.Close()
	f := painted(t, device, Size{640, 360}, talk, 1)
	defer f.Release()
	composition, err := compositor.Compose([]Layer{{Frame: f, Dst: image.Rect(0, 0, 640, 360), Opacity: 1}}, Black())
	require.NoError(t, err, "it goes on when there is memory again")
	composition.Release()
}

// A picture drawn anew, two in turn, is never shown as it was.
func TestRewrittenPictureOnTheCard(t *testing.T) {
	device := openEmulated(t, "slow=100")
	config := CompositorConfig{Canvas: Size{64, 36}}
	compositor, err := device.NewCompositor(config)
	require.NoError(t, err)
	defer compositor.Close()
	turns := []*Frame{painted(t, device, Size{64, 36}, flat(16, 16, 16), 0), painted(t, device, Size{64, 36}, flat(16, 16, 16), 0)}
	for n := range 12 {
		f := turns[n%2]
		f.Rewrite()
		noise(f, n)
		requireEqual(t, device, config, compositor, []Layer{{Frame: f, Dst: image.Rect(0, 0, 64, 36), Opacity: 1}})
	}
	turns[0].Release()
	turns[1].Release()
}

// Decoders and compositors use the card from goroutines of their own.
func TestCardIsShared(t *testing.T) {
	device := openEmulated(t, "slow=50")
	shared := painted(t, device, Size{64, 36}, texture, 1)
	defer shared.Release()
	var done sync.WaitGroup
	for worker := range 4 {
		done.Go(func() {
			compositor, err := device.NewCompositor(CompositorConfig{Canvas: Size{64, 36}})
			if err != nil {
				t.Error(err)
				return
			}
			defer compositor.Close()
			for n := range 20 {
				composition, err := compositor.Compose([]Layer{{Frame: shared, Dst: image.Rect(0, 0, 64, 36), Opacity: 1}}, Color{uint8(16 + worker*20 + n), 128, 128})
				if err != nil {
					t.Error(err)
					return
				}
				host, err := composition.Canvas.Download()
				composition.Release()
				if err != nil {
					t.Error(err)
					return
				}
				host.Release()
				runtime.Gosched()
			}
		})
	}
	done.Wait()
}
