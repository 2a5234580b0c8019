package record

import (
	"context"
	"errors"
	"fmt"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// Reencoder makes access units of renditions anew. The new ones need no other
// init section than the rendition's.
type Reencoder interface {
	// Reencode gives for each passage the units [From, To), the first an IDR.
	Reencode(ctx context.Context, passages []Passage) ([][][]byte, error)
}

// Passage is a piece of a group of pictures.
type Passage struct {
	Rendition *cmaf.Rendition
	Units     [][]byte // consecutive access units, the first an IDR
	From, To  int      // of Units
	Next      []byte   // the IDR that will follow the result; nil for none
}

// Lead is how a movie begins with a frame that is no IDR.
type Lead struct {
	Chunk []byte // its first frames, encoded anew; nil where the first is an IDR
	Next  int64  // unit with which what is stored goes on
}

// Leads finds for each picture rendition how a movie of frames [first, end)
// begins, and has the frames before the next IDR encoded anew. Where frame first
// is not stored, the movie begins with the first IDR after it.
func Leads(ctx context.Context, encoder Reencoder, edge *Edge, first, end int64) (map[string]Lead, error) {
	leads := map[string]Lead{}
	var passages []Passage
	for _, r := range edge.Layout.Renditions {
		if r.Track.Codec != media.H264 {
			continue // what only cards encode is not in exact clips
		}
		k, _ := r.Grid.Segment(first)
		lead, passage, err := passageOf(edge.Listing(r.ID), k, first, end)
		if err != nil {
			return nil, fmt.Errorf("begin clip of rendition %q: %w", r.ID, err)
		}
		leads[r.ID] = lead
		if passage != nil {
			passages = append(passages, *passage)
		}
	}
	if len(passages) == 0 {
		return leads, nil
	}
	made, err := encoder.Reencode(ctx, passages)
	if err != nil {
		return nil, fmt.Errorf("begin clip: %w", err)
	}
	for i, p := range passages {
		if len(made) <= i || len(made[i]) != p.To-p.From {
			return nil, fmt.Errorf("begin clip: the re-encoder gave too few frames of rendition %q", p.Rendition.ID)
		}
		sync := make([]bool, len(made[i]))
		sync[0] = true
		chunk, err := cmaf.Piece(p.Rendition, first, made[i], sync)
		if err != nil {
			return nil, fmt.Errorf("begin clip: %w", err)
		}
		leads[p.Rendition.ID] = Lead{Chunk: chunk.Data, Next: leads[p.Rendition.ID].Next}
	}
	return leads, nil
}

// passageOf finds the group of pictures around frame first in segment k. The
// passage is nil where nothing is to be encoded.
func passageOf(l *Listing, k, first, end int64) (Lead, *Passage, error) {
	if l == nil {
		return Lead{Next: first}, nil, nil
	}
	g := l.Segment(k)
	if g == nil || g.Gap() {
		return Lead{Next: first}, nil, nil
	}
	group, err := g.groupAround(first)
	switch {
	case errors.Is(err, ErrLost):
		return Lead{Next: first}, nil, nil
	case err != nil:
		return Lead{}, nil, err
	case len(group.units) == 0 || group.start == first:
		return Lead{Next: first}, nil, nil
	}
	stop := group.start + int64(len(group.units))
	if first >= stop { // it was never written
		return Lead{Next: stop}, nil, nil
	}
	p := &Passage{Rendition: g.Rendition, Units: group.units, From: int(first - group.start), To: int(min(end, stop) - group.start)}
	if end > stop {
		p.Next = group.next
		if p.Next == nil {
			p.Next, err = firstUnit(l.Segment(k + 1))
		}
	}
	return Lead{Next: min(end, stop)}, p, err
}

// group is one group of pictures of a segment.
type group struct {
	start int64 // number of its first frame
	units [][]byte
	next  []byte // the IDR after it in the same segment
}

// groupAround reads the group that holds frame first, or the last before it.
func (g *Segment) groupAround(first int64) (group, error) {
	var found group
	for part := range g.Len() {
		if err := g.Check(part, part+1); err != nil {
			return group{}, err
		}
		units, s, err := g.units(part)
		if err != nil {
			return group{}, err
		}
		start := s.Start / g.Rendition.UnitTicks()
		for i, unit := range units {
			at := start + int64(i)
			switch {
			case s.Sync[i] && at > first && len(found.units) > 0:
				found.next = unit
				return found, nil
			case s.Sync[i]:
				found = group{start: at, units: [][]byte{unit}}
			case len(found.units) > 0:
				found.units = append(found.units, unit)
			}
		}
	}
	return found, nil
}

// units reads the access units of a part.
func (g *Segment) units(part int) ([][]byte, *cmaf.Samples, error) {
	data := make([]byte, g.Parts()[part].Bytes)
	if err := g.readPart(part, data, 0); err != nil {
		return nil, nil, err
	}
	s, err := cmaf.ReadSamples(data)
	if err != nil {
		return nil, nil, err
	}
	if int64(s.Payload)+s.Bytes(0, len(s.Sizes)) > int64(len(data)) {
		return nil, nil, cmaf.ErrChunk
	}
	units := make([][]byte, len(s.Sizes))
	at := s.Payload
	for i, size := range s.Sizes {
		units[i] = data[at : at+int(size) : at+int(size)]
		at += int(size)
	}
	return units, s, nil
}

// Picture is the segment's first access unit, where that is an IDR; nil where it
// is not.
func (g *Segment) Picture() ([]byte, error) {
	if g.Gap() || g.Len() == 0 || !g.Parts()[0].Independent {
		return nil, nil
	}
	return firstUnit(g)
}

// firstUnit is a segment's first access unit; nil where it is not stored.
func firstUnit(g *Segment) ([]byte, error) {
	if g == nil || g.Gap() || g.Check(0, 1) != nil {
		return nil, nil
	}
	units, _, err := g.units(0)
	if err != nil {
		return nil, err
	}
	return units[0], nil
}

// Excerpt is a chunk of units [from, to) of one part: what begins or ends a clip
// within it. It is nil where the part holds none of them.
func (g *Segment) Excerpt(part int, from, to int64) (*cmaf.Chunk, error) {
	if err := g.Check(part, part+1); err != nil {
		return nil, err
	}
	units, s, err := g.units(part)
	if err != nil {
		return nil, fmt.Errorf("cut part %d of segment %d: %w", part, g.Number, err)
	}
	start := s.Start / g.Rendition.UnitTicks()
	n := int64(len(units))
	i, j := min(max(from-start, 0), n), min(max(to-start, 0), n)
	if i >= j {
		return nil, nil
	}
	return cmaf.Piece(g.Rendition, start+i, units[i:j], s.Sync[i:j])
}
