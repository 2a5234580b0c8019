package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// MovieTrack is what a Movie takes of a rendition: units [From, To), counted
// since the epoch, as far as the segments hold them. A picture track begins
// with the first of them that is an IDR.
type MovieTrack struct {
	Rendition *cmaf.Rendition
	Segments  []*Segment
	From, To  int64
	// Lead is a chunk of units before those of the segments that needs the init
	// section of the first of them (see Leads); nil for none.
	Lead []byte
}

// MoviePlan is what a Movie is made of.
type MoviePlan struct {
	Tracks []MovieTrack
	// Begin and End are what is shown of the tracks; 0 is all of it.
	Begin, End media.Time
}

// Movie is a progressive MP4 file over stored segments: its head is in memory,
// its samples stay where they are. It is immutable.
type Movie struct {
	head   []byte
	pieces []moviePiece
	size   int64
}

// moviePiece is a run of bytes of a stored part, or of a lead.
type moviePiece struct {
	at      int64 // in the file
	length  int
	segment *Segment // nil for a lead
	part    int
	offset  int64 // in the part
	data    []byte
}

// NewMovie lays out a file. It reads the head of every chunk, and leaves out
// what is damaged.
func NewMovie(ctx context.Context, plan MoviePlan) (*Movie, error) {
	tracks := plan.Tracks
	b := movieBuilder{ctx: ctx, broken: make([]bool, len(tracks))}
	b.plan.Begin, b.plan.End = plan.Begin, plan.End
	for i := range tracks {
		if err := b.lead(&tracks[i]); err != nil {
			return nil, fmt.Errorf("make movie: %w", err)
		}
	}
	if err := b.interleave(tracks); err != nil {
		return nil, fmt.Errorf("make movie: %w", err)
	}
	head, err := b.plan.Head()
	if err != nil {
		return nil, fmt.Errorf("make movie: %w", err)
	}
	m := &Movie{head: head, pieces: b.pieces, size: int64(len(head))}
	for i := range m.pieces {
		m.pieces[i].at = m.size
		m.size += int64(m.pieces[i].length)
	}
	return m, nil
}

type movieBuilder struct {
	ctx    context.Context
	plan   cmaf.Movie
	pieces []moviePiece
	broken []bool // of a track: what comes is of no use before an IDR
}

func (b *movieBuilder) lead(t *MovieTrack) error {
	if t.Lead == nil {
		return nil
	}
	s, err := cmaf.ReadSamples(t.Lead)
	if err != nil {
		return err
	}
	n, r := len(s.Sizes), t.Rendition
	if len(t.Segments) > 0 {
		r = t.Segments[0].Rendition
	}
	if err := b.plan.Add(r, r.InitName, r.Init, s, 0, n); err != nil {
		return err
	}
	length := int(s.Bytes(0, n))
	b.pieces = append(b.pieces, moviePiece{length: length, data: t.Lead[s.Payload : s.Payload+length]})
	return nil
}

// interleave takes parts in the order of their numbers, those of all tracks
// side by side, so that a player reads the file from its beginning on.
func (b *movieBuilder) interleave(tracks []MovieTrack) error {
	first, last := int64(math.MaxInt64), int64(-1)
	for _, t := range tracks {
		if n := len(t.Segments); n > 0 {
			first, last = min(first, t.Segments[0].Number), max(last, t.Segments[n-1].Number)
		}
	}
	for k := first; k <= last; k++ {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		for part, more := 0, true; more; part++ {
			more = false
			for i := range tracks {
				row := cut(tracks[i].Segments, k, k+1)
				if len(row) == 0 || part >= row[0].Len() {
					continue
				}
				more = true
				if err := b.add(i, &tracks[i], row[0], part); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *movieBuilder) add(i int, t *MovieTrack, g *Segment, part int) error {
	picture := t.Rendition.Track.Kind == media.Video
	if b.broken[i] && picture && !g.Parts()[part].Independent {
		return nil
	}
	s, err := g.samples(part)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		b.broken[i] = true
		return nil
	}
	b.broken[i] = false
	unit := s.Start / t.Rendition.UnitTicks()
	from := int(min(max(t.From-unit, 0), int64(len(s.Sizes))))
	to := int(min(max(t.To-unit, 0), int64(len(s.Sizes))))
	if from >= to {
		return nil
	}
	if err := b.plan.Add(g.Rendition, g.Rendition.InitName, g.Rendition.Init, s, from, to); err != nil {
		return err
	}
	b.pieces = append(b.pieces, moviePiece{
		length: int(s.Bytes(from, to)), segment: g, part: part, offset: int64(s.Payload) + s.Bytes(0, from),
	})
	return nil
}

// samples reads the head of a part.
func (g *Segment) samples(part int) (*cmaf.Samples, error) {
	size := g.Parts()[part].Bytes
	for n := min(1<<10, size); ; n = min(4*n, size) {
		head := make([]byte, n)
		if err := g.readPart(part, head, 0); err != nil {
			return nil, err
		}
		s, err := cmaf.ReadSamples(head)
		if errors.Is(err, cmaf.ErrShortHead) && n < size {
			continue
		}
		if err == nil && int64(s.Payload)+s.Bytes(0, len(s.Sizes)) > int64(size) {
			err = cmaf.ErrChunk
		}
		return s, err
	}
}

// Size is the file's, in bytes.
func (m *Movie) Size() int64 { return m.size }

// HeadSize is what the file takes in memory, about.
func (m *Movie) HeadSize() int64 { return int64(len(m.head)) + 80*int64(len(m.pieces)) }

// Reader reads the file. It is for one goroutine.
func (m *Movie) Reader() io.ReadSeeker { return &movieReader{movie: m} }

type movieReader struct {
	movie *Movie
	at    int64
}

// Seek implements io.Seeker.
func (r *movieReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.movie.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the file")
	}
	r.at = offset
	return offset, nil
}

// Read implements io.Reader. A part that does not read back as it was written
// ends the file with ErrLost.
func (r *movieReader) Read(p []byte) (int, error) {
	m := r.movie
	if r.at >= m.size {
		return 0, io.EOF
	}
	if r.at < int64(len(m.head)) {
		n := copy(p, m.head[r.at:])
		r.at += int64(n)
		return n, nil
	}
	i := sort.Search(len(m.pieces), func(i int) bool { return m.pieces[i].at > r.at }) - 1
	piece := &m.pieces[i]
	inside := r.at - piece.at
	p = p[:min(int64(len(p)), int64(piece.length)-inside)]
	if piece.segment == nil {
		copy(p, piece.data[inside:])
	} else {
		if err := piece.segment.Check(piece.part, piece.part+1); err != nil {
			return 0, err
		}
		if err := piece.segment.readPart(piece.part, p, piece.offset+inside); err != nil {
			return 0, err
		}
	}
	r.at += int64(len(p))
	return len(p), nil
}
