// Package graphics draws text and scales pictures in pure Go: any script, mixed
// directions, with fonts that stand in for what the bundled one lacks.
package graphics

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"sync"

	"github.com/go-text/typesetting/font"
)

//go:embed fonts/DejaVuSans.ttf
var regular []byte

//go:embed fonts/DejaVuSans-Bold.ttf
var bold []byte

// fallbacks are the machine's fonts that are asked for a character that the
// bundled one lacks, in this order; those that are not installed are left out.
func fallbacks() []string {
	return []string{
		"/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
		"/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
		"/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
		"/usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf",
		"/usr/share/fonts/truetype/noto/NotoSansBengali-Regular.ttf",
		"/usr/share/fonts/truetype/noto/NotoSansTamil-Regular.ttf",
		"/usr/share/fonts/truetype/noto/NotoSansThai-Regular.ttf",
		"/usr/share/fonts/truetype/freefont/FreeSans.ttf",
	}
}

const maxFont = 64 << 20 // bytes of a file

// Fonts are what text is drawn with. Safe for concurrent use: one text is drawn
// at a time.
type Fonts struct {
	mu            sync.Mutex
	regular, bold *font.Face
	others        []*font.Face // nil until one was needed
	looked        bool         // for others
}

// NewFonts reads the bundled fonts.
func NewFonts() (*Fonts, error) {
	f := &Fonts{}
	for _, of := range []struct {
		face **font.Face
		file []byte
	}{{&f.regular, regular}, {&f.bold, bold}} {
		face, err := font.ParseTTF(bytes.NewReader(of.file))
		if err != nil {
			return nil, fmt.Errorf("read bundled font: %w", err)
		}
		*of.face = face
	}
	return f, nil
}

// faces is shaping's Fontmap for one weight.
type faces struct {
	fonts *Fonts
	main  *font.Face
}

// ResolveFace gives the first font that has a character; none has it, and the
// bundled one shows its sign for that.
func (f faces) ResolveFace(r rune) *font.Face {
	if _, ok := f.main.NominalGlyph(r); ok {
		return f.main
	}
	for _, other := range f.fonts.rest() {
		if _, ok := other.NominalGlyph(r); ok {
			return other
		}
	}
	return f.main
}

// rest are the machine's fonts, read when the first is needed.
func (f *Fonts) rest() []*font.Face {
	if f.looked {
		return f.others
	}
	f.looked = true
	for _, path := range fallbacks() {
		if face := read(path); face != nil {
			f.others = append(f.others, face)
		}
	}
	return f.others
}

// read gives a font file's first face; nil for one that is no use.
func read(path string) *font.Face {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxFont {
		return nil
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	all, err := font.ParseTTC(bytes.NewReader(file))
	if err != nil || len(all) == 0 {
		return nil
	}
	return all[0]
}
