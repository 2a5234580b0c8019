package cmaf

import (
	"slices"
	"strconv"
	"time"
)

// Versions of the protocol that the tags used ask for
// (draft-pantos-hls-rfc8216bis-22 §8).
const (
	versionMapWithIFrames = 5 // EXT-X-MAP beside EXT-X-I-FRAMES-ONLY
	versionMap            = 6 // EXT-X-MAP without it
	versionSkip           = 9 // EXT-X-SKIP
)

// Distances from the end of the playlist, in target durations.
const (
	holdBackTargets = 3 // HOLD-BACK, §4.4.3.8
	partTargets     = 3 // parts farther away are not listed, §4.4.4.9
	skipTargets     = 6 // CAN-SKIP-UNTIL, §4.4.3.8
)

// Marshal writes the whole playlist.
func (p *MediaPlaylist) Marshal() []byte { return p.Append(nil) }

// Append writes the whole playlist behind dst.
func (p *MediaPlaylist) Append(dst []byte) []byte { return p.appendFrom(dst, 0) }

// AppendDelta writes what answers _HLS_skip: segments before the skip boundary
// stand as one EXT-X-SKIP. It is the whole playlist where none can be skipped,
// or the playlist does not offer it.
func (p *MediaPlaylist) AppendDelta(dst []byte) []byte { return p.appendFrom(dst, p.Skippable()) }

// Skippable is how many segments, gaps included, a delta update leaves out.
func (p *MediaPlaylist) Skippable() int {
	if !p.LowLatency || p.Ended || len(p.Segments) == 0 {
		return 0
	}
	boundary := p.boundary(skipTargets)
	n := 0
	for e := range p.entries {
		if e.end > boundary {
			break
		}
		n++
	}
	return n
}

// boundary is the decode time so many target durations before the end.
func (p *MediaPlaylist) boundary(targets int) int64 {
	var end int64
	if n := len(p.Segments); n > 0 {
		_, end = p.Rendition.Extent(&p.Segments[n-1])
	}
	return end - int64(targets*p.Rendition.Grid.TargetDuration())*int64(p.Rendition.Timescale())
}

// entry is one segment of the list: stored, or a gap.
type entry struct {
	number     int64
	start, end int64    // decode times
	segment    *Segment // nil for a gap
	init       string   // name of the init section; a gap has its predecessor's
}

// entries yields every number of the window in order.
func (p *MediaPlaylist) entries(yield func(entry) bool) {
	var init string
	gap := func(k int64) entry {
		start, duration := p.Rendition.Span(k)
		return entry{number: k, start: start, end: start + duration, init: init}
	}
	for i := range p.Segments {
		s := &p.Segments[i]
		if i == 0 {
			init = p.initName(s)
		}
		if i > 0 {
			for k := p.Segments[i-1].Number + 1; k < s.Number; k++ {
				if !yield(gap(k)) {
					return
				}
			}
		}
		var e entry
		if len(s.Parts) > 0 {
			init = p.initName(s)
			e = entry{number: s.Number, segment: s, init: init}
			e.start, e.end = p.Rendition.Extent(s)
		} else {
			e = gap(s.Number)
		}
		if !yield(e) {
			return
		}
	}
}

func (p *MediaPlaylist) initName(s *Segment) string {
	if s.InitName != "" {
		return s.InitName
	}
	return p.Rendition.InitName
}

func (p *MediaPlaylist) appendFrom(dst []byte, skip int) []byte {
	dst = slices.Grow(dst, p.size(skip))
	dst = p.appendHeader(dst, skip)
	partsFrom := p.boundary(partTargets)
	index, previous := 0, entry{}
	for e := range p.entries {
		if index >= skip {
			dst = p.appendEntry(dst, e, previous, index, partsFrom)
		}
		previous = e
		index++
	}
	return p.appendFooter(dst)
}

// size is about how long the playlist is, in bytes: a day of it is written in one
// piece of memory.
func (p *MediaPlaylist) size(skip int) int {
	const entry, around = len("#EXTINF:3.200000,\n560432067.m4s\n"), 8 << 10
	return around + max(len(p.Segments)-skip, 0)*(entry+len(p.Base))
}

