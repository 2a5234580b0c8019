package mpegts

import (
	"bytes"
	"encoding/binary"
	"slices"

	"millrace/internal/media"
)

const (
	setsLimit = 16   // parameter sets of one kind that a stream may use at a time
	setSize   = 4096 // bytes; a larger one is taken for damage
)

// parameterSets are the sets of one kind in force, by their ids.
type parameterSets []parameterSet

type parameterSet struct {
	id   uint
	data []byte
}

// put reports whether the set is another than the one in force.
func (s *parameterSets) put(id uint, nal []byte) (changed bool) {
	if len(nal) > setSize {
		return false
	}
	for i := range *s {
		if (*s)[i].id == id {
			changed = !bytes.Equal((*s)[i].data, nal)
			if changed {
				(*s)[i].data = bytes.Clone(nal)
			}
			return changed
		}
	}
	if len(*s) == setsLimit {
		*s = slices.Delete(*s, 0, 1)
	}
	*s = append(*s, parameterSet{id, bytes.Clone(nal)})
	return true
}

// appendTo writes each set behind its 16-bit length.
func (s parameterSets) appendTo(out []byte) []byte {
	for _, set := range s {
		out = binary.BigEndian.AppendUint16(out, uint16(len(set.data)))
		out = append(out, set.data...)
	}
	return out
}

// exact is num/den as a rate, zero where that is none.
func exact(num, den uint64) media.Rate {
	if num == 0 || den == 0 {
		return media.Rate{}
	}
	a, b := num, den
	for b != 0 {
		a, b = b, a%b
	}
	rate := media.Rate{Num: int64(num / a), Den: int64(den / a)}
	if rate.Num < rate.Den || rate.Num > 240*rate.Den {
		return media.Rate{}
	}
	return rate
}

// plausible guards against sizes that only damage can name.
func plausible(width, height int) bool {
	return width >= 16 && height >= 16 && width <= 16384 && height <= 16384
}
