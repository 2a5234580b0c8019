package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// judgeLadder compares the rungs with each other (C04).
func (c *Checker) judgeLadder() {
	var first *Track
	var shared []string
	for _, t := range c.media() {
		if t.Audio || t.Init == nil {
			continue
		}
		if first == nil {
			first, shared = t, t.Init.profiles()
			continue
		}
		shared = slices.DeleteFunc(shared, func(brand string) bool { return !slices.Contains(t.Init.profiles(), brand) })
		c.Report.Expect("C04", t.Init.Timescale == first.Init.Timescale, "timescales %d and %d", first.Init.Timescale, t.Init.Timescale)
		for number, chunks := range t.Chunks {
			other := first.Chunks[number]
			if other == nil {
				continue
			}
			same := len(chunks) == len(other)
			for i := 0; same && i < len(chunks); i++ {
				same = chunks[i].Start == other[i].Start && chunks[i].Duration == other[i].Duration
			}
			c.Report.Expect("C04", same, "segment %d of %s and %s: boundaries differ", number, first.URL, t.URL)
		}
	}
	if first != nil && len(first.Init.profiles()) > 0 {
		c.Report.Expect("C04", len(shared) > 0, "the rungs share no media profile")
		c.Report.Note("C04", "media profiles %v", shared)
	}
}

// dateTolerance is the rounding of PROGRAM-DATE-TIME to milliseconds, twice.
const dateTolerance = 0.002

// judgeDates compares PROGRAM-DATE-TIME with decode times: one offset holds for
// the whole presentation (H37).
func (c *Checker) judgeDates() {
	offset, from := math.NaN(), ""
	for _, t := range c.media() {
		if t.Init == nil {
			continue
		}
		dates := map[int64]time.Time{}
		for _, v := range t.Versions {
			var date time.Time
			for _, s := range v.Playlist.Segments {
				if !s.Date.IsZero() {
					date = s.Date
				}
				if !date.IsZero() {
					dates[s.Number] = date
					date = date.Add(time.Duration(s.Duration * float64(time.Second)))
				}
			}
		}
		for _, number := range t.numbers() {
			date, ok := dates[number]
			if !ok {
				continue
			}
			seconds := float64(date.UnixNano())/1e9 - t.Init.seconds(t.Chunks[number][0].Start)
			if math.IsNaN(offset) {
				offset, from = seconds, t.URL
			}
			c.Report.Expect("H37", math.Abs(seconds-offset) <= dateTolerance, "segment %d of %s is %.1f ms off %s", number, t.URL, 1000*(seconds-offset), from)
		}
	}
	if !math.IsNaN(offset) {
		c.Report.Note("H37", "date - decode time = %.3f s everywhere", offset)
	}
}

// judgeRates compares bytes with what the variants promise (A04, A18). What can
// be said of a short run is said.
func (c *Checker) judgeRates() {
	var audioPeak, audioAverage float64
	for _, t := range c.media() {
		if t.Audio {
			peak, average := t.rates()
			audioPeak, audioAverage = max(audioPeak, peak), max(audioAverage, average)
		}
	}
	var seen []string
	for _, t := range c.media() {
		if t.Variant == nil || t.Init == nil || len(t.Chunks) < 2 {
			continue
		}
		peak, average := t.rates()
		if !t.Audio {
			peak, average = peak+audioPeak, average+audioAverage
		}
		promised, usual := t.Variant.Number("BANDWIDTH"), t.Variant.Number("AVERAGE-BANDWIDTH")
		c.Report.Expect("A04", peak <= 1.25*promised, "%s: peak %.0f of BANDWIDTH %.0f", t.URL, peak, promised)
		c.Report.Expect("A04", average <= 1.1*usual, "%s: average %.0f of AVERAGE-BANDWIDTH %.0f", t.URL, average, usual)
		c.Report.Expect("A18", peak <= promised, "%s: sum of peaks %.0f, BANDWIDTH %.0f", t.URL, peak, promised)
		seen = append(seen, fmt.Sprintf("peak %.0f of %.0f, average %.0f of %.0f", peak, promised, average, usual))
	}
	c.Report.Note("A04", "over %v: %s", c.Length, strings.Join(seen, "; "))
	c.Report.Note("A18", "%s", strings.Join(seen, "; "))
}

// rates are bits per second of the fetched segments.
func (t *Track) rates() (peak, average float64) {
	var bytes, seconds float64
	for _, chunks := range t.Chunks {
		var size, length float64
		for _, chunk := range chunks {
			size += float64(chunk.Bytes)
			length += t.Init.seconds(chunk.Duration)
		}
		peak = max(peak, 8*size/length)
		bytes, seconds = bytes+size, seconds+length
	}
	if seconds == 0 {
		return 0, 0
	}
	return peak, 8 * bytes / seconds
}

// judgeIFrames fetches the newest I-frames by their ranges (A06).
func (c *Checker) judgeIFrames(ctx context.Context, t *Track) {
	v := t.newest()
	c.Report.Expect("A06", v.IFramesOnly, "%s has no I-FRAMES-ONLY", t.URL)
	var segments []Segment
	for _, s := range v.Playlist.Segments {
		if !s.Gap {
			segments = append(segments, s)
		}
	}
	if len(segments) == 0 {
		return
	}
	init := c.Client.Get(ctx, resolve(t.URL, segments[len(segments)-1].Map))
	in, err := ReadInit(init.Body)
	if !c.Report.Expect("A06", err == nil, "init section of %s: %v", t.URL, err) {
		return
	}
	for _, s := range segments[max(0, len(segments)-4):] {
		c.judgeIFrame(ctx, t, in, s)
	}
}

func (c *Checker) judgeIFrame(ctx context.Context, t *Track, in *Init, s Segment) {
	var headers []string
	var length, offset int
	if s.Range != "" {
		if _, err := fmt.Sscanf(s.Range, "%d@%d", &length, &offset); !c.Report.Expect("A06", err == nil, "BYTERANGE %q", s.Range) {
			return
		}
		headers = []string{"Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)}
	}
	answer := c.Client.Get(ctx, resolve(t.URL, s.URI), headers...)
	if s.Range != "" && !c.Report.Expect("A06", answer.Status == 206 && len(answer.Body) == length, "%s of %s: %d bytes", s.Range, answer, len(answer.Body)) {
		return
	}
	// The range may end with the picture, within its mdat.
	chunks, err := ReadChunks(completed(answer.Body), in, false)
	if c.Report.Expect("A06", err == nil, "%s of %s: %v", s.Range, s.URI, err) {
		c.Report.Expect("A06", chunks[0].FirstIDR && chunks[0].FirstSync, "%s of %s is no IDR", s.Range, s.URI)
	}
}

// completed pads the last box of a prefix to the size that it announces.
func completed(data []byte) []byte {
	for at := 0; at+8 <= len(data); {
		size := int(data[at])<<24 | int(data[at+1])<<16 | int(data[at+2])<<8 | int(data[at+3])
		if size < 8 || size > bodyLimit {
			return data
		}
		if at+size > len(data) {
			return append(slices.Clone(data), make([]byte, at+size-len(data))...)
		}
		at += size
	}
	return data
}
