package latency

import (
	"slices"

	"millrace/gpu"
	"millrace/mixer/engine/pattern"
)

// spread is a list of durations in ms.
type spread []float64

// at is the value that so many percent do not exceed; 0 without any.
func (s spread) at(percent int) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[(len(sorted)*percent+99)/100-1]
}

// picture is a frame of host memory as something to draw on or read from.
func picture(f *gpu.Frame) pattern.Picture {
	p := pattern.Picture{Width: f.Size.Width, Height: f.Size.Height}
	p.Y, p.YStride = f.Plane(0)
	p.U, p.CStride = f.Plane(1)
	p.V, _ = f.Plane(2)
	return p
}
