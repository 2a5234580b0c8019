package gpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// openCPU gives a device and checks at the end that every frame came back.
func openCPU(t testing.TB) Device {
	t.Helper()
	device, err := Open("cpu")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Zero(t, device.Outstanding(), "frames outstanding")
		device.Close()
	})
	return device
}

// clip paints frame n of a seeded clip.
type clip func(f *Frame, n int)

// clips are the pictures that PSNR is stated on.
func clips() map[string]clip {
	return map[string]clip{"texture": texture, "talk": talk}
}

// texture is a moving pattern with edges at many angles, and grain.
func texture(f *Frame, n int) {
	rnd := rand.New(rand.NewPCG(uint64(n), 7))
	paint(f, func(p int, x, y float64) float64 {
		x += float64(n) * 3
		switch p {
		case 1:
			return 128 + 60*math.Sin(x/37)*math.Cos(y/53)
		case 2:
			return 128 + 60*math.Sin(x/61+y/29)
		}
		v := 120 + 50*math.Sin(x/11+y/17) + 30*math.Sin((x*x+y*y)/9000)
		if math.Mod(x/64+y/96, 2) < 1 {
			v -= 40
		}
		return v + 12*(rnd.Float64()-0.5)
	})
}

// talk is a soft oval before a still background with a burned-in ruler.
func talk(f *Frame, n int) {
	w, h := float64(f.Size.Width), float64(f.Size.Height)
	paint(f, func(p int, x, y float64) float64 {
		dx, dy := (x-w/2-4*math.Sin(float64(n)/5))/(w/5), (y-h/2)/(h/3)
		head := 1 / (1 + math.Exp(12*(dx*dx+dy*dy-1)))
		switch p {
		case 1:
			return 128 - 14*head + 6*math.Sin(x/200)
		case 2:
			return 128 + 22*head
		}
		v := 70 + 30*math.Sin(x/180)*math.Sin(y/140) + 80*head
		if y > h*0.9 && math.Mod(x, 16) < 2 {
			v = 235
		}
		return v
	})
}

// paint sets every sample from its position in luma pixels.
func paint(f *Frame, value func(p int, x, y float64) float64) {
	for p := range 3 {
		pixels, stride := f.Plane(p)
		size, step := f.Size, 1.0
		if p > 0 {
			size, step = size.Chroma(), 2
		}
		for y := range size.Height {
			for x := range size.Width {
				v := value(p, float64(x)*step, float64(y)*step)
				pixels[y*stride+x] = uint8(min(max(v+0.5, 16), 240))
			}
		}
	}
}

// painted gives frame n of a clip; the caller releases it.
func painted(t testing.TB, device Device, size Size, clip clip, n int) *Frame {
	t.Helper()
	f, err := device.NewFrame(size)
	require.NoError(t, err)
	clip(f, n)
	return f
}

// noise is every value at random: for what must be exact.
func noise(f *Frame, n int) {
	rnd := rand.New(rand.NewPCG(uint64(n), 11))
	for p := range 3 {
		pixels, _ := f.Plane(p)
		for i := range pixels {
			pixels[i] = uint8(rnd.Uint32())
		}
	}
}

// psnr compares plane p of two frames of one size, in dB; 100 for equal ones.
func psnr(a, b *Frame, p int) float64 {
	size := a.Size
	if p > 0 {
		size = size.Chroma()
	}
	left, leftStride := a.Plane(p)
	right, rightStride := b.Plane(p)
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
	return 10 * math.Log10(255*255*float64(size.Width*size.Height)/float64(sum))
}

// difference is the largest one between two frames' samples.
func difference(a, b *Frame) int {
	most := 0
	for p := range 3 {
		size := a.Size
		if p > 0 {
			size = size.Chroma()
		}
		left, leftStride := a.Plane(p)
		right, rightStride := b.Plane(p)
		for y := range size.Height {
			for x := range size.Width {
				d := int(left[y*leftStride+x]) - int(right[y*rightStride+x])
				most = max(most, d, -d)
			}
		}
	}
	return most
}
