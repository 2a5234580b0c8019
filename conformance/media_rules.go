package main

import (
	"bytes"
	"context"
	"math"
	"slices"
	"sort"
	"strings"
	"time"
)

// judgeTracks judges what was followed: playlists, then the media behind them.
func (c *Checker) judgeTracks(ctx context.Context) {
	for _, t := range c.tracks {
		if len(t.Versions) == 0 {
			c.Report.Expect("A15", false, "%s was not answered with 200", t.URL)
			continue
		}
		judgeSeries(c.Report, t)
	}
	judgeTogether(c.Report, c.tracks)
	c.judgeIndependence()
	for _, t := range c.media() {
		if len(t.Versions) > 0 {
			c.readTrack(ctx, t)
		}
	}
	for _, t := range c.tracks {
		if t.IFrames && len(t.Versions) > 0 {
			c.judgeIFrames(ctx, t)
		}
	}
	c.judgeLadder()
	c.judgeDates()
	c.judgeRates()
}

// judgeIndependence wants the tag in the multivariant playlist, or in all (A17).
func (c *Checker) judgeIndependence() {
	for _, t := range c.tracks {
		for _, v := range t.Versions {
			c.Report.Expect("A17", c.master.Independent || v.Independent, "%s", t.URL)
		}
	}
}

// newest is the last version of a track.
func (t *Track) newest() *Version { return t.Versions[len(t.Versions)-1] }

// readTrack reads init section, parts and segments, and judges their boxes.
func (c *Checker) readTrack(ctx context.Context, t *Track) {
	v := t.newest()
	if len(v.Playlist.Segments) == 0 {
		return
	}
	last := v.Playlist.Segments[len(v.Playlist.Segments)-1]
	answer := c.Client.Get(ctx, resolve(t.URL, last.Map))
	in, err := ReadInit(answer.Body)
	if !c.Report.Expect("C07", answer.OK() && err == nil, "init section of %s: %s: %v", t.URL, answer, err) {
		return
	}
	t.Init = in
	c.judgeInit(t)
	t.Chunks = make(map[int64][]*Chunk)
	for number, segment := range t.Segments {
		c.judgeTransfer(segment)
		if !segment.OK() {
			continue
		}
		chunks, err := ReadChunks(segment.Body, in, t.Audio)
		if c.Report.Expect("C02", err == nil, "%s: %v", segment.URL, err) {
			t.Chunks[number] = chunks
		}
	}
	c.judgeParts(t)
	c.judgeChunks(t)
	c.judgeDurations(t)
}

func (c *Checker) judgeInit(t *Track) {
	in := t.Init
	c.Report.Expect("C05", !in.EditList, "%s has an edit list", t.URL)
	c.Report.Expect("C05", slices.Contains(in.Brands, "cmfc") || slices.Contains(in.Brands, "cmf2"), "%s has brands %v", t.URL, in.Brands)
	if t.Audio {
		c.Report.Expect("A05", in.Channels == 2, "%s has %d channels", t.URL, in.Channels)
		return
	}
	c.Report.Expect("C06", slices.Contains(in.Boxes, "colr") && slices.Contains(in.Boxes, "pasp"), "%s has %v", t.URL, in.Boxes)
	c.Report.Expect("A01", in.Profile <= 100 && in.Level <= 52, "%s has profile %d level %d", t.URL, in.Profile, in.Level)
	c.Report.Note("A01", "%s", in.Codec)
	for _, sps := range in.SPS {
		c.Report.Expect("A03", sps.FrameMbsOnlyFlag, "%s may be interlaced", t.URL)
	}
	if t.Variant != nil {
		codecs := strings.Split(t.Variant.Attributes["CODECS"], ",")
		c.Report.Expect("H47", slices.Contains(codecs, in.Codec), "%s is %s, CODECS=%v", t.URL, in.Codec, codecs)
	}
}

// judgeTransfer wants a listed thing at link speed: far faster than it plays (H12).
func (c *Checker) judgeTransfer(a *Answer) {
	c.Report.Expect("A15", a.Err != nil || a.Status/100 != 3, "%s redirects", a.URL)
	c.Report.Expect("H12", a.OK() && a.Spread() < jitter, "%s, body in %v", a, a.Spread().Round(time.Millisecond))
}

// judgeParts compares parts with what the playlist says of them, and with the
// segment that they make.
func (c *Checker) judgeParts(t *Track) {
	for _, hint := range t.Hints {
		if hint.OK() {
			c.Report.Expect("H13", hint.Spread() < 50*time.Millisecond, "%s: body in %v", hint.URL, hint.Spread().Round(time.Millisecond))
		}
	}
	judged := map[string]bool{}
	for _, v := range t.Versions {
		for _, s := range v.Playlist.Segments {
			c.judgeWhole(t, s)
			for _, part := range s.Parts {
				c.judgePartMedia(t, part, judged)
			}
		}
		for _, part := range v.Playlist.Parts {
			c.judgePartMedia(t, part, judged)
		}
	}
}

