package graphics

import (
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/mixer/scene"
)

var update = flag.Bool("update", false, "write the golden images again")

func fonts(t testing.TB) *Fonts {
	f, err := NewFonts()
	require.NoError(t, err)
	f.looked = true // the machine's fonts would make the pictures differ
	return f
}

// TestGoldenText: scripts, directions, alignment, wrapping and background, as
// the bundled font draws them.
func TestGoldenText(t *testing.T) {
	f := fonts(t)
	const width, height = 480, 100
	texts := []struct {
		text  string
		style scene.Style
	}{
		{"Breaking: Ærøskøbing, Ελλάδα, Київ", scene.Style{Size: 0.08}},
		{"مرحبا بالعالم 2026 Millrace", scene.Style{Size: 0.08, Background: "#102030c0"}},
		{"שלום עולם (Live) 12:30", scene.Style{Size: 0.08, Color: "#ffcc00"}},
		{"He said \"مرحبا\" and left", scene.Style{Size: 0.07, Align: scene.AlignCenter, Bold: true}},
		{"A text that is too long for one line is broken where words end, and what does not fit is cut off below", scene.Style{Size: 0.06, Vertical: scene.VerticalTop}},
		{"right\nbelow", scene.Style{Size: 0.06, Align: scene.AlignRight, Vertical: scene.VerticalBottom, Color: "#80ff80a0"}},
		{"no glyph: \U0001F9FF 漢字", scene.Style{Size: 0.08}},
	}
	sheet := image.NewRGBA(image.Rect(0, 0, width, height*(len(texts)+1)))
	draw.Draw(sheet, sheet.Rect, image.NewUniform(color.RGBA{60, 70, 90, 255}), image.Point{}, draw.Src)
	put := func(i int, picture image.Image) {
		draw.Draw(sheet, image.Rect(0, i*height, width, (i+1)*height-2), picture, image.Point{}, draw.Over)
	}
	for i, line := range texts {
		put(i, f.Text(line.text, line.style, image.Pt(width, height-2), 480))
	}
	put(len(texts), f.Strip("a ticker is one line, however long it is +++ ", scene.Style{Size: 0.08, Background: "#800000"}, 60, 4000, 480))
	golden(t, "text.png", sheet)
}

// golden compares with testdata, or writes it.
func golden(t *testing.T, name string, got *image.RGBA) {
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		file, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, png.Encode(file, got))
		require.NoError(t, file.Close())
	}
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	want, err := png.Decode(file)
	require.NoError(t, err)
	require.Equal(t, want.Bounds(), got.Bounds())
	far := 0
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			a, b := color.RGBAModel.Convert(want.At(x, y)).(color.RGBA), got.RGBAAt(x, y)
			if max(absDiff(a.R, b.R), absDiff(a.G, b.G), absDiff(a.B, b.B)) > 3 { // float differs from machine to machine
				far++
			}
		}
	}
	require.Less(t, far, 20, "%s differs; look at it after go test -run Golden -update", name)
}

func absDiff(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

// TestOddText: nothing that a text may hold makes drawing fail or take long.
func TestOddText(t *testing.T) {
	f := fonts(t)
	for _, text := range []string{
		"", "\n\n\n", strings.Repeat("\u0301", 500), strings.Repeat("a", 2000), strings.Repeat("\u202e\u2067", 300) + "x",
		"\ufffd\u200d\u200b\ufeff", strings.Repeat("م", 1000), strings.Repeat("\n", 1999), "🧿👨‍👩‍👧",
	} {
		for _, style := range []scene.Style{{}, {Size: 1}, {Size: 0.001, Background: "#fff"}} {
			begin := time.Now()
			require.Equal(t, image.Pt(320, 40), f.Text(text, style, image.Pt(320, 40), 720).Rect.Size())
			require.LessOrEqual(t, f.Strip(text, style, 40, 8192, 720).Rect.Dx(), 8192)
			require.Less(t, time.Since(begin), 20*time.Second)
		}
	}
}

func FuzzText(f *testing.F) {
	all := fonts(f)
	f.Add("Breaking مرحبا 漢字", 0.05)
	f.Fuzz(func(t *testing.T, text string, size float64) {
		if !(size >= 0 && size <= 1) || len(text) > scene.MaxText {
			return
		}
		all.Text(text, scene.Style{Size: size}, image.Pt(64, 32), 360)
	})
}

func BenchmarkText(b *testing.B) {
	f := fonts(b)
	for b.Loop() {
		f.Text("Lower third with a name\nand what he does", scene.Style{Background: "#000000a0"}, image.Pt(640, 140), 720)
	}
}
