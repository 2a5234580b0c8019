package gpu

import "image"

// Fit says how a picture of one shape fills a rectangle of another.
type Fit string

// The fits. An empty fit is Cover.
const (
	Cover   Fit = "cover"   // fills the rectangle, cuts what is over
	Contain Fit = "contain" // shows the whole picture, leaves the rest clear
	Fill    Fit = "fill"    // stretches
)

// Color is a BT.709 limited-range colour.
type Color struct{ Y, Cb, Cr uint8 }

// Black is 16, 128, 128.
func Black() Color { return Color{16, 128, 128} }

// RGB is the colour of an 8-bit R'G'B' triple.
func RGB(r, g, b uint8) Color {
	red, green, blue := float64(r)/255, float64(g)/255, float64(b)/255
	luma := 0.2126*red + 0.7152*green + 0.0722*blue
	return Color{
		Y:  uint8(16 + 219*luma + 0.5),
		Cb: uint8(128 + 224*(blue-luma)/1.8556 + 0.5),
		Cr: uint8(128 + 224*(red-luma)/1.5748 + 0.5),
	}
}

// Crop is a part of a picture, in fractions of it. The zero value is all of it.
type Crop struct{ X, Y, W, H float64 }

// Layer is one picture on the canvas.
type Layer struct {
	Frame *Frame // borrowed for the call
	Crop  Crop
	// Dst is where it goes, in canvas pixels. Edges are taken to the nearest even
	// pixel. It may reach beyond the canvas.
	Dst     image.Rectangle
	Fit     Fit
	Opacity float64 // 0..1; a layer with 0 is not drawn
	Radius  float64 // of the corners, canvas pixels
	Border  Border
	// Matte is what the picture covers, for text and graphics: its luma plane
	// covers luma, its Cb plane chroma, 0..255. It is of Frame's size, borrowed as
	// Frame is, and takes the place of radius and border. nil: all of it.
	Matte *Frame
}

// Border frames a layer, inside its rectangle.
type Border struct {
	Width float64 // canvas pixels, rounded to whole ones
	Color Color
}

// CompositorConfig is fixed for a compositor's life. All sizes are even.
type CompositorConfig struct {
	Canvas Size
	Rungs  []Size
}

// Composition is what one tick looks like. The receiver owns one reference to
// Canvas and one to every rung.
type Composition struct {
	Canvas *Frame
	Rungs  []*Frame // as in CompositorConfig; one of the canvas's size is the canvas
}

// Release gives up every reference.
func (c Composition) Release() {
	c.Canvas.Release()
	for _, rung := range c.Rungs {
		rung.Release()
	}
}

// Compositor draws layers. One goroutine at a time.
type Compositor interface {
	// Compose draws layers, the first one lowest, over the background and scales
	// the canvas to every rung.
	Compose(layers []Layer, background Color) (Composition, error)
	Close()
}