func (c *Checker) judgeWhole(t *Track, s Segment) {
	segment := t.Segments[s.Number]
	if segment == nil || !segment.OK() || len(s.Parts) == 0 {
		return
	}
	var joined []byte
	for _, part := range s.Parts {
		answer := t.Parts[part.URI]
		if answer == nil || !answer.OK() {
			return
		}
		joined = append(joined, answer.Body...)
	}
	c.Report.Expect("C01", bytes.Equal(joined, segment.Body), "%s is not its parts joined", segment.URL)
}

func (c *Checker) judgePartMedia(t *Track, part Part, judged map[string]bool) {
	answer := t.Parts[part.URI]
	if answer == nil || judged[part.URI] {
		return
	}
	judged[part.URI] = true
	if hint := t.Hints[part.URI]; hint != answer {
		c.judgeTransfer(answer)
	}
	chunks, err := ReadChunks(answer.Body, t.Init, t.Audio)
	if !c.Report.Expect("H09", answer.OK() && err == nil, "%s: %v", answer, err) {
		return
	}
	independent := chunks[0].FirstSync && chunks[0].FirstIDR
	c.Report.Expect("H09", part.Independent == independent, "%s: INDEPENDENT=%v, first sample sync %v, IDR %v",
		part.URI, part.Independent, chunks[0].FirstSync, chunks[0].FirstIDR)
	var duration float64
	for _, chunk := range chunks {
		duration += t.Init.seconds(chunk.Duration)
	}
	c.Report.Expect("A09", math.Abs(duration-part.Duration) < 0.001, "%s lasts %.6f s, listed %.6f s", part.URI, duration, part.Duration)
}

// judgeChunks goes through the fetched segments in order.
func (c *Checker) judgeChunks(t *Track) {
	numbers := t.numbers()
	for i, number := range numbers {
		chunks := t.Chunks[number]
		c.Report.Expect("A02", chunks[0].FirstIDR && chunks[0].FirstSync, "segment %d of %s does not begin with an IDR", number, t.URL)
		c.Report.Expect("C03", chunks[0].FirstSync, "segment %d of %s", number, t.URL)
		c.Report.Expect("H40", slices.ContainsFunc(chunks, func(k *Chunk) bool { return k.FirstSync && k.FirstIDR }), "segment %d of %s", number, t.URL)
		c.Report.Expect("C09", slices.ContainsFunc(chunks, func(k *Chunk) bool { return k.Reference != nil }), "segment %d of %s", number, t.URL)
		var previous *Chunk
		if i > 0 && numbers[i-1] == number-1 {
			before := t.Chunks[number-1]
			previous = before[len(before)-1]
		}
		for _, chunk := range chunks {
			c.judgeChunk(t, number, chunk, previous)
			previous = chunk
		}
		if !t.Audio {
			c.judgeKeyDistance(t, number, chunks)
		}
	}
}

func (c *Checker) judgeChunk(t *Track, number int64, chunk, previous *Chunk) {
	c.Report.Expect("C02", chunk.Trafs == 1 && chunk.Truns == 1 && chunk.BaseIsMoof && chunk.DataOffset,
		"segment %d of %s: %d trafs, %d truns", number, t.URL, chunk.Trafs, chunk.Truns)
	c.Report.Expect("C05", chunk.Defaults, "segment %d of %s relies on trex", number, t.URL)
	c.Report.Expect("C07", chunk.Version == 1, "segment %d of %s: tfdt version %d", number, t.URL, chunk.Version)
	if previous != nil {
		for _, id := range []string{"C01", "A07"} {
			c.Report.Expect(id, chunk.Start == previous.Start+previous.Duration, "segment %d of %s: tfdt %d, durations end at %d",
				number, t.URL, chunk.Start, previous.Start+previous.Duration)
		}
	}
	if chunk.hasBrand("slat") {
		c.Report.Expect("C08", true, "")
		c.Report.Note("C08", "segment %d of %s", number, t.URL)
	}
}

// judgeKeyDistance wants an IDR every two seconds (A02).
func (c *Checker) judgeKeyDistance(t *Track, number int64, chunks []*Chunk) {
	since := chunks[0].Start
	for _, chunk := range chunks {
		if chunk.FirstIDR {
			since = chunk.Start
		}
		gap := t.Init.seconds(chunk.Start + chunk.Duration - since)
		c.Report.Expect("A02", gap <= 2.01, "segment %d of %s: %.2f s without an IDR", number, t.URL, gap)
	}
}

// numbers are those of the segments that could be read, in order.
func (t *Track) numbers() []int64 {
	var out []int64
	for number := range t.Chunks {
		out = append(out, number)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

// judgeDurations compares sums of EXTINF with the media (A09).
func (c *Checker) judgeDurations(t *Track) {
	listed := map[int64]float64{}
	for _, v := range t.Versions {
		for _, s := range v.Playlist.Segments {
			listed[s.Number] = s.Duration
		}
	}
	var sum, real float64
	for _, number := range t.numbers() {
		chunks := t.Chunks[number]
		frame := t.Init.seconds(chunks[0].Duration) / float64(chunks[0].Samples)
		sum += listed[number]
		for _, chunk := range chunks {
			real += t.Init.seconds(chunk.Duration)
		}
		c.Report.Expect("A09", math.Abs(sum-real) <= frame, "%s up to segment %d: EXTINF %.6f s, media %.6f s", t.URL, number, sum, real)
	}
}
