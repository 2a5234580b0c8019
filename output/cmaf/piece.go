package cmaf

import (
	"fmt"

	"millrace/internal/media"
)

// Piece makes a chunk of consecutive access units of a rendition, the first
// being unit first: what begins or ends a clip within a stored part. sync says
// of each whether it is an IDR; of sound, all are.
func Piece(r *Rendition, first int64, units [][]byte, sync []bool) (*Chunk, error) {
	if len(units) == 0 || len(units) != len(sync) {
		return nil, fmt.Errorf("write chunk of rendition %q: %w: %d units", r.ID, ErrChunk, len(units))
	}
	samples := make([]*media.Packet, len(units))
	for i, unit := range units {
		samples[i] = &media.Packet{Track: r.Track, Key: sync[i], Data: unit}
	}
	k, part := r.Locate(first)
	start := first * r.UnitTicks()
	sequence := uint32(k*int64(r.Grid.Parts()) + int64(part) + 1)
	data, _, err := newChunkWriter(r).write(position{segment: true}, sequence, start, samples)
	if err != nil {
		return nil, fmt.Errorf("write chunk of rendition %q: %w", r.ID, err)
	}
	return &Chunk{
		Rendition: r.ID, Segment: k, Part: part, Timescale: r.Timescale(), Start: start,
		Duration: int64(len(units)) * r.UnitTicks(), Time: r.Time(start), Independent: independent(samples[0]), Data: data,
	}, nil
}

// Bitrate is the encoder's target that the rendition was made with, bits per second.
func (r *Rendition) Bitrate() int { return r.AverageBandwidth - r.overhead() }
