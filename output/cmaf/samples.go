package cmaf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// Samples is what the boxes of a stored chunk say of its access units.
type Samples struct {
	Start    int64    // decode time of the first, in the rendition's timescale
	Duration uint32   // of each, likewise
	Sizes    []uint32 // bytes
	Sync     []bool
	Payload  int // offset of the first in the chunk; the others follow without a hole
}

// Bytes is the length of samples [from, to).
func (s *Samples) Bytes(from, to int) (sum int64) {
	for _, size := range s.Sizes[from:to] {
		sum += int64(size)
	}
	return sum
}

// Errors of ReadSamples.
var (
	// ErrShortHead says that the bytes given end before the samples begin.
	ErrShortHead = errors.New("chunk head is cut off")
	ErrChunk     = errors.New("not a chunk")
)

// ReadSamples reads the head of a chunk up to its mdat: styp, prft, moof.
func ReadSamples(head []byte) (*Samples, error) {
	var moof *mp4.MoofBox
	for at := 0; ; {
		if len(head)-at < boxHeaderBytes {
			return nil, ErrShortHead
		}
		size, kind := int(binary.BigEndian.Uint32(head[at:])), string(head[at+4:at+8])
		switch {
		case kind == "mdat" && moof != nil:
			return samplesOf(moof, at+boxHeaderBytes)
		case size < boxHeaderBytes || kind == "mdat":
			return nil, fmt.Errorf("%w: box %q of %d bytes", ErrChunk, kind, size)
		case size > len(head)-at:
			return nil, ErrShortHead
		case kind == "moof":
			box, err := mp4.DecodeBoxSR(0, bits.NewFixedSliceReader(head[at:at+size]))
			if err != nil {
				return nil, fmt.Errorf("%w: read moof: %w", ErrChunk, err)
			}
			moof = box.(*mp4.MoofBox)
		}
		at += size
	}
}

func samplesOf(moof *mp4.MoofBox, payload int) (*Samples, error) {
	traf := moof.Traf
	if traf == nil || traf.Tfhd == nil || traf.Tfdt == nil || len(traf.Truns) != 1 || traf.Trun.SampleCount() == 0 {
		return nil, fmt.Errorf("%w: moof without one run of samples", ErrChunk)
	}
	traf.Trun.AddSampleDefaultValues(traf.Tfhd, nil)
	all := traf.Trun.Samples
	s := &Samples{
		Start: int64(traf.Tfdt.BaseMediaDecodeTime()), Duration: all[0].Dur, Payload: payload,
		Sizes: make([]uint32, len(all)), Sync: make([]bool, len(all)),
	}
	for i, sample := range all {
		if sample.Dur != s.Duration || sample.CompositionTimeOffset != 0 {
			return nil, fmt.Errorf("%w: samples of different durations, or shown in another order", ErrChunk)
		}
		s.Sizes[i], s.Sync[i] = sample.Size, sample.IsSync()
	}
	return s, nil
}
