package pattern

import (
	"fmt"
	"image"
	"time"

	"millrace/internal/media"
)

// Width and Height of a test picture, pixels.
const (
	Width  = 1280
	Height = 720
)

// The parts of a test picture that change from frame to frame.
var (
	bandArea  = image.Rect(0, 420, Width, 560)  // a pattern that scrolls
	laneArea  = image.Rect(0, 590, Width, 690)  // a block that goes to and fro
	digitArea = image.Rect(96, 210, 800, 378)   // frame number and time code
	flashArea = image.Rect(1140, 60, 1240, 160) // white for the first tenth of each second
	nameArea  = image.Rect(96, 60, Width-160, 160)
)

// Moving is one test source's picture: colour, direction and speed follow from
// its style. It shows the frame number and the time in digits, carries the
// machine-readable counter, and flashes with each second. Immutable.
type Moving struct {
	rate  media.Rate
	style style
	still Picture // everything that does not change
	band  Picture // two periods wide, so any offset is one copy a row
	lane  Picture // two widths minus the block, block in the middle
	paper Color
}

type style struct {
	hue   int // degrees
	band  int // pixels a frame, even; negative is to the right
	lane  int // pixels a frame, even
	shape int // of the band's pattern
}

const bandPeriod = 320 // pixels; divides nothing that matters, is even

func styleOf(pattern int) style {
	styles := []style{
		{hue: 210, band: 4, lane: 6, shape: 0},
		{hue: 28, band: -6, lane: 8, shape: 1},
		{hue: 135, band: 8, lane: 10, shape: 2},
		{hue: 300, band: -2, lane: 4, shape: 3},
	}
	turn := pattern / len(styles)
	s := styles[pattern%len(styles)]
	s.hue += 45 * turn
	return s
}

// NewMoving prepares the picture of test pattern number pattern, which is not
// negative, for frames of a rate.
func NewMoving(pattern int, name string, rate media.Rate) *Moving {
	s := styleOf(pattern)
	m := &Moving{rate: rate, style: s, paper: hue(s.hue, 0.65, 0.22)}
	m.still = NewPicture(Width, Height)
	for y := 0; y < Height; y += 2 {
		m.still.Fill(image.Rect(0, y, Width, y+2), hue(s.hue, 0.6, 0.42-0.25*float64(y)/Height))
	}
	m.still.Fill(digitArea, m.paper)
	m.still.Text(nameArea.Min, 12, name, White)
	m.still.Fill(image.Rect(0, 0, Width, Height/24), Black)
	m.band = drawBand(s)
	m.lane = drawLane(s)
	return m
}

func drawBand(s style) Picture {
	band := NewPicture(Width+bandPeriod, bandArea.Dy())
	for x := 0; x < band.Width; x += 2 {
		for y := 0; y < band.Height; y += 2 {
			u, v := x%bandPeriod, y
			color := hue(s.hue+u*40/bandPeriod, 0.8, 0.55+0.35*float64(u)/bandPeriod)
			var dark bool
			switch s.shape {
			case 0: // chevrons
				dark = (u+abs(v-70))%160 < 60
			case 1: // checkers
				dark = (u/40+v/35)%2 == 0
			case 2: // stripes that lean
				dark = (u+v)%80 < 34
			default: // rings
				dx, dy := u%160-80, v-70
				dark = (dx*dx+dy*dy)/900%2 == 0
			}
			if dark {
				color = hue(s.hue, 0.9, 0.25)
			}
			band.Fill(image.Rect(x, y, x+2, y+2), color)
		}
	}
	return band
}

const blockWidth = 120 // pixels

func drawLane(s style) Picture {
	lane := NewPicture(2*Width-blockWidth, laneArea.Dy())
	all := image.Rect(0, 0, lane.Width, lane.Height)
	lane.Fill(all, hue(s.hue, 0.7, 0.12))
	block := image.Rect(Width-blockWidth, 0, Width, lane.Height)
	lane.Fill(block, hue(s.hue+180, 0.7, 0.95))
	lane.Fill(block.Inset(20), White)
	return lane
}

// Begin paints everything that Draw leaves alone. A picture needs it once.
func (m *Moving) Begin(p Picture) {
	p.Copy(image.Rect(0, 0, Width, Height), m.still, image.Point{})
}

// Draw brings a picture of Width x Height on which Begin was called to channel
// frame n.
func (m *Moving) Draw(p Picture, n int64) {
	DrawCounter(p, n)
	p.Copy(bandArea, m.band, image.Pt(int(mod(n*int64(m.style.band), bandPeriod)), 0))
	p.Copy(laneArea, m.lane, image.Pt(m.laneOffset(n), 0))

	at := m.rate.At(n)
	flash := m.paper
	if FlashAt(at) {
		flash = White
	}
	p.Fill(flashArea, flash)

	p.Fill(digitArea, m.paper)
	p.Text(digitArea.Min.Add(image.Pt(12, 12)), 10, fmt.Sprint(n), White)
	p.Text(digitArea.Min.Add(image.Pt(12, 96)), 8, m.timecode(n), RGB(0.8, 0.9, 1))
}

// laneOffset moves the block to one side and back.
func (m *Moving) laneOffset(n int64) int {
	const travel = Width - blockWidth
	at := mod(n*int64(m.style.lane), 2*travel)
	if at > travel {
		at = 2*travel - at
	}
	return int(at) &^ 1
}

// timecode is the UTC time of day and the frame within its second.
func (m *Moving) timecode(n int64) string {
	utc := m.rate.At(n).UTC()
	begin := media.TimeOf(utc.Truncate(time.Second))
	first := m.rate.Index(begin-1) + 1
	return fmt.Sprintf("%s.%02d", utc.Format("15:04:05"), n-first)
}

// FlashAt reports whether a test source flashes at t: the first 100 ms of each
// second, as long as its beep.
func FlashAt(t media.Time) bool { return mod(int64(t), int64(time.Second)) < int64(Beep) }

// Beep is how long the flash and the beep of each second last.
const Beep = 100 * time.Millisecond

func mod(a, b int64) int64 { return ((a % b) + b) % b }

func abs(v int) int { return max(v, -v) }
