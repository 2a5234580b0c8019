package gpu

import (
	"image"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// stagehand makes random scenes: each differs from the one before in a few things.
type stagehand struct {
	t       *testing.T
	device  Device
	rnd     *rand.Rand
	canvas  Size
	sources []*Frame
	layers  []Layer
	color   Color
}

func (s *stagehand) place() image.Rectangle {
	if s.rnd.IntN(3) == 0 { // a cell of a grid
		w, h := s.canvas.Width/2&^1, s.canvas.Height/2&^1
		x, y := s.rnd.IntN(2)*w, s.rnd.IntN(2)*h
		return image.Rect(x, y, x+w, y+h)
	}
	x, y := s.rnd.IntN(s.canvas.Width+40)-20, s.rnd.IntN(s.canvas.Height+40)-20
	return image.Rect(x, y, x+2+s.rnd.IntN(s.canvas.Width/2), y+2+s.rnd.IntN(s.canvas.Height/2))
}

func (s *stagehand) layer() Layer {
	l := Layer{Frame: s.sources[s.rnd.IntN(len(s.sources))], Dst: s.place(), Opacity: 1, Fit: []Fit{Cover, Contain, Fill}[s.rnd.IntN(3)]}
	switch s.rnd.IntN(6) {
	case 0:
		l.Opacity = s.rnd.Float64()
	case 1:
		l.Radius, l.Border = 9*s.rnd.Float64(), Border{Width: float64(s.rnd.IntN(3)), Color: RGB(200, 30, 60)}
	case 2:
		l.Matte = l.Frame
	case 3:
		l.Crop = Crop{s.rnd.Float64() / 2, s.rnd.Float64() / 2, s.rnd.Float64(), s.rnd.Float64()}
	}
	return l
}

// newPicture replaces a source's picture in every layer, as the next of a moving one.
func (s *stagehand) newPicture(i int) {
	old := s.sources[i]
	if s.rnd.IntN(2) == 0 {
		old.Rewrite()
		noise(old, s.rnd.Int())
		return
	}
	old.Release()
	fresh := painted(s.t, s.device, old.Size, noise, s.rnd.Int()) // often in the same memory
	s.sources[i] = fresh
	for at := range s.layers {
		if s.layers[at].Frame == old {
			s.layers[at].Frame = fresh
		}
		if s.layers[at].Matte == old {
			s.layers[at].Matte = fresh
		}
	}
}

// change does one thing that a show does.
func (s *stagehand) change() {
	n := len(s.layers)
	switch what := s.rnd.IntN(9); {
	case what <= 2:
		s.newPicture(s.rnd.IntN(len(s.sources)))
	case what == 3 && n < 7:
		at := s.rnd.IntN(n + 1)
		s.layers = append(s.layers[:at:at], append([]Layer{s.layer()}, s.layers[at:]...)...)
	case what == 4 && n > 0:
		at := s.rnd.IntN(n)
		s.layers = append(s.layers[:at:at], s.layers[at+1:]...)
	case what == 5 && n > 1:
		a, b := s.rnd.IntN(n), s.rnd.IntN(n)
		s.layers[a], s.layers[b] = s.layers[b], s.layers[a]
	case what == 6 && n > 0:
		s.layers[s.rnd.IntN(n)].Opacity = s.rnd.Float64()
	case what == 7 && n > 0:
		s.layers[s.rnd.IntN(n)] = s.layer()
	case what == 8:
		s.color = RGB(uint8(s.rnd.IntN(2)), 0, 90)
	}
}

// TestDrawsWhatChangedOnly: whatever happens on stage, and whoever holds which
// of the pictures before, a compositor that draws only what has changed gives the
// pixels of one that has just been made.
func TestDrawsWhatChangedOnly(t *testing.T) {
	configs := []CompositorConfig{
		{Canvas: Size{160, 92}, Rungs: []Size{{160, 92}, {80, 46}, {106, 60}}},
		{Canvas: Size{128, 152}, Rungs: []Size{{64, 76}, {128, 152}, {14, 18}, {200, 190}}},
		{Canvas: Size{64, 36}},
	}
	for seed := range uint64(24) {
		device := openCPU(t)
		s := &stagehand{t: t, device: device, rnd: rand.New(rand.NewPCG(seed, 5)), color: Black()}
		config := configs[seed%3]
		s.canvas = config.Canvas
		for range 4 {
			size := Size{10 + s.rnd.IntN(150), 10 + s.rnd.IntN(100)}
			if s.rnd.IntN(3) == 0 {
				size = config.Canvas // its cells are half of it
			}
			s.sources = append(s.sources, painted(t, device, size, noise, s.rnd.Int()))
		}
		plain := seed%8 == 7
		compositor := newStageCompositor(t, device, config, plain)
		var held, whole []Composition // as they were drawn, and as they must stay
		for range 80 {
			for range s.rnd.IntN(3) {
				s.change()
			}
			got, err := compositor.Compose(s.layers, s.color)
			require.NoError(t, err)
			once := newStageCompositor(t, device, config, plain)
			want, err := once.Compose(s.layers, s.color)
			require.NoError(t, err)
			once.Close()
			held, whole = append(held, got), append(whole, want)
			for i := range held {
				requireEqualPictures(t, whole[i], held[i], seed)
			}
			for len(held) > s.rnd.IntN(5) {
				held[0].Release()
				whole[0].Release()
				held, whole = held[1:], whole[1:]
			}
		}
		for i := range held {
			held[i].Release()
			whole[i].Release()
		}
		compositor.Close()
		for _, f := range s.sources {
			f.Release()
		}
		require.Zero(t, device.Outstanding())
	}
}

func newStageCompositor(t *testing.T, device Device, config CompositorConfig, plain bool) *cpuCompositor {
	t.Helper()
	made, err := device.NewCompositor(config)
	require.NoError(t, err)
	compositor := made.(*cpuCompositor)
	compositor.plain = compositor.plain || plain
	return compositor
}

func requireEqualPictures(t *testing.T, want, got Composition, of any) {
	t.Helper()
	require.Zero(t, difference(want.Canvas, got.Canvas), of)
	for i := range want.Rungs {
		require.Zero(t, difference(want.Rungs[i], got.Rungs[i]), "rung %d of %v", i, of)
	}
}

// TestDrawsBesideWhatStays: what is drawn again of a layer, whichever way it is
// scaled, leaves alone what lies on it elsewhere.
func TestDrawsBesideWhatStays(t *testing.T) {
	config := CompositorConfig{Canvas: Size{160, 92}}
	for _, size := range []Size{{80, 46}, {160, 92}, {122, 70}, {640, 400}} { // copied, halved, filtered, by libyuv
		device := openCPU(t)
		ground, inset := painted(t, device, size, noise, 1), painted(t, device, Size{20, 20}, noise, 2)
		compositor := newStageCompositor(t, device, config, false)
		for turn := range 6 {
			changing := painted(t, device, Size{20, 20}, noise, 10+turn)
			layers := []Layer{
				{Frame: ground, Dst: image.Rect(0, 0, 80, 46), Opacity: 1},
				{Frame: inset, Dst: image.Rect(4, 4, 24, 24), Opacity: 1},
				{Frame: changing, Dst: image.Rect(40, 4, 60, 24), Opacity: 0.5},
			}
			got, err := compositor.Compose(layers, Black())
			require.NoError(t, err)
			once := newStageCompositor(t, device, config, false)
			want, err := once.Compose(layers, Black())
			require.NoError(t, err)
			requireEqualPictures(t, want, got, size)
			for _, f := range []Composition{got, want} {
				f.Release()
			}
			once.Close()
			changing.Release()
		}
		compositor.Close()
		ground.Release()
		inset.Release()
	}
}
