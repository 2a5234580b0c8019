package scene

import (
	"encoding/hex"
	"fmt"
	"image/color"
	"strings"
)

// ParseColor reads "#rgb", "#rrggbb" or "#rrggbbaa" (sRGB, alpha not
// premultiplied).
func ParseColor(s string) (color.NRGBA, error) {
	digits, ok := strings.CutPrefix(s, "#")
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	if len(digits) == 6 {
		digits += "ff"
	}
	value, err := hex.DecodeString(digits)
	if !ok || err != nil || len(value) != 4 {
		return color.NRGBA{}, fmt.Errorf("%.20q is not a colour like #rrggbb", s)
	}
	return color.NRGBA{R: value[0], G: value[1], B: value[2], A: value[3]}, nil
}
