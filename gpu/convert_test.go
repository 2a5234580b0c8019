package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

// stripes are the colours that every input format must come out as.
func stripes() [][3]uint8 {
	return [][3]uint8{{255, 0, 0}, {0, 200, 40}, {20, 40, 240}, {230, 230, 10}, {128, 128, 128}, {255, 255, 255}}
}

// stripedFile is a raw picture of upright stripes.
func stripedFile(t *testing.T, size Size) string {
	t.Helper()
	colors := stripes()
	rgb := make([]byte, 0, 3*size.Width*size.Height)
	for range size.Height {
		for x := range size.Width {
			c := colors[x*len(colors)/size.Width]
			rgb = append(rgb, c[:]...)
		}
	}
	path := filepath.Join(t.TempDir(), "stripes.rgb")
	require.NoError(t, os.WriteFile(path, rgb, 0o600))
	return path
}

// Whatever matrix, range and sampling a stream has, its colours come out as
// BT.709 limited 4:2:0.
func TestColoursSurvive(t *testing.T) {
	sd, hd := Size{384, 96}, Size{1280, 96}
	const x264 = "-c:v libx264 -qp 0 -x264-params "
	for _, test := range []struct {
		name   string
		size   Size
		filter string // of ffmpeg's scale: what the coded values are
		encode string
		same   bool // needs no conversion
	}{
		{"BT.709 limited", sd, "out_color_matrix=bt709,format=yuv420p", x264 + "colormatrix=bt709", true},
		{"untagged HD", hd, "out_color_matrix=bt709,format=yuv420p", x264 + "keyint=1", true},
		{"untagged SD", sd, "out_color_matrix=bt601,format=yuv420p", x264 + "keyint=1", false},
		{"BT.601 limited HD", hd, "out_color_matrix=bt601,format=yuv420p", x264 + "colormatrix=smpte170m", false},
		{"BT.709 full", sd, "out_color_matrix=bt709:out_range=full,format=yuv420p", "-color_range pc " + x264 + "colormatrix=bt709", false},
		{"BT.601 full", sd, "out_color_matrix=bt601:out_range=full,format=yuv420p", "-color_range pc " + x264 + "colormatrix=bt470bg", false},
		{"BT.2020", hd, "out_color_matrix=bt2020,format=yuv420p", x264 + "colormatrix=bt2020nc", false},
		{"4:2:2", sd, "out_color_matrix=bt709,format=yuv422p", x264 + "colormatrix=bt709", false},
		{"4:4:4 full BT.601", sd, "out_color_matrix=bt601:out_range=full,format=yuv444p", "-color_range pc " + x264 + "colormatrix=smpte170m", false},
		{"10 bits", hd, "out_color_matrix=bt709,format=yuv420p10le", x264 + "colormatrix=bt709", false},
		{"4:2:2 10 bits BT.601", sd, "out_color_matrix=bt601,format=yuv422p10le", x264 + "colormatrix=smpte170m", false},
		{"4:2:2 interlaced", sd, "out_color_matrix=bt709,format=yuv422p", x264 + "colormatrix=bt709:interlaced=1", false},
		{"interlaced", sd, "out_color_matrix=bt709,format=yuv420p", x264 + "colormatrix=bt709:interlaced=1", false},
		{"RGB", sd, "interl=0,format=bgr24", "-c:v libx264rgb -qp 0", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			arguments := fmt.Sprintf("-f rawvideo -pix_fmt rgb24 -video_size %v -i %s -vf scale=%s %s", test.size, stripedFile(t, test.size), test.filter, test.encode)
			packets := encoded(t, media.H264, "mp4", strings.Fields(arguments)...)
			device := openCPU(t)
			decoder := newDecoder(t, device, packets[0].Track)
			shown := 0
			show := func(f *Frame) {
				shown++
				_, copied := f.body.(hostMemory)
				require.Equal(t, test.same, !copied)
				requireStripes(t, f)
				f.Release()
			}
			require.NoError(t, decoder.Decode(packets[0], show))
			decoder.Drain(show)
			require.Equal(t, 1, shown)
		})
	}
}

func requireStripes(t *testing.T, f *Frame) {
	t.Helper()
	for i, c := range stripes() {
		want := RGB(c[0], c[1], c[2])
		x := (2*i + 1) * f.Size.Width / (2 * len(stripes()))
		for p, value := range []uint8{want.Y, want.Cb, want.Cr} {
			pixels, stride := f.Plane(p)
			column, height := x, f.Size.Height
			if p > 0 {
				column, height = x/2, height/2
			}
			for y := range height {
				require.InDelta(t, value, pixels[y*stride+column], 2.01, "colour %v plane %d line %d", c, p, y)
			}
		}
	}
}

// A moving bar in two fields: no line of the other field may be left.
func TestInterlacedLosesItsComb(t *testing.T) {
	for _, order := range []string{"tff", "bff"} {
		mode := "interleave_top"
		if order == "bff" {
			mode = "interleave_bottom"
		}
		packets := encoded(t, media.H264, "mp4", "-f", "lavfi", "-i",
			"color=gray:size=320x180:rate=50:duration=1,drawbox=x=0:y=0:w=40:h=180:color=white:t=fill,scroll=horizontal=0.1",
			"-vf", "tinterlace="+mode, "-c:v", "libx264", "-qp", "10", "-flags", "+ilme+ildct", "-x264-params", order+"=1")
		device := openCPU(t)
		decoder := newDecoder(t, device, packets[0].Track)
		frames := 0
		show := func(f *Frame) {
			frames++
			require.Less(t, comb(f), 3.0, "%s frame %d", order, frames)
			f.Release()
		}
		for _, packet := range packets {
			require.NoError(t, decoder.Decode(packet, show))
		}
		decoder.Drain(show)
		require.Equal(t, len(packets), frames)
	}
}

// comb is how far a line stands out from the mean of its neighbours, on average.
func comb(f *Frame) float64 {
	pixels, stride := f.Plane(0)
	sum := 0
	for y := 1; y < f.Size.Height-1; y++ {
		for x := range f.Size.Width {
			d := 2*int(pixels[y*stride+x]) - int(pixels[(y-1)*stride+x]) - int(pixels[(y+1)*stride+x])
			sum += max(d, -d)
		}
	}
	return float64(sum) / 2 / float64(f.Size.Width*f.Size.Height)
}