func (p *MediaPlaylist) appendHeader(dst []byte, skip int) []byte {
	version := versionMap
	if skip > 0 {
		version = versionSkip
	}
	dst = appendTag(dst, "#EXTM3U\n#EXT-X-VERSION:", int64(version))
	dst = appendTag(dst, "#EXT-X-TARGETDURATION:", int64(p.Rendition.Grid.TargetDuration()))
	if p.LowLatency {
		dst = p.appendServerControl(dst)
		dst = append(dst, "#EXT-X-PART-INF:PART-TARGET="...)
		dst = append(appendSeconds(dst, p.Rendition.partTarget()), '\n')
	}
	var first int64
	if len(p.Segments) > 0 {
		first = p.Segments[0].Number
	}
	dst = appendTag(dst, "#EXT-X-MEDIA-SEQUENCE:", first)
	dst = appendTag(dst, "#EXT-X-DISCONTINUITY-SEQUENCE:", p.DiscontinuitySequence)
	dst = p.appendType(dst)
	dst = append(dst, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	if skip > 0 {
		dst = appendTag(dst, "#EXT-X-SKIP:SKIPPED-SEGMENTS=", int64(skip))
	}
	return dst
}

func (p *MediaPlaylist) appendType(dst []byte) []byte {
	switch p.Type {
	case Event:
		// One who looks at what has begun wants to see how it began (§4.4.2.2). Not 0, which gohlslib takes for a missing value.
		return append(dst, "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0.001\n"...)
	case VOD:
		return append(dst, "#EXT-X-PLAYLIST-TYPE:VOD\n"...)
	}
	return dst
}

func (p *MediaPlaylist) appendServerControl(dst []byte) []byte {
	target := int64(p.Rendition.Grid.TargetDuration())
	dst = append(dst, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL="...)
	dst = strconv.AppendInt(dst, skipTargets*target, 10)
	dst = append(dst, ",HOLD-BACK="...)
	dst = strconv.AppendInt(dst, holdBackTargets*target, 10)
	dst = append(dst, ",PART-HOLD-BACK="...)
	return append(appendSeconds(dst, p.PartHoldBack), '\n')
}

// appendEntry writes a segment with the tags that apply to it. The media
// segment tags come before its first part (§4.4.4.9).
func (p *MediaPlaylist) appendEntry(dst []byte, e, previous entry, index int, partsFrom int64) []byte {
	complete := e.segment == nil || e.segment.Complete
	if !complete && !p.LowLatency {
		return dst
	}
	broken := index > 0 && (e.init != previous.init || e.segment != nil && e.segment.Discontinuity)
	if broken {
		dst = append(dst, "#EXT-X-DISCONTINUITY\n"...)
	}
	if e.init != previous.init {
		dst = p.appendMap(dst, e.init)
	}
	if index == 0 || broken || e.start != previous.end || previous.segment == nil && e.segment != nil {
		dst = p.appendDateTime(dst, e.start)
	}
	if p.LowLatency && e.segment != nil && (!complete || e.end > partsFrom) {
		dst = p.appendParts(dst, e.segment)
	}
	if !complete {
		return dst
	}
	if e.segment == nil {
		dst = append(dst, "#EXT-X-GAP\n"...)
	}
	dst = append(dst, "#EXTINF:"...)
	dst = appendSeconds(dst, p.micros(e.end)-p.micros(e.start)-p.trim())
	dst = append(dst, ",\n"...)
	if e.segment != nil && e.segment.Cut {
		dst = append(dst, "#EXT-X-BYTERANGE:"...)
		dst = strconv.AppendInt(dst, e.segment.Bytes(), 10)
		dst = append(dst, '@')
		dst = append(strconv.AppendInt(dst, e.segment.Offset, 10), '\n')
	}
	if e.segment != nil && e.segment.URI != "" {
		return append(append(dst, e.segment.URI...), '\n')
	}
	return p.appendSegmentName(dst, e.number)
}

// trim is how much shorter than its media a live segment is said to be. A player that adds durations up as floating point must not find the
// segment's end after the end of what it has buffered: hls.js 1.7 then takes the segment for unfinished when it began in the middle of it, at the
// second IDR, and stalls until its parts leave the playlist. Two microseconds cover the sums and the buffer's own rounding.
func (p *MediaPlaylist) trim() (micros int64) {
	if !p.LowLatency {
		return 0
	}
	return 2
}

func (p *MediaPlaylist) appendMap(dst []byte, init string) []byte {
	dst = append(dst, "#EXT-X-MAP:URI=\""...)
	dst = append(append(dst, p.Base...), init...)
	return append(dst, "\"\n"...)
}

func (p *MediaPlaylist) appendSegmentName(dst []byte, number int64) []byte {
	dst = append(dst, p.Base...)
	dst = strconv.AppendInt(dst, number, 10)
	return append(dst, ".m4s\n"...)
}

func (p *MediaPlaylist) appendParts(dst []byte, s *Segment) []byte {
	for i := range s.Parts {
		part := &s.Parts[i]
		dst = append(dst, "#EXT-X-PART:DURATION="...)
		dst = p.appendDuration(dst, part.Start, part.Start+part.Duration)
		if part.Independent {
			dst = append(dst, ",INDEPENDENT=YES"...)
		}
		dst = append(dst, ",URI=\""...)
		dst = p.appendPartName(dst, s.Number, i)
		dst = append(dst, "\"\n"...)
	}
	return dst
}

func (p *MediaPlaylist) appendPartName(dst []byte, number int64, part int) []byte {
	dst = append(dst, p.Base...)
	dst = strconv.AppendInt(dst, number, 10)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, int64(part), 10)
	return append(dst, ".m4s"...)
}

// appendFooter writes what follows the last segment: the next part's name, what
// the other renditions have, or the end.
func (p *MediaPlaylist) appendFooter(dst []byte) []byte {
	if p.Ended {
		return append(dst, "#EXT-X-ENDLIST\n"...)
	}
	if !p.LowLatency {
		return dst
	}
	if number, part, ok := p.NextPart(); ok {
		dst = append(dst, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\""...)
		dst = p.appendPartName(dst, number, part)
		dst = append(dst, "\"\n"...)
	}
	for _, report := range p.Reports {
		dst = append(dst, "#EXT-X-RENDITION-REPORT:URI=\""...)
		dst = append(dst, report.URI...)
		dst = append(dst, "\",LAST-MSN="...)
		dst = strconv.AppendInt(dst, report.LastSegment, 10)
		if report.LastPart >= 0 {
			dst = append(dst, ",LAST-PART="...)
			dst = strconv.AppendInt(dst, int64(report.LastPart), 10)
		}
		dst = append(dst, '\n')
	}
	return dst
}

// NextPart is the part that comes after the last one listed, which is what the
// preload hint names.
func (p *MediaPlaylist) NextPart() (number int64, part int, ok bool) {
	if len(p.Segments) == 0 {
		return 0, 0, false
	}
	last := &p.Segments[len(p.Segments)-1]
	if last.Complete || len(last.Parts) == 0 {
		return last.Number + 1, 0, true
	}
	return last.Number, len(last.Parts), true
}

// micros is a decode time in microseconds, rounded down.
func (p *MediaPlaylist) micros(ticks int64) int64 {
	scale := int64(p.Rendition.Timescale())
	seconds := floorDiv(ticks, scale)
	return seconds*1_000_000 + (ticks-seconds*scale)*1_000_000/scale
}

// appendDuration writes the distance of two rounded instants, so that the sum
// over any run of segments is within a microsecond of the real one (A09).
func (p *MediaPlaylist) appendDuration(dst []byte, start, end int64) []byte {
	return appendSeconds(dst, p.micros(end)-p.micros(start))
}

func (p *MediaPlaylist) appendDateTime(dst []byte, ticks int64) []byte {
	at := p.Rendition.Time(ticks).Add(time.Millisecond / 2).UTC() // AppendFormat truncates
	dst = append(dst, "#EXT-X-PROGRAM-DATE-TIME:"...)
	dst = at.AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	return append(dst, '\n')
}

func appendTag(dst []byte, tag string, value int64) []byte {
	dst = append(dst, tag...)
	return append(strconv.AppendInt(dst, value, 10), '\n')
}

// appendSeconds writes non-negative microseconds as seconds with six decimals.
func appendSeconds(dst []byte, micros int64) []byte {
	dst = strconv.AppendInt(dst, micros/1_000_000, 10)
	dst = append(dst, '.')
	rest := micros % 1_000_000
	for scale := int64(100_000); scale > 0; scale /= 10 {
		dst = append(dst, byte('0'+rest/scale%10))
	}
	return dst
}
