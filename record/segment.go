package record

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"

	"millrace/output/cmaf"
)

// What Find answers for a segment that cannot be had.
var (
	ErrNever   = errors.New("segment was never there, or is not there yet")
	ErrExpired = errors.New("segment has expired")
	ErrLost    = errors.New("segment was lost")
)

// Segment is one segment of one rendition as it was listed at some moment. It
// is immutable but for where its bytes lie: in memory at first, then on disk.
type Segment struct {
	cmaf.Segment
	Rendition *cmaf.Rendition // as it was then: whose init section these parts need
	Changes   int64           // of init sections in the channel before this segment, since it was born

	body   *body   // nil for a gap
	stored *stored // nil where the embedded value has the parts
}

// Gap says that nothing of the segment can be had: it is not held, or the disk
// that holds it is away.
func (g *Segment) Gap() bool { return g.empty() || g.away() }

// empty says that nothing of the segment is held.
func (g *Segment) empty() bool { return g.Len() == 0 && g.Complete }

// away says that the segment lies on a disk that is away.
func (g *Segment) away() bool {
	if g.body == nil || g.body.memory.Load() != nil {
		return false
	}
	if g.stored != nil {
		return g.stored.first.disk.lost() || g.stored.last.disk.lost()
	}
	disk := g.body.disk.Load()
	return disk != nil && len(*disk) > 0 && ((*disk)[0].block.disk.lost() || (*disk)[len(*disk)-1].block.disk.lost())
}

// Len is how many parts the segment has.
func (g *Segment) Len() int {
	if g.stored != nil {
		return g.stored.count
	}
	return len(g.Segment.Parts)
}

// Parts are the segment's, in order, read-only.
func (g *Segment) Parts() []cmaf.Part {
	if g.stored == nil {
		return g.Segment.Parts
	}
	g.stored.once.Do(func() { g.stored.unpack(g.body) })
	return g.stored.parts
}

// Describe is the segment as playlists take it.
func (g *Segment) Describe() cmaf.Segment {
	out := g.Segment
	if g.away() {
		out.Parts = nil
		return out
	}
	out.Parts = g.Parts()
	return out
}

// body is shared by all versions of a segment. At every moment it has memory,
// or disk, or has been lost.
type body struct {
	memory   atomic.Pointer[[][]byte] // one buffer a part, read-only
	disk     atomic.Pointer[[]extent]
	verified atomic.Uint64 // bit p: part p of the disk was checked, p < 64
	bad      atomic.Bool   // a check failed
	report   func(*body)   // told once when one does
}

// extent is where a part lies on disk; its length is that of the part.
type extent struct {
	block  *block
	offset int64
	crc    uint32
}

// Check makes sure that parts [from, to) can be sent, reading from disk what
// has not been read since the store was opened. It fails with ErrLost.
func (g *Segment) Check(from, to int) error {
	parts := g.Parts()
	if from < 0 || from > to || to > len(parts) || g.body == nil {
		return ErrLost
	}
	if g.body.memory.Load() != nil {
		return nil
	}
	disk := g.body.disk.Load()
	if disk == nil || len(*disk) < to || g.body.bad.Load() {
		return ErrLost
	}
	for p := from; p < to; p++ {
		if p < 64 && g.body.verified.Load()&(1<<p) != 0 {
			continue
		}
		if err := (*disk)[p].check(parts[p].Bytes); err != nil {
			gone := !errors.Is(err, errRecord) && (*disk)[p].block.disk.suspect()
			if !gone && g.body.bad.CompareAndSwap(false, true) && g.body.report != nil {
				g.body.report(g.body)
			}
			return fmt.Errorf("%w: part %d of segment %d: %w", ErrLost, p, g.Number, err)
		}
		if p < 64 {
			g.body.verified.Or(1 << p)
		}
	}
	return nil
}

// WriteParts sends parts [from, to). Parts in memory go out in one Write each.
func (g *Segment) WriteParts(w io.Writer, from, to int) error {
	parts := g.Parts()
	if from < 0 || from > to || to > len(parts) || g.body == nil {
		return ErrLost
	}
	for p := from; p < to; p++ {
		if memory := g.body.memory.Load(); memory != nil && p < len(*memory) {
			if _, err := w.Write((*memory)[p]); err != nil {
				return err
			}
			continue
		}
		disk := g.body.disk.Load()
		if disk == nil || p >= len(*disk) {
			return ErrLost
		}
		if err := (*disk)[p].copyTo(w, parts[p].Bytes); err != nil {
			return err
		}
	}
	return nil
}

// transfers are the buffers through which parts go from disk to sockets.
var transfers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// pieces reads the part in pieces that are valid during the call only.
func (e *extent) pieces(length int, take func([]byte) error) error {
	buffer := transfers.Get().(*[]byte)
	defer transfers.Put(buffer)
	for at := 0; at < length; {
		piece := (*buffer)[:min(len(*buffer), length-at)]
		if err := e.block.read(piece, e.offset+int64(at)); err != nil {
			return err
		}
		if err := take(piece); err != nil {
			return err
		}
		at += len(piece)
	}
	return nil
}

func (e *extent) copyTo(w io.Writer, length int) error {
	return e.pieces(length, func(piece []byte) error {
		_, err := w.Write(piece)
		return err
	})
}

func (e *extent) check(length int) error {
	var sum uint32
	err := e.pieces(length, func(piece []byte) error {
		sum = crc32.Update(sum, castagnoli, piece)
		return nil
	})
	if err == nil && sum != e.crc {
		err = errRecord
	}
	return err
}

// Reader gives parts [from, to) to those who ask for byte ranges. It is for one
// goroutine.
func (g *Segment) Reader(from, to int) io.ReadSeeker {
	r := &reader{segment: g, from: from, to: to}
	for _, part := range g.Parts()[from:to] {
		r.size += int64(part.Bytes)
	}
	return r
}

// reader reads parts of a segment as one row of bytes.
type reader struct {
	segment  *Segment
	from, to int
	size, at int64
}

func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the segment")
	}
	r.at = offset
	return offset, nil
}

func (r *reader) Read(p []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	start := int64(0)
	for n := r.from; n < r.to; n++ {
		length := int64(r.segment.Parts()[n].Bytes)
		if r.at >= start+length {
			start += length
			continue
		}
		inside := r.at - start
		p = p[:min(int64(len(p)), length-inside)]
		if err := r.segment.readPart(n, p, inside); err != nil {
			return 0, err
		}
		r.at += int64(len(p))
		return len(p), nil
	}
	return 0, io.EOF
}

// readPart copies from a part, from an offset in it on.
func (g *Segment) readPart(n int, p []byte, offset int64) error {
	if g.body == nil {
		return ErrLost
	}
	if memory := g.body.memory.Load(); memory != nil && n < len(*memory) {
		copy(p, (*memory)[n][offset:])
		return nil
	}
	disk := g.body.disk.Load()
	if disk == nil || n >= len(*disk) {
		return ErrLost
	}
	e := &(*disk)[n]
	return e.block.read(p, e.offset+offset)
}
