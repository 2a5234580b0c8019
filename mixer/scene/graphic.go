package scene

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Kind says what a layer or an overlay shows.
type Kind string

// The kinds. An empty kind is KindSource.
const (
	KindSource Kind = "source" // of layers only
	KindText   Kind = "text"
	KindImage  Kind = "image"
	KindClock  Kind = "clock"
	KindTicker Kind = "ticker" // of overlays only
)

// Graphic is what the mixer draws by itself, once for each change. Immutable.
type Graphic struct {
	Kind  Kind    `json:"kind,omitempty"`
	Text  string  `json:"text,omitempty"`  // of a text or ticker; of a clock its form as Go's time.Format reads it, "15:04:05" when empty
	Asset string  `json:"asset,omitempty"` // of an image
	Zone  string  `json:"zone,omitempty"`  // of a clock, IANA; UTC when empty
	Speed float64 `json:"speed,omitempty"` // of a ticker, canvas widths a second; 0.1 when 0
	Style Style   `json:"style,omitzero"`  // of text
}

// Align is where lines of text stand across their rectangle.
type Align string

// The alignments. An empty one is where the text's own direction begins.
const (
	AlignLeft   Align = "left"
	AlignCenter Align = "center"
	AlignRight  Align = "right"
)

// Vertical is where text stands between top and bottom of its rectangle.
type Vertical string

// The vertical alignments. An empty one is VerticalMiddle.
const (
	VerticalTop    Vertical = "top"
	VerticalMiddle Vertical = "middle"
	VerticalBottom Vertical = "bottom"
)

// Style is how text looks.
type Style struct {
	Size       float64  `json:"size,omitempty"`  // of the letters, in fractions of the canvas height; 0.05 when 0
	Color      string   `json:"color,omitempty"` // as ParseColor reads it; white when empty
	Background string   `json:"background,omitempty"`
	Align      Align    `json:"align,omitempty"`
	Vertical   Vertical `json:"vertical,omitempty"`
	Bold       bool     `json:"bold,omitempty"`
}

// MaxText is how long a text may be, in bytes.
const MaxText = 2000

// drawn reports whether the mixer draws it, as opposed to a source.
func (g Graphic) drawn() bool { return g.Kind != "" && g.Kind != KindSource }

// Drawn reports whether the mixer draws the placement by itself.
func (p Placement) Drawn() bool { return p.drawn() }

func (v *validation) graphic(at string, g Graphic) {
	switch g.Kind {
	case KindText, KindTicker:
		v.check(strings.TrimSpace(g.Text) != "", at+"/text", "must not be empty")
	case KindImage:
		v.check(g.Asset != "" && len(g.Asset) <= 64, at+"/asset", "must name an asset")
	case KindClock:
		_, err := time.LoadLocation(g.Zone)
		v.check(err == nil && len(g.Zone) <= 64, at+"/zone", "must be an IANA time zone like Europe/Berlin")
	default:
		v.add(at+"/kind", "must be text, image, clock or ticker")
	}
	v.check(len(g.Text) <= MaxText && utf8.ValidString(g.Text) && !strings.ContainsFunc(g.Text, control), at+"/text",
		"must be at most %d bytes of text without control characters", MaxText)
	v.fraction(at+"/speed", g.Speed, 2)
	v.fraction(at+"/style/size", g.Style.Size, 1)
	for _, colour := range [][2]string{{"/style/color", g.Style.Color}, {"/style/background", g.Style.Background}} {
		if colour[1] != "" {
			_, err := ParseColor(colour[1])
			v.check(err == nil, at+colour[0], "must be a colour like #rrggbb or #rrggbbaa")
		}
	}
	switch g.Style.Align {
	case "", AlignLeft, AlignCenter, AlignRight:
	default:
		v.add(at+"/style/align", "must be left, center or right")
	}
	switch g.Style.Vertical {
	case "", VerticalTop, VerticalMiddle, VerticalBottom:
	default:
		v.add(at+"/style/vertical", "must be top, middle or bottom")
	}
}

// control characters but the line's end.
func control(r rune) bool { return r != '\n' && unprintable(r) }

func unprintable(r rune) bool { return r < ' ' || r == 0x7f }
