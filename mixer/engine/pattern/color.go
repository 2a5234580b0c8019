package pattern

// Color is a BT.709 limited colour.
type Color struct{ Y, U, V byte }

// Black, White and the greys between are neutral.
var (
	Black = Color{16, 128, 128}
	White = Color{235, 128, 128}
)

// RGB is the colour of full-range red, green and blue between 0 and 1.
func RGB(r, g, b float64) Color {
	luma := 0.2126*r + 0.7152*g + 0.0722*b
	return Color{
		Y: byte(16.5 + 219*luma),
		U: byte(128.5 + 224*(b-luma)/1.8556),
		V: byte(128.5 + 224*(r-luma)/1.5748),
	}
}

// hue is a saturated colour: degree 0 is red, 120 green, 240 blue.
func hue(degree int, saturation, value float64) Color {
	f := float64(degree%360) / 60
	i := int(f)
	f -= float64(i)
	low, down, up := value*(1-saturation), value*(1-saturation*f), value*(1-saturation*(1-f))
	switch i {
	case 0:
		return RGB(value, up, low)
	case 1:
		return RGB(down, value, low)
	case 2:
		return RGB(low, value, up)
	case 3:
		return RGB(low, down, value)
	case 4:
		return RGB(up, low, value)
	}
	return RGB(value, low, down)
}
