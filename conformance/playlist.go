package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Playlist is a media playlist as its text says, without judgement.
type Playlist struct {
	Version        int
	TargetDuration int
	Control        Attributes // EXT-X-SERVER-CONTROL; nil where absent
	PartTarget     string     // as written; "" where absent
	Sequence       int64
	Discontinuity  int64 // EXT-X-DISCONTINUITY-SEQUENCE, -1 where absent
	Type           string
	Independent    bool
	IFramesOnly    bool
	Ended          bool
	Skipped        int // EXT-X-SKIP, -1 where absent
	Segments       []Segment
	Parts          []Part // of the segment in progress
	Hints          []Attributes
	Reports        []Attributes
	Tags           map[string]bool
	Faults         []string // what cannot be read, or stands at a wrong place
	open           Segment  // whose URI has not come
}

// Segment is one segment of a playlist.
type Segment struct {
	Number        int64
	URI           string
	Duration      float64 // seconds
	Parts         []Part
	Gap           bool
	Discontinuity bool
	Date          time.Time // zero where no tag stands here
	Map           string    // URI of the init section that holds
	Range         string    // EXT-X-BYTERANGE
}

// Part is one EXT-X-PART.
type Part struct {
	URI              string
	Duration         float64 // seconds
	Independent, Gap bool
}

// Attributes are those of one tag, quotes taken off.
type Attributes map[string]string

// ParsePlaylist reads a media playlist. What it does not understand becomes a fault.
func ParsePlaylist(text string) *Playlist {
	p := &Playlist{Discontinuity: -1, Skipped: -1, Tags: make(map[string]bool)}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if lines[0] != "#EXTM3U" {
		p.fault(1, "does not begin with #EXTM3U")
	}
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "#EXT"):
			tag, value, _ := strings.Cut(line, ":")
			p.Tags[tag] = true
			p.tag(i+1, tag, value)
		case line != "" && !strings.HasPrefix(line, "#"):
			p.uri(line)
		}
	}
	p.Parts = p.open.Parts
	for i := range p.Segments {
		p.Segments[i].Number = p.Sequence + int64(i) + int64(max(p.Skipped, 0))
	}
	return p
}

func (p *Playlist) fault(line int, format string, arguments ...any) {
	p.Faults = append(p.Faults, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, arguments...))
}

func (p *Playlist) uri(line string) {
	p.open.URI = line
	p.Segments = append(p.Segments, p.open)
	p.open = Segment{Map: p.open.Map}
}

func (p *Playlist) tag(line int, tag, value string) {
	switch tag {
	case "#EXT-X-VERSION":
		p.Version = int(p.integer(line, value))
	case "#EXT-X-TARGETDURATION":
		p.TargetDuration = int(p.integer(line, value))
	case "#EXT-X-MEDIA-SEQUENCE":
		p.Sequence = p.integer(line, value)
	case "#EXT-X-DISCONTINUITY-SEQUENCE":
		p.Discontinuity = p.integer(line, value)
		if len(p.Segments) > 0 {
			p.fault(line, "%s after the first segment", tag)
		}
	case "#EXT-X-PLAYLIST-TYPE":
		p.Type = value
	case "#EXT-X-INDEPENDENT-SEGMENTS":
		p.Independent = true
	case "#EXT-X-I-FRAMES-ONLY":
		p.IFramesOnly = true
	case "#EXT-X-ENDLIST":
		p.Ended = true
	default:
		p.attributeTag(line, tag, value)
	}
}

func (p *Playlist) attributeTag(line int, tag, value string) {
	switch tag {
	case "#EXT-X-SERVER-CONTROL":
		p.Control = p.attributes(line, value)
	case "#EXT-X-PART-INF":
		p.PartTarget = p.attributes(line, value)["PART-TARGET"]
	case "#EXT-X-SKIP":
		if p.Skipped >= 0 {
			p.fault(line, "a second EXT-X-SKIP")
		}
		p.Skipped = int(p.integer(line, p.attributes(line, value)["SKIPPED-SEGMENTS"]))
	case "#EXT-X-PRELOAD-HINT":
		p.Hints = append(p.Hints, p.attributes(line, value))
	case "#EXT-X-RENDITION-REPORT":
		p.Reports = append(p.Reports, p.attributes(line, value))
	default:
		p.segmentTag(line, tag, value)
	}
}

func (p *Playlist) segmentTag(line int, tag, value string) {
	switch tag {
	case "#EXTINF":
		duration, _, _ := strings.Cut(value, ",")
		p.open.Duration = p.decimal(line, duration)
		return
	case "#EXT-X-BYTERANGE":
		p.open.Range = value
		return
	case "#EXT-X-GAP":
		p.open.Gap = true
		return
	case "#EXT-X-PART":
		a := p.attributes(line, value)
		p.open.Parts = append(p.open.Parts, Part{
			URI: a["URI"], Duration: p.decimal(line, a["DURATION"]), Independent: a["INDEPENDENT"] == "YES", Gap: a["GAP"] == "YES",
		})
		return
	case "#EXT-X-DISCONTINUITY":
		p.open.Discontinuity = true
	case "#EXT-X-MAP":
		p.open.Map = p.attributes(line, value)["URI"]
	case "#EXT-X-PROGRAM-DATE-TIME":
		date, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			p.fault(line, "%s: %q", tag, value)
		}
		p.open.Date = date
	default:
		return
	}
	if len(p.open.Parts) > 0 {
		p.fault(line, "%s after the segment's first part", tag)
	}
}

func (p *Playlist) integer(line int, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		p.fault(line, "%q is no count", text)
	}
	return n
}

func (p *Playlist) decimal(line int, text string) float64 {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || x < 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		p.fault(line, "%q is no duration", text)
		return 0
	}
	return x
}

// attributes reads NAME=value,NAME="text, with commas".
func (p *Playlist) attributes(line int, text string) Attributes {
	out := Attributes{}
	for text != "" {
		name, rest, found := strings.Cut(text, "=")
		if !found {
			p.fault(line, "attribute %q has no value", text)
			return out
		}
		var value string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			if value, rest, found = strings.Cut(quoted, `"`); !found {
				p.fault(line, "attribute %q has no closing quote", name)
			}
			text = strings.TrimPrefix(rest, ",")
		} else {
			value, text, _ = strings.Cut(rest, ",")
		}
		if _, twice := out[name]; twice {
			p.fault(line, "attribute %q twice", name)
		}
		out[name] = value
	}
	return out
}

// Number is a decimal attribute; NaN where it is not there.
func (a Attributes) Number(name string) float64 {
	x, err := strconv.ParseFloat(a[name], 64)
	if err != nil {
		return math.NaN()
	}
	return x
}

// Last is the number of the newest segment that has anything listed, and of its
// newest part; part is -1 where it lists none.
func (p *Playlist) Last() (number int64, part int) {
	number = p.Sequence + int64(max(p.Skipped, 0)) + int64(len(p.Segments))
	if len(p.Parts) > 0 {
		return number, len(p.Parts) - 1
	}
	if n := len(p.Segments); n > 0 {
		return number - 1, len(p.Segments[n-1].Parts) - 1
	}
	return number - 1, -1
}

// Length is the sum of what is listed, in seconds.
func (p *Playlist) Length() float64 {
	var sum float64
	for _, s := range p.Segments {
		sum += s.Duration
	}
	for _, part := range p.Parts {
		sum += part.Duration
	}
	return sum
}
