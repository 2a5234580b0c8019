package graphics

import (
	"cmp"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"millrace/mixer/scene"
)

const (
	defaultSize = 0.05 // of letters, in fractions of the canvas height
	leading     = 1.2  // from line to line, in letters
	maxLines    = 100
)

// Text draws text into a picture of that size for a canvas of that height,
// broken into lines where it is too wide. What does not fit below is cut off.
func (f *Fonts) Text(text string, style scene.Style, size image.Point, canvasHeight int) *image.NRGBA {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pen(style, canvasHeight)
	pad := 0
	if style.Background != "" {
		pad = int(p.size / 3)
	}
	var lines []line
	for paragraph := range strings.SplitSeq(text, "\n") {
		lines = append(lines, p.lines(paragraph, max(size.X-2*pad, 1))...)
		if len(lines) >= maxLines {
			lines = lines[:maxLines]
			break
		}
	}
	height := p.size * leading
	y := float64(size.Y)/2 - height*float64(len(lines))/2
	switch style.Vertical {
	case scene.VerticalTop:
		y = float64(pad)
	case scene.VerticalBottom:
		y = float64(size.Y-pad) - height*float64(len(lines))
	}
	ink := image.NewAlpha(image.Rectangle{Max: size})
	for i, l := range lines {
		baseline := y + height*float64(i) + p.size*0.95
		p.write(ink, l.runs, l.start(style.Align, pad, size.X), baseline)
	}
	return p.paint(ink)
}

// Strip draws text as one line of that height, as wide as it is but no wider than
// most: for a ticker.
func (f *Fonts) Strip(text string, style scene.Style, height, most, canvasHeight int) *image.NRGBA {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pen(style, canvasHeight)
	l := p.line(strings.ReplaceAll(text, "\n", "   "))
	width := min(max(2*int(math.Ceil(l.width/2)), 2), most)
	ink := image.NewAlpha(image.Rect(0, 0, width, height))
	p.write(ink, l.runs, 0, float64(height)/2+p.size*0.35)
	return p.paint(ink)
}

// pen is a style on a canvas.
type pen struct {
	faces      faces
	size       float64 // pixels
	color      color.NRGBA
	background color.NRGBA
}

func (f *Fonts) pen(style scene.Style, canvasHeight int) pen {
	p := pen{faces: faces{f, f.regular}, color: color.NRGBA{255, 255, 255, 255}}
	if style.Bold {
		p.faces.main = f.bold
	}
	p.size = min(max(cmp.Or(style.Size, defaultSize)*float64(canvasHeight), 4), 2000)
	if c, err := scene.ParseColor(style.Color); err == nil {
		p.color = c
	}
	if c, err := scene.ParseColor(style.Background); err == nil {
		p.background = c
	}
	return p
}

// line is text that stands on one line, its runs from left to right.
type line struct {
	runs  []shaping.Output
	width float64 // pixels
	right bool    // it is read from right to left
}

// start is where a line begins.
func (l line) start(align scene.Align, pad, width int) float64 {
	if align == "" && l.right {
		align = scene.AlignRight
	}
	switch align {
	case scene.AlignCenter:
		return (float64(width) - l.width) / 2
	case scene.AlignRight:
		return float64(width-pad) - l.width
	}
	return float64(pad)
}

// shape gives a paragraph's runs in the order of the text.
func (p pen) shape(text []rune) (runs []shaping.Output, direction di.Direction) {
	direction = direct(text)
	input := shaping.Input{
		Text: text, RunEnd: len(text), Direction: direction, Face: p.faces.main,
		Size: fixed.Int26_6(p.size * 64), Language: language.NewLanguage("en"),
	}
	var segmenter shaping.Segmenter
	var shaper shaping.HarfbuzzShaper
	for _, part := range segmenter.Split(input, p.faces) {
		runs = append(runs, shaper.Shape(part))
	}
	return runs, direction
}

// direct is the direction of a paragraph: that of its first letter that has one
// (UAX #9, P2).
func direct(text []rune) di.Direction {
	for _, r := range text {
		if unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko) {
			return di.DirectionRTL
		}
		if unicode.IsLetter(r) {
			break
		}
	}
	return di.DirectionLTR
}

// lines breaks a paragraph.
func (p pen) lines(paragraph string, width int) []line {
	text := []rune(paragraph)
	if len(text) == 0 {
		return []line{{}}
	}
	runs, direction := p.shape(text)
	var wrapper shaping.LineWrapper
	wrapped, _ := wrapper.WrapParagraph(shaping.WrapConfig{Direction: direction, TruncateAfterLines: maxLines}, width, text, shaping.NewSliceIterator(runs))
	lines := make([]line, 0, len(wrapped))
	for _, w := range wrapped {
		lines = append(lines, ordered(slices.Clone(w), direction))
	}
	return lines
}

