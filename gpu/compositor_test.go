package gpu

import (
	"fmt"
	"image"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPSNRTable states what the CPU device keeps of the pixel contract, per
// scaling ratio, on the worse of the two clips.
func TestPSNRTable(t *testing.T) {
	for _, test := range []struct {
		from, to     Size
		luma, chroma float64 // dB, at least
	}{
		{Size{1280, 720}, Size{1280, 720}, 100, 100},
		{Size{1280, 720}, Size{640, 360}, 100, 100},
		{Size{1280, 720}, Size{854, 480}, 60, 60},
		{Size{1280, 720}, Size{426, 240}, 60, 60},
		{Size{960, 540}, Size{640, 360}, 60, 60},
		{Size{960, 540}, Size{426, 240}, 60, 60},
		{Size{960, 540}, Size{504, 284}, 60, 60},
		{Size{1280, 720}, Size{320, 180}, 60, 60},
		{Size{1280, 720}, Size{256, 144}, 60, 60},
		{Size{1280, 720}, Size{190, 108}, 60, 60},
		{Size{1280, 720}, Size{128, 72}, 32, 35}, // beyond 7 to 1
		{Size{640, 360}, Size{1280, 720}, 60, 60},
		{Size{854, 480}, Size{1280, 720}, 60, 60},
		{Size{720, 576}, Size{640, 360}, 60, 60},
		{Size{720, 576}, Size{720, 480}, 60, 60},
		{Size{352, 288}, Size{640, 200}, 60, 60},
	} {
		t.Run(fmt.Sprintf("%v to %v", test.from, test.to), func(t *testing.T) {
			device := openCPU(t)
			for name, clip := range clips() {
				source := painted(t, device, test.from, clip, 3)
				for _, path := range []struct {
					name         string
					plain        bool
					luma, chroma float64
				}{{"libyuv alone", true, 30, 35}, {"filters", !filters(t), test.luma, test.chroma}} {
					luma, chroma := scaledPSNR(t, device, source, test.to, path.plain)
					t.Logf("%s, %s: luma %.1f dB, chroma %.1f dB", name, path.name, luma, chroma)
					if !path.plain || path.name == "libyuv alone" {
						require.GreaterOrEqual(t, luma, path.luma, name)
						require.GreaterOrEqual(t, chroma, path.chroma, name)
					}
				}
				source.Release()
			}
		})
	}
}

// scaledPSNR stretches source to a canvas.
func scaledPSNR(t *testing.T, device Device, source *Frame, to Size, plain bool) (luma, chroma float64) {
	t.Helper()
	layers := []Layer{{Frame: source, Dst: image.Rect(0, 0, to.Width, to.Height), Fit: Fill, Opacity: 1}}
	got, want := both(t, device, CompositorConfig{Canvas: to}, layers, plain)
	defer got.Release()
	defer want.Release()
	return psnr(got.Canvas, want.Canvas, 0), min(psnr(got.Canvas, want.Canvas, 1), psnr(got.Canvas, want.Canvas, 2))
}

// filters reports whether this machine has the vector unit that the filters need.
func filters(t *testing.T) bool {
	t.Helper()
	device := openCPU(t)
	compositor, err := device.NewCompositor(CompositorConfig{Canvas: Size{2, 2}})
	require.NoError(t, err)
	defer compositor.Close()
	return !compositor.(*cpuCompositor).plain
}

// both composes with the CPU device, plain to have libyuv scale everything, and
// with the reference.
func both(t *testing.T, device Device, config CompositorConfig, layers []Layer, plain bool) (got, want Composition) {
	t.Helper()
	compositor, err := device.NewCompositor(config)
	require.NoError(t, err)
	defer compositor.Close()
	if plain {
		compositor.(*cpuCompositor).plain = true
	}
	reference, err := NewReference(device, config)
	require.NoError(t, err)
	defer reference.Close()
	got, err = compositor.Compose(layers, RGB(40, 80, 120))
	require.NoError(t, err)
	want, err = reference.Compose(layers, RGB(40, 80, 120))
	require.NoError(t, err)
	return got, want
}

// scenes are layouts that go through every kind of operation.
func scenes(a, b *Frame) map[string][]Layer {
	whole := image.Rect(0, 0, 320, 180)
	return map[string][]Layer{
		"nothing":      {},
		"one over all": {{Frame: a, Dst: whole, Opacity: 1}, {Frame: b, Dst: whole, Opacity: 1}},
		"grid": {
			{Frame: a, Dst: image.Rect(0, 0, 160, 90), Opacity: 1}, {Frame: b, Dst: image.Rect(160, 0, 320, 90), Opacity: 1},
			{Frame: b, Dst: image.Rect(0, 90, 160, 180), Opacity: 1},
		},
		"one source twice": {
			{Frame: a, Dst: image.Rect(0, 0, 300, 170), Opacity: 1}, {Frame: a, Dst: image.Rect(48, 40, 144, 94), Opacity: 1},
		},
		"picture in picture": {
			{Frame: a, Dst: whole, Opacity: 1},
			{Frame: b, Dst: image.Rect(200, 100, 300, 160), Opacity: 0.7, Radius: 12, Border: Border{Width: 3, Color: RGB(255, 255, 255)}},
		},
		"fade":             {{Frame: a, Dst: whole, Opacity: 1}, {Frame: b, Dst: whole, Opacity: 0.31}},
		"over the edge":    {{Frame: a, Dst: image.Rect(-100, -40, 60, 50), Opacity: 1}, {Frame: b, Dst: image.Rect(250, 120, 410, 210), Opacity: 0.5, Radius: 20}},
		"outside":          {{Frame: a, Dst: image.Rect(320, 0, 480, 90), Opacity: 1}},
		"clear":            {{Frame: a, Dst: whole, Opacity: 0}},
		"crop and contain": {{Frame: a, Crop: Crop{0.25, 0.1, 0.3, 0.8}, Dst: image.Rect(20, 10, 300, 170), Fit: Contain, Opacity: 1}},
		"odd edges":        {{Frame: a, Dst: image.Rect(3, 5, 101, 77), Opacity: 1, Radius: 8}},
		"matte":            {{Frame: a, Dst: whole, Opacity: 1}, {Frame: b, Matte: a, Dst: whole, Fit: Fill, Opacity: 0.8, Radius: 9, Border: Border{Width: 4}}},
		"matte, scaled":    {{Frame: a, Dst: whole, Opacity: 1}, {Frame: b, Matte: a, Dst: image.Rect(31, 22, 131, 82), Opacity: 1}},
		"matte, cut off":   {{Frame: b, Matte: a, Crop: Crop{0.2, 0.3, 0.5, 0.6}, Dst: image.Rect(-30, 100, 80, 220), Fit: Fill, Opacity: 1}},
		"all border":       {{Frame: a, Dst: image.Rect(10, 10, 40, 40), Opacity: 1, Radius: 40, Border: Border{Width: 50, Color: RGB(255, 0, 0)}}},
	}
}

// On plain colours geometry and mixing must be the reference's exactly; rungs
// differ at edges, by the siting of chroma.
func TestScenesMatchTheReference(t *testing.T) {
	config := CompositorConfig{Canvas: Size{320, 180}, Rungs: []Size{{320, 180}, {160, 90}}}
	for _, source := range []struct {
		name   string
		size   Size
		a, b   clip
		within float64 // dB
	}{
		{"plain colours", Size{320, 180}, flat(60, 100, 200), flat(200, 140, 90), 100},
		{"clips", Size{320, 180}, texture, talk, 50},
		{"odd clips", Size{321, 177}, texture, talk, 50},
	} {
		t.Run(source.name, func(t *testing.T) {
			device := openCPU(t)
			a, b := painted(t, device, source.size, source.a, 1), painted(t, device, source.size, source.b, 2)
			defer a.Release()
			defer b.Release()
			for name, layers := range scenes(a, b) {
				got, want := both(t, device, config, layers, !filters(t))
				for p := range 3 {
					require.GreaterOrEqual(t, psnr(got.Canvas, want.Canvas, p), source.within, "%s plane %d", name, p)
					require.GreaterOrEqual(t, psnr(got.Rungs[1], want.Rungs[1], p), min(source.within, 40), "%s rung plane %d", name, p)
				}
				require.Same(t, got.Canvas, got.Rungs[0])
				got.Release()
				want.Release()
			}
		})
	}
}

// flat is one colour, which no scaler changes: what remains is geometry and mixing.
func flat(y, cb, cr uint8) clip {
	return func(f *Frame, _ int) {
		for p, value := range []uint8{y, cb, cr} {
			pixels, _ := f.Plane(p)
			for i := range pixels {
				pixels[i] = value
			}
		}
	}
}

func TestUnscaledNoiseIsExact(t *testing.T) {
	device := openCPU(t)
	a, b := painted(t, device, Size{64, 48}, noise, 1), painted(t, device, Size{40, 20}, noise, 2)
	matte := painted(t, device, Size{40, 20}, noise, 3)
	defer a.Release()
	defer b.Release()
	defer matte.Release()
	for opacity := range 256 {
		got, want := both(t, device, CompositorConfig{Canvas: Size{64, 48}}, []Layer{
			{Frame: a, Dst: image.Rect(0, 0, 64, 48), Opacity: 1},
			{Frame: b, Dst: image.Rect(14, 8, 54, 28), Opacity: float64(opacity) / 255, Radius: float64(opacity % 12), Border: Border{Width: float64(opacity % 3), Color: RGB(9, 200, 30)}},
			{Frame: b, Matte: matte, Dst: image.Rect(-6, 4, 34, 24), Opacity: float64(255-opacity) / 255},
		}, false)
		require.Zero(t, difference(got.Canvas, want.Canvas), "opacity %d", opacity)
		got.Release()
		want.Release()
	}
}

// An unchanged scene is not drawn again; a changed one is, also when memory is
// reused for another picture.
func TestUnchangedSceneIsShared(t *testing.T) {
	device := openCPU(t)
	compositor, err := device.NewCompositor(CompositorConfig{Canvas: Size{320, 180}, Rungs: []Size{{160, 90}}})
	require.NoError(t, err)
	defer compositor.Close()
	draw := func(f *Frame, opacity float64, background Color) Composition {
		composition, err := compositor.Compose([]Layer{{Frame: f, Dst: image.Rect(0, 0, 160, 90), Opacity: opacity}}, background)
		require.NoError(t, err)
		return composition
	}
	a := painted(t, device, Size{320, 180}, texture, 1)
	first, second := draw(a, 1, Black()), draw(a, 1, Black())
	require.Same(t, first.Canvas, second.Canvas)
	require.Same(t, first.Rungs[0], second.Rungs[0])
	require.NotSame(t, first.Canvas, mustRelease(draw(a, 0.5, Black())).Canvas)
	require.NotSame(t, first.Canvas, mustRelease(draw(a, 1, RGB(1, 2, 3))).Canvas)
	a.Release()
	b := painted(t, device, Size{320, 180}, talk, 1)
	third := draw(b, 1, Black())
	require.NotSame(t, first.Canvas, third.Canvas)
	require.Less(t, psnr(first.Canvas, third.Canvas, 0), 30.0)
	for _, c := range []Composition{first, second, third} {
		c.Release()
	}
	b.Release()
}

// mustRelease gives up a composition of which only the pointers are compared.
func mustRelease(c Composition) Composition {
	c.Release()
	return c
}

func TestCompositorRefuses(t *testing.T) {
	device := openCPU(t)
	for _, config := range []CompositorConfig{
		{}, {Canvas: Size{321, 180}}, {Canvas: Size{320, 180}, Rungs: []Size{{161, 90}}}, {Canvas: Size{16384, 16}},
	} {
		_, err := device.NewCompositor(config)
		require.Error(t, err)
		_, err = NewReference(device, config)
		require.Error(t, err)
	}
	compositor, err := device.NewCompositor(CompositorConfig{Canvas: Size{320, 180}})
	require.NoError(t, err)
	defer compositor.Close()
	f := painted(t, device, Size{32, 18}, texture, 0)
	defer f.Release()
	_, err = compositor.Compose([]Layer{
		{Frame: f, Dst: image.Rect(0, 0, 64, 64), Opacity: 0.5},
		{Frame: f, Dst: image.Rect(0, 0, 10000, 64), Opacity: 1},
	}, Black())
	require.Error(t, err)
	composition, err := compositor.Compose([]Layer{{Frame: f, Dst: image.Rect(0, 0, 64, 64), Opacity: 0.5}}, Black())
	require.NoError(t, err)
	composition.Release()
}

// Any crop of any picture to any place is the reference within two steps, on
// noise, and nothing beside its rectangle is touched.
func TestAnyGeometry(t *testing.T) {
	if !filters(t) {
		t.Skip("no vector unit for the filters")
	}
	rnd := rand.New(rand.NewPCG(8, 9))
	device := openCPU(t)
	even := func(n int) int { return 2 + 2*rnd.IntN(n) }
	for range 400 {
		source := painted(t, device, Size{2 + rnd.IntN(150), 2 + rnd.IntN(90)}, noise, rnd.Int())
		x, y := 2*rnd.IntN(60)-40, 2*rnd.IntN(60)-40
		layer := Layer{
			Frame: source, Dst: image.Rect(x, y, x+even(80), y+even(60)), Opacity: 1,
			Fit:  []Fit{Cover, Contain, Fill}[rnd.IntN(3)],
			Crop: Crop{rnd.Float64() / 2, rnd.Float64() / 2, 0.1 + rnd.Float64(), 0.1 + rnd.Float64()},
		}
		if rnd.IntN(4) == 0 {
			layer.Opacity, layer.Radius = 0.8, 10*rnd.Float64()
		}
		config := CompositorConfig{Canvas: Size{even(60), even(60)}, Rungs: []Size{{even(60), even(60)}}}
		if rnd.IntN(4) == 0 {
			config.Canvas, config.Rungs = Size{96, 152}, []Size{{48, 76}, {64, 100}, {32, 50}}
		}
		if resolved, ok := layer.resolve(config.Canvas); ok && !byLibyuv(resolved.Src.W, resolved.Dst.W) && !byLibyuv(resolved.Src.H, resolved.Dst.H) {
			got, want := both(t, device, config, []Layer{layer}, false)
			require.LessOrEqual(t, difference(got.Canvas, want.Canvas), 2, "%+v on %v", resolved, config)
			if !byLibyuv(config.Canvas.Width, config.Rungs[0].Width) && !byLibyuv(config.Canvas.Height, config.Rungs[0].Height) {
				require.LessOrEqual(t, difference(got.Rungs[0], want.Rungs[0]), 4, "%+v on %v", resolved, config)
			}
			got.Release()
			want.Release()
		}
		source.Release()
	}
}

// byLibyuv reports whether libyuv may scale along an axis.
func byLibyuv(from, to int) bool { return from > 7*to }

// TestRewrittenFrameIsDrawnAgain: the same memory with other contents is not
// taken for the same picture.
func TestRewrittenFrameIsDrawnAgain(t *testing.T) {
	device := openCPU(t)
	compositor, err := device.NewCompositor(CompositorConfig{Canvas: Size{64, 36}})
	require.NoError(t, err)
	defer compositor.Close()
	f, err := device.NewFrame(Size{64, 36})
	require.NoError(t, err)
	defer f.Release()
	for _, luma := range []uint8{40, 90, 200} {
		f.Rewrite()
		f.Fill(Color{luma, 128, 128})
		composition, err := compositor.Compose([]Layer{{Frame: f, Dst: image.Rect(0, 0, 64, 36), Opacity: 1}}, Black())
		require.NoError(t, err)
		pixels, _ := composition.Canvas.Plane(0)
		require.Equal(t, luma, pixels[0])
		composition.Release()
	}
	matte := painted(t, device, Size{8, 8}, noise, 1)
	defer matte.Release()
	_, err = compositor.Compose([]Layer{{Frame: f, Matte: matte, Dst: image.Rect(0, 0, 64, 36), Opacity: 1}}, Black())
	require.ErrorContains(t, err, "matte")
}
