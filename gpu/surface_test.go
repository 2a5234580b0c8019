package gpu

import (
	"image"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Compositions for NVENC are NV12: what is drawn to them and copied to and fro is
// the same picture.
func TestSurfaces(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 5))
	device := openEmulated(t, "slow=50")
	device.ffmpeg.nvenc = nil // as on a card that has it; nothing is encoded here
	even := func(n int) int { return 2 + 2*rnd.IntN(n) }
	for range 20 {
		config := CompositorConfig{Canvas: Size{even(120), even(80)}, Rungs: []Size{{even(90), even(60)}}}
		compositor, err := device.NewCompositor(config)
		require.NoError(t, err)
		source := painted(t, device, Size{2 + rnd.IntN(150), 2 + rnd.IntN(90)}, noise, rnd.Int())
		up, err := device.surface(evenSized(t, device, rnd.Int()))
		require.NoError(t, err)
		layers := []Layer{
			{Frame: source, Dst: image.Rect(0, 0, even(80), even(60)), Opacity: 1},
			{Frame: up, Dst: image.Rect(10, 4, 10+even(80), 4+even(60)), Opacity: 0.7},
		}
		down, err := up.Download()
		require.NoError(t, err)
		reference := []Layer{layers[0], layers[1]}
		reference[1].Frame = down
		requireSame(t, device, config, compositor, layers, reference)
		compositor.Close()
		down.Release()
		up.Release()
		source.Release()
	}
}

// evenSized is a picture whose reference the test gives up at its end.
func evenSized(t *testing.T, device Device, seed int) *Frame {
	f := painted(t, device, Size{64, 36}, talk, seed)
	t.Cleanup(f.Release)
	return f
}

// requireSame composes layers on the card and their twins in host memory by the
// reference.
func requireSame(t *testing.T, device *cudaDevice, config CompositorConfig, compositor Compositor, layers, twins []Layer) {
	t.Helper()
	reference, err := NewReference(device, config)
	require.NoError(t, err)
	want, err := reference.Compose(twins, Black())
	require.NoError(t, err)
	defer want.Release()
	got, err := compositor.Compose(layers, Black())
	require.NoError(t, err)
	defer got.Release()
	require.True(t, got.Canvas.paired())
	for i, picture := range append([]*Frame{got.Canvas}, got.Rungs...) {
		host, err := picture.Download()
		require.NoError(t, err)
		require.LessOrEqual(t, difference(host, append([]*Frame{want.Canvas}, want.Rungs...)[i]), 1)
		host.Release()
		again, err := device.surface(picture)
		require.NoError(t, err)
		require.Same(t, picture, again)
		again.Release()
	}
}

// A picture goes up as NV12 and comes down as it was.
func TestSurfaceAndBack(t *testing.T) {
	device := openEmulated(t, "")
	for _, size := range []Size{{2, 2}, {64, 36}, {130, 70}} {
		f := painted(t, device, size, noise, 7)
		up, err := device.surface(f)
		require.NoError(t, err)
		down, err := up.Download()
		require.NoError(t, err)
		require.Zero(t, difference(f, down), "%v", size)
		down.Release()
		up.Release()
		f.Release()
	}
}

// What is asked of NVENC is something that this FFmpeg's encoder takes.
func TestNVENCOptions(t *testing.T) {
	for _, coding := range codings() {
		require.NoError(t, checkNVENCOptions(coding))
	}
	for _, level := range levels() {
		options := nvencOptions(EncoderConfig{Preset: "p1"}, level.idc)
		require.Equal(t, "p1", options["preset"])
		require.NoError(t, takesOption(nvencName, "level", options["level"]))
	}
	require.ErrorContains(t, takesOption(nvencName, "preset", "veryfast"), "preset=veryfast")
	require.ErrorContains(t, takesOption(nvencName, "colour", "red"), "colour=red")
}

// Without NVIDIA's driver NVENC does not open, which is an encoder's fault.
func TestNVENCWithoutItsDriver(t *testing.T) {
	device := openEmulated(t, "")
	require.ErrorIs(t, device.ffmpeg.nvenc, errEmulated)
	require.ErrorIs(t, device.ffmpeg.nvdec, errEmulated)
	encoder, err := device.NewEncoder(config(Size{64, 36}))
	require.NoError(t, err)
	require.Equal(t, "libx264", encoder.Name())
	encoder.Close()
	require.Equal(t, FaultEncoder, FaultOf(errEncoder))
}