// line does not break.
func (p pen) line(paragraph string) line {
	text := []rune(paragraph)
	if len(text) == 0 {
		return line{}
	}
	runs, direction := p.shape(text)
	var wrapper shaping.LineWrapper
	wrapped, _ := wrapper.WrapParagraphF(shaping.WrapConfig{Direction: direction, BreakPolicy: shaping.Never}, fixed.Int26_6(math.MaxInt32), text, shaping.NewSliceIterator(runs))
	if len(wrapped) == 0 {
		return line{}
	}
	return ordered(slices.Clone(wrapped[0]), direction)
}

// ordered is a wrapped line from left to right.
func ordered(runs []shaping.Output, direction di.Direction) line {
	slices.SortStableFunc(runs, func(a, b shaping.Output) int { return cmp.Compare(a.VisualIndex, b.VisualIndex) })
	l := line{runs: runs, right: direction == di.DirectionRTL}
	for _, run := range runs {
		l.width += float64(run.Advance) / 64
	}
	return l
}

// write draws runs from x on.
func (p pen) write(ink *image.Alpha, runs []shaping.Output, x, baseline float64) {
	for _, run := range runs {
		for _, glyph := range run.Glyphs {
			at := x + float64(glyph.XOffset)/64
			if outline, ok := run.Face.GlyphData(glyph.GlyphID).(font.GlyphOutline); ok && at < float64(ink.Rect.Max.X)+p.size {
				fill(ink, outline, float64(run.Size)/64/float64(run.Face.Upem()), at, baseline-float64(glyph.YOffset)/64)
			}
			x += float64(glyph.Advance) / 64
		}
	}
}

// fill draws an outline whose origin stands at (x, y).
func fill(ink *image.Alpha, outline font.GlyphOutline, scale, x, y float64) {
	bounds := extent(outline, scale, x, y).Intersect(ink.Rect)
	if bounds.Empty() {
		return
	}
	raster := vector.NewRasterizer(bounds.Dx(), bounds.Dy())
	point := func(p opentype.SegmentPoint) (float32, float32) {
		return float32(x + float64(p.X)*scale - float64(bounds.Min.X)), float32(y - float64(p.Y)*scale - float64(bounds.Min.Y))
	}
	for _, s := range outline.Segments {
		ax, ay := point(s.Args[0])
		bx, by := point(s.Args[1])
		switch s.Op {
		case opentype.SegmentOpMoveTo:
			raster.ClosePath()
			raster.MoveTo(ax, ay)
		case opentype.SegmentOpLineTo:
			raster.LineTo(ax, ay)
		case opentype.SegmentOpQuadTo:
			raster.QuadTo(ax, ay, bx, by)
		case opentype.SegmentOpCubeTo:
			cx, cy := point(s.Args[2])
			raster.CubeTo(ax, ay, bx, by, cx, cy)
		}
	}
	raster.ClosePath()
	raster.Draw(ink, bounds, image.Opaque, image.Point{})
}

// extent is what an outline may touch.
func extent(outline font.GlyphOutline, scale, x, y float64) image.Rectangle {
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for i := range outline.Segments {
		for _, p := range outline.Segments[i].ArgsSlice() {
			px, py := x+float64(p.X)*scale, y-float64(p.Y)*scale
			low, high = [2]float64{min(low[0], px), min(low[1], py)}, [2]float64{max(high[0], px), max(high[1], py)}
		}
	}
	if !(high[0] >= low[0] && high[0]-low[0] < 1e5 && high[1]-low[1] < 1e5 && math.Abs(low[0]) < 1e7 && math.Abs(low[1]) < 1e7) {
		return image.Rectangle{}
	}
	return image.Rect(int(math.Floor(low[0])), int(math.Floor(low[1])), int(math.Ceil(high[0]))+1, int(math.Ceil(high[1]))+1)
}

// paint colours the ink over the background.
func (p pen) paint(ink *image.Alpha) *image.NRGBA {
	out := image.NewNRGBA(ink.Rect)
	var blend [256]color.NRGBA
	for c := range blend {
		blend[c] = over(p.color, p.background, c)
	}
	for i, c := range ink.Pix {
		b := blend[c]
		out.Pix[4*i], out.Pix[4*i+1], out.Pix[4*i+2], out.Pix[4*i+3] = b.R, b.G, b.B, b.A
	}
	return out
}

// over is a colour with a coverage over another, not premultiplied.
func over(top, under color.NRGBA, cover int) color.NRGBA {
	a := float64(top.A) * float64(cover) / 255 / 255
	b := float64(under.A) / 255 * (1 - a)
	sum := a + b
	if sum == 0 {
		return color.NRGBA{top.R, top.G, top.B, 0} // its colour goes on, so that edges keep theirs when scaled
	}
	mix := func(x, y uint8) uint8 { return uint8((float64(x)*a+float64(y)*b)/sum + 0.5) }
	return color.NRGBA{mix(top.R, under.R), mix(top.G, under.G), mix(top.B, under.B), uint8(255*sum + 0.5)}
}
