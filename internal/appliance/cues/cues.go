// Package cues writes what was on air for programs that edit and play: a CMX
// 3600 EDL and WebVTT chapters.
package cues

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"millrace/internal/media"
)

// List is a span of a channel's program. Frames are counted since the epoch.
type List struct {
	Title      string
	Rate       media.Rate
	Start, End int64 // frames [Start, End)
	Shots      []Shot
	Marks      []Mark
}

// Shot is a scene that was on air, or a gap. Shots follow each other without
// holes from Start to End.
type Shot struct {
	Frame int64 // the first
	Name  string
	Gap   bool // nothing is held of it
}

// Mark is a text at a frame.
type Mark struct {
	Frame int64
	Text  string
}

// recordStart is the record timecode with which an EDL begins, hours.
const recordStart = 1

// EDL is the list in CMX 3600, non-drop: the source's timecode counts frames from
// midnight UTC of the day on which the span begins, the record's from one hour on.
func (l List) EDL() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "TITLE: %s\r\nFCM: NON-DROP FRAME\r\n", line(l.Title, 70))
	fps := l.framesPerSecond()
	midnight := l.Rate.Index(media.TimeOf(l.Rate.At(l.Start).UTC().Truncate(24*time.Hour))-1) + 1
	record := func(frame int64) string { return timecode(frame-l.Start+recordStart*3600*fps, fps) }
	for i, shot := range l.Shots {
		from, to := l.span(i)
		reel, source := "AX", func(frame int64) string { return timecode(frame-midnight, fps) }
		if shot.Gap {
			reel, source = "BL", func(frame int64) string { return timecode(frame-from, fps) }
		}
		fmt.Fprintf(&out, "\r\n%03d  %-8s AA/V  C        %s %s %s %s\r\n", i+1, reel, source(from), source(to), record(from), record(to))
		if !shot.Gap {
			fmt.Fprintf(&out, "* FROM CLIP NAME: %s\r\n", line(shot.Name, 60))
		}
		for _, mark := range l.Marks {
			if mark.Frame >= from && mark.Frame < to {
				fmt.Fprintf(&out, "* LOC: %s RED     %s\r\n", record(mark.Frame), line(mark.Text, 60))
			}
		}
	}
	return out.Bytes()
}

// WebVTT are chapters from the list's start on: one for each shot and mark.
func (l List) WebVTT() []byte {
	type chapter struct {
		frame int64
		text  string
	}
	var chapters []chapter
	for i, shot := range l.Shots {
		if from, to := l.span(i); !shot.Gap {
			chapters = append(chapters, chapter{from, shot.Name})
			for _, mark := range l.Marks {
				if mark.Frame == from {
					chapters[len(chapters)-1].text = mark.Text
				} else if mark.Frame > from && mark.Frame < to {
					chapters = append(chapters, chapter{mark.Frame, mark.Text})
				}
			}
		}
	}
	out := bytes.NewBufferString("WEBVTT\n")
	for i, c := range chapters {
		end := l.End
		if i+1 < len(chapters) {
			end = chapters[i+1].frame
		}
		fmt.Fprintf(out, "\n%d\n%s --> %s\n%s\n", i+1, l.offset(c.frame), l.offset(end), cueText(c.text))
	}
	return out.Bytes()
}

// span is a shot's frames [from, to).
func (l List) span(i int) (from, to int64) {
	to = l.End
	if i+1 < len(l.Shots) {
		to = l.Shots[i+1].Frame
	}
	return l.Shots[i].Frame, to
}

func (l List) framesPerSecond() int64 { return (l.Rate.Num + l.Rate.Den/2) / l.Rate.Den }

// timecode counts frames as hours of a whole number of frames a second (SMPTE
// ST 12-1, non-drop); days are left out.
func timecode(frames, fps int64) string {
	frames %= 24 * 3600 * fps
	seconds := frames / fps
	return fmt.Sprintf("%02d:%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60, frames%fps)
}

// offset is a frame's time in the list, as WebVTT writes it.
func (l List) offset(frame int64) string {
	ms := l.Rate.At(frame).Sub(l.Rate.At(l.Start)).Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// line is a text in one line of ASCII, which is what an EDL can hold.
func line(text string, most int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return ' '
		case r > 0x7f:
			return '?'
		}
		return r
	}, text)
	return strings.TrimSpace(clean[:min(len(clean), most)])
}

// cueText is a text as the payload of a cue: markup and what would end the cue
// are taken out of it.
func cueText(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
