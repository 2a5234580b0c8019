package cmaf

import (
	"errors"
	"fmt"

	"millrace/internal/media"
)

// ErrTrack says that a track cannot be packaged.
var ErrTrack = errors.New("track cannot be packaged")

// accessUnitSamples is what one AAC-LC access unit decodes to.
const accessUnitSamples = 1024

// Rendition is one rung or one audio of a channel: what playlists and MPD need
// to know of it, and its init section. It is immutable after its making, but
// for Language, Name and Group, which its maker may set before publishing it.
type Rendition struct {
	ID    string
	Grid  Grid
	Track *media.Track
	Codec string // RFC 6381

	Width, Height int // pixels; 0 for audio

	Bandwidth        int // bits per second: peak of any segment, container included
	AverageBandwidth int // bits per second over an hour, container included

	Language string // BCP 47, for audio; "und" when not known
	Name     string // shown to viewers
	Group    string // EXT-X-MEDIA group of audio

	Init     []byte // ftyp and moov; deterministic
	InitName string // "init-HASH.mp4", HASH being of Init
}

// NewRendition describes a track of a channel and builds its init section. The
// track's Config holds the parameter sets of every encoder that may carry it;
// bitrate is the encoder's target in bits per second.
func NewRendition(grid Grid, id string, track *media.Track, bitrate int) (*Rendition, error) {
	r := &Rendition{ID: id, Grid: grid, Track: track, Language: "und", Name: id}
	if track.Kind == media.Audio {
		r.Group = "audio"
	}
	overhead := r.overhead()
	r.AverageBandwidth = bitrate + overhead
	r.Bandwidth = peak(track.Kind, grid, bitrate) + overhead
	if err := r.makeInit(bitrate); err != nil {
		return nil, fmt.Errorf("make init section of rendition %q: %w", id, err)
	}
	return r, nil
}

// peak is the highest bitrate that a whole segment may have: the encoder fills
// its buffer, one second at 1.1 times the target, at 1.1 times the target; so
// that much may come out beside what goes in. Audio is of nearly constant size.
func peak(kind media.Kind, grid Grid, bitrate int) int {
	if kind == media.Audio {
		return bitrate + bitrate/10
	}
	rate := int64(bitrate) * 11 / 10
	return int(rate + rate*grid.Rate.Num/(grid.SegmentFrames*grid.Rate.Den))
}

// overhead is what boxes cost, in bits per second.
func (r *Rendition) overhead() int {
	const chunkBoxes = 190 // styp, prft, moof without its samples, mdat header
	perSecond := chunkBoxes*8*r.Grid.Rate.Num/(r.Grid.PartFrames*r.Grid.Rate.Den) + 1
	units := int64(r.Timescale()) / r.UnitTicks()
	return int(perSecond + 32*units) // a trun entry is 4 bytes
}

// Timescale is the unit of decode times, per second.
func (r *Rendition) Timescale() uint32 {
	if r.Track.Kind == media.Audio {
		return uint32(r.Track.SampleRate)
	}
	return r.Grid.Timescale()
}

// UnitTicks is the duration of one frame or access unit in units of Timescale.
func (r *Rendition) UnitTicks() int64 {
	if r.Track.Kind == media.Audio {
		return accessUnitSamples
	}
	return r.Grid.FrameTicks()
}

// FirstUnit is the first frame, or the first audio access unit, of a part,
// counted since the epoch. Part Grid.Parts() is part 0 of the next segment.
func (r *Rendition) FirstUnit(k int64, part int) int64 {
	frame := r.Grid.PartStart(k, part)
	if r.Track.Kind == media.Audio {
		return r.Grid.accessUnit(frame, accessUnitSamples, int64(r.Track.SampleRate))
	}
	return frame
}

// Unit is the number since the epoch of the frame or access unit that begins
// at t.
func (r *Rendition) Unit(t media.Time) int64 {
	if r.Track.Kind == media.Audio {
		return floorDiv(t.Ticks(int64(r.Track.SampleRate))+accessUnitSamples/2, accessUnitSamples)
	}
	return r.Grid.Rate.Index(t)
}

// UnitAfter is the number since the epoch of the first frame or access unit that
// begins at or after t.
func (r *Rendition) UnitAfter(t media.Time) int64 {
	if r.Track.Kind == media.Audio {
		hz := int64(r.Track.SampleRate)
		unit := floorDiv(t.Ticks(hz), accessUnitSamples)
		for media.TimeOfTicks(unit*accessUnitSamples, hz) < t {
			unit++
		}
		return unit
	}
	return r.Grid.Rate.Index(t-1) + 1
}

// Locate says which segment and part a unit belongs to: those in which it
// starts.
func (r *Rendition) Locate(unit int64) (k int64, part int) {
	if r.Track.Kind != media.Audio {
		return r.Grid.Segment(unit)
	}
	start := media.TimeOfTicks(unit*accessUnitSamples, int64(r.Track.SampleRate))
	k, part = r.Grid.Segment(r.Grid.Rate.Index(start))
	// Both are rounded to nanoseconds, so that the guess can be one part early or late.
	switch {
	case unit < r.FirstUnit(k, part):
		return r.Grid.Segment(r.Grid.PartStart(k, part) - 1)
	case unit >= r.FirstUnit(k, part+1):
		return r.Grid.Segment(r.Grid.PartStart(k, part+1))
	}
	return k, part
}

// Span is when whole segment k starts and how long it lasts, in units of
// Timescale.
func (r *Rendition) Span(k int64) (start, duration int64) {
	first, next := r.FirstUnit(k, 0), r.FirstUnit(k+1, 0)
	return first * r.UnitTicks(), (next - first) * r.UnitTicks()
}

// Extent is when a segment starts and ends as it is stored, in units of
// Timescale; for a gap, what it would have covered.
func (r *Rendition) Extent(s *Segment) (start, end int64) {
	if len(s.Parts) == 0 {
		start, duration := r.Span(s.Number)
		return start, start + duration
	}
	last := &s.Parts[len(s.Parts)-1]
	return s.Parts[0].Start, last.Start + last.Duration
}

// Time is the instant of a decode time.
func (r *Rendition) Time(ticks int64) media.Time {
	return media.TimeOfTicks(ticks, int64(r.Timescale()))
}

// partTarget is the longest part of this rendition in microseconds, rounded up.
func (r *Rendition) partTarget() int64 {
	units := r.Grid.PartFrames
	if r.Track.Kind == media.Audio {
		units = r.Grid.maxAccessUnits(accessUnitSamples, int64(r.Track.SampleRate))
	}
	scale := int64(r.Timescale())
	return (units*r.UnitTicks()*1_000_000 + scale - 1) / scale
}
