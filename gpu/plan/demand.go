package plan

import (
	"slices"

	"millrace/internal/media"
)

// Demand is what a channel needs. A rung is one encoding session.
type Demand struct {
	Channel string
	Canvas  Picture
	Rungs   []Rung // the program's first: that one is reserved first and never given up
	Inputs  []Picture
}

// Picture is a stream of pictures.
type Picture struct {
	Width, Height int
	PerSecond     float64
}

// Rung is one rendition of the ladder.
type Rung struct {
	ID    string
	Codec media.Codec // empty is H.264
	Picture
}

// CardsOnly says that the CPU has no encoder for a rung.
func (r Rung) CardsOnly() bool { return r.Codec != "" && r.Codec != media.H264 }

// Everywhere is the demand without the rungs that only cards encode.
func (d Demand) Everywhere() Demand {
	d.Rungs = slices.DeleteFunc(slices.Clone(d.Rungs), Rung.CardsOnly)
	return d
}

// cardsOnly are the rungs that only cards encode.
func (d Demand) cardsOnly() (ids []string) {
	for _, rung := range d.Rungs {
		if rung.CardsOnly() {
			ids = append(ids, rung.ID)
		}
	}
	return ids
}

// rate is in luma pixels a second.
func (p Picture) rate() int64 { return int64(float64(p.Width*p.Height) * p.PerSecond) }

// bytes is one picture as 8-bit 4:2:0.
func (p Picture) bytes() int64 { return int64(p.Width) * int64(p.Height) * 3 / 2 }

// Pictures that a channel has on a card at most: of each input those decoded ahead
// and those that NVDEC keeps for reference, of each output those that wait for its
// encoder; and what the driver takes for a context and its encoders.
const (
	inputPictures  = 24
	outputPictures = 12
	contextBytes   = 300 << 20
	sessionBytes   = 40 << 20
)

// memory is what a channel takes of a card with that many encoding sessions on it.
func (d Demand) memory(sessions int) int64 {
	total := int64(contextBytes) + int64(sessions)*sessionBytes + outputPictures*d.Canvas.bytes()
	for _, rung := range d.Rungs {
		total += outputPictures * rung.bytes()
	}
	for _, input := range d.Inputs {
		total += inputPictures * input.bytes()
	}
	return total
}

func (d Demand) decodeRate() (total int64) {
	for _, input := range d.Inputs {
		total += input.rate()
	}
	return total
}

func (d Demand) encodeRate() (total int64) {
	for _, rung := range d.Rungs {
		total += rung.rate()
	}
	return total
}
