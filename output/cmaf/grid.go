package cmaf

import (
	"time"

	"millrace/internal/media"
)

// The shape of a segment: conformance §9.
const (
	partsPerGOP     = 8
	gopsPerSegment  = 2
	partsPerSegment = partsPerGOP * gopsPerSegment

	partMillis = 200 // nominal part duration; the real one is whole frames
)

// Grid divides the frames since the Unix epoch into segments and parts, so that
// a name is a pure function of time: segment k holds frames [k*F, (k+1)*F) and
// its part p holds frames [k*F+p*P, k*F+(p+1)*P). It is a value; two nodes with
// the same rate have the same grid.
type Grid struct {
	Rate          media.Rate
	PartFrames    int64 // P, frames
	SegmentFrames int64 // F, frames
}

// NewGrid is the grid of a frame rate: a part is 0.2 s rounded to whole frames,
// a group of pictures 8 parts, a segment 16 parts.
func NewGrid(rate media.Rate) Grid {
	part := (2*rate.Num*partMillis + 1000*rate.Den) / (2 * 1000 * rate.Den)
	part = max(part, 1)
	return Grid{Rate: rate, PartFrames: part, SegmentFrames: part * partsPerSegment}
}

// Parts is how many parts make a segment.
func (g Grid) Parts() int { return int(g.SegmentFrames / g.PartFrames) }

// GOPFrames is the distance between scheduled IDRs, in frames.
func (g Grid) GOPFrames() int64 { return g.PartFrames * partsPerGOP }

// Segment says which segment and which part of it hold a frame.
func (g Grid) Segment(frame int64) (k int64, part int) {
	k = floorDiv(frame, g.SegmentFrames)
	return k, int((frame - k*g.SegmentFrames) / g.PartFrames)
}

// SegmentStart is the first frame of segment k.
func (g Grid) SegmentStart(k int64) int64 { return k * g.SegmentFrames }

// PartStart is the first frame of a part; part Parts() is part 0 of the next
// segment.
func (g Grid) PartStart(k int64, part int) int64 {
	return k*g.SegmentFrames + int64(part)*g.PartFrames
}

// SegmentTime is the instant at which segment k begins.
func (g Grid) SegmentTime(k int64) media.Time { return g.Rate.At(g.SegmentStart(k)) }

// SegmentAt is the segment that covers t.
func (g Grid) SegmentAt(t media.Time) int64 {
	k, _ := g.Segment(g.Rate.Index(t))
	return k
}

// SegmentAfter is the first segment that begins at or after t.
func (g Grid) SegmentAfter(t media.Time) int64 {
	k := g.SegmentAt(t)
	if g.SegmentTime(k) < t {
		k++
	}
	return k
}

// Timescale is the unit of video time per second: the rate's own numerator, or
// a thousand times it where that is whole frames a second (24000, 30000, 60000).
func (g Grid) Timescale() uint32 { return uint32(g.Rate.Num * g.scale()) }

// FrameTicks is the duration of one frame in units of Timescale.
func (g Grid) FrameTicks() int64 { return g.Rate.Den * g.scale() }

func (g Grid) scale() int64 {
	if g.Rate.Num < 1000 {
		return 1000
	}
	return 1
}

// TargetDuration is EXT-X-TARGETDURATION: the segment's duration rounded to
// whole seconds.
func (g Grid) TargetDuration() int {
	frames := g.SegmentFrames * g.Rate.Den
	return int((2*frames + g.Rate.Num) / (2 * g.Rate.Num))
}

// SegmentDuration is rounded down to the nanosecond: for windows and timeouts,
// never for sums.
func (g Grid) SegmentDuration() time.Duration { return time.Duration(g.Rate.At(g.SegmentFrames)) }

// PartDuration is rounded down to the nanosecond: for windows and timeouts,
// never for sums.
func (g Grid) PartDuration() time.Duration { return time.Duration(g.Rate.At(g.PartFrames)) }

// accessUnit is the first audio access unit, of unit samples at hz, that starts
// at or after the given video frame.
func (g Grid) accessUnit(frame, unit, hz int64) int64 {
	firstSample := -g.Rate.Samples(-frame, hz) // the ceiling of frame*Den*hz/Num
	return -floorDiv(-firstSample, unit)
}

// maxAccessUnits is the largest number of access units that start in one part.
func (g Grid) maxAccessUnits(unit, hz int64) int64 {
	perPart := g.PartFrames * g.Rate.Den * hz // over Num*unit
	return -floorDiv(-perPart, g.Rate.Num*unit)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
