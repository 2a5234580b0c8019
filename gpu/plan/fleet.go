package plan

import "millrace/internal/media"

// Card is what one card can carry. Rates are luma pixels a second.
type Card struct {
	Name       string
	Memory     int64 // bytes that channels may use
	EncodeRate int64 // of all its NVENC engines together; 0 has none
	DecodeRate int64 // of all its NVDEC engines together; 0 has none
	// Codecs are those that its NVENC encodes beside H.264.
	Codecs  []media.Codec
	Limited bool // its encoding sessions count against the system's limit, as a GeForce's do
}

// Fleet is a machine.
type Fleet struct {
	Cards []Card
	// Sessions is how many encoding sessions the driver allows on all limited cards
	// together.
	Sessions int
	CPU      Rates
	// Spill lets channels go to the CPU, and beyond what it is believed to do: without
	// it a channel that no card takes is refused.
	Spill bool
}

// Rates is what the CPU does, luma pixels a second.
type Rates struct {
	Encode  int64 // x264 on all cores
	Decode  int64 // on all cores
	Compose int64 // canvases and rungs on all cores
}

// CPU is the name of the place that every machine has.
const CPU = "cpu"

// use is what is taken of a card, or of the CPU.
type use struct {
	memory   int64
	encode   int64
	decode   int64
	sessions int
}

func (u *use) add(other use, sign int) {
	u.memory += int64(sign) * other.memory
	u.encode += int64(sign) * other.encode
	u.decode += int64(sign) * other.decode
	u.sessions += sign * other.sessions
}

// share is the fullest of a card's resources, 0..1.
func (c Card) share(u use) float64 {
	fullest := part(u.memory, c.Memory)
	fullest = max(fullest, part(u.encode, c.EncodeRate))
	return max(fullest, part(u.decode, c.DecodeRate))
}

func part(used, of int64) float64 {
	if of <= 0 {
		return 0
	}
	return float64(used) / float64(of)
}
