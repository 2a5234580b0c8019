package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Checker follows one presentation and judges it.
type Checker struct {
	Report           *Report
	Client           *Client
	Length           time.Duration
	Master, Manifest string // URLs
	Schema           string // file of the MPD's; "" for none

	master *Master
	tracks []*Track
}

// Track is one media playlist of the presentation and what was fetched of it.
type Track struct {
	URL     string
	Audio   bool
	IFrames bool
	Variant *Variant // of video

	Versions []*Version
	Parts    map[string]*Answer // by URI as listed
	Hints    map[string]*Answer // asked for before they were listed
	Segments map[int64]*Answer
	Init     *Init
	Chunks   map[int64][]*Chunk // of fetched segments, in order
}

// Version is one playlist as it was received.
type Version struct {
	*Answer
	*Playlist
}

// Run does everything and fills the report. It fails when there is nothing to
// judge.
func (c *Checker) Run(ctx context.Context) error {
	answer := c.Client.Get(ctx, c.Master)
	if !answer.OK() {
		return fmt.Errorf("fetch multivariant playlist: %s", answer)
	}
	c.master = ParseMaster(string(answer.Body))
	if len(c.master.Variants) == 0 {
		return fmt.Errorf("fetch multivariant playlist: %s: it names no variant", c.Master)
	}
	checkMaster(c.Report, c.master)
	c.findTracks()
	c.follow(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	c.judgeTracks(ctx)
	c.judgeRequests(ctx)
	c.judgeManifest(ctx)
	return ctx.Err()
}

// findTracks lists each media playlist once.
func (c *Checker) findTracks() {
	seen := map[string]bool{}
	add := func(uri string, t Track) {
		t.URL = resolve(c.Master, uri)
		if uri == "" || seen[t.URL] {
			return
		}
		seen[t.URL] = true
		t.Parts, t.Hints, t.Segments = map[string]*Answer{}, map[string]*Answer{}, map[int64]*Answer{}
		c.tracks = append(c.tracks, &t)
	}
	for i := range c.master.Variants {
		v := &c.master.Variants[i]
		add(v.URI, Track{Variant: v, Audio: v.Attributes["RESOLUTION"] == "" && !strings.Contains(v.Attributes["CODECS"], "avc1")})
	}
	for _, media := range c.master.Media {
		if media["TYPE"] == "AUDIO" {
			add(media["URI"], Track{Audio: true})
		}
	}
	for i := range c.master.IFrames {
		add(c.master.IFrames[i].URI, Track{IFrames: true, Variant: &c.master.IFrames[i]})
	}
}

// media are the tracks that have segments of their own.
func (c *Checker) media() []*Track {
	var out []*Track
	for _, t := range c.tracks {
		if !t.IFrames {
			out = append(out, t)
		}
	}
	return out
}

// follow records every version of all playlists at the same time.
func (c *Checker) follow(ctx context.Context) {
	until := time.Now().Add(c.Length)
	var wait sync.WaitGroup
	for _, t := range c.tracks {
		wait.Go(func() {
			if t.IFrames {
				c.record(ctx, t, t.URL)
				return
			}
			c.followTrack(ctx, t, until)
		})
	}
	wait.Wait()
}

// record fetches one version; nil when none came.
func (c *Checker) record(ctx context.Context, t *Track, url string) *Version {
	answer := c.Client.Get(ctx, url)
	if !answer.OK() {
		return nil
	}
	v := &Version{answer, ParsePlaylist(string(answer.Body))}
	t.Versions = append(t.Versions, v)
	return v
}

func (c *Checker) followTrack(ctx context.Context, t *Track, until time.Time) {
	v := c.record(ctx, t, t.URL)
	for v != nil && time.Now().Before(until) && ctx.Err() == nil {
		number, part := v.next()
		var wait sync.WaitGroup
		for _, hint := range v.Hints {
			if uri := hint["URI"]; hint["TYPE"] == "PART" && t.Hints[uri] == nil {
				answer := &Answer{}
				t.Hints[uri] = answer
				wait.Go(func() { *answer = *c.Client.Get(ctx, resolve(t.URL, uri)) })
			}
		}
		url := t.URL
		switch {
		case v.Control["CAN-BLOCK-RELOAD"] == "YES" && part >= 0:
			url = fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", t.URL, number, part)
		case v.Control["CAN-BLOCK-RELOAD"] == "YES":
			url = fmt.Sprintf("%s?_HLS_msn=%d", t.URL, number)
		default:
			pause(ctx, time.Duration(v.TargetDuration)*time.Second/2)
		}
		next := c.record(ctx, t, url)
		if next != nil && url != t.URL {
			c.expectAsked(next, number, part)
		}
		if next == nil {
			c.Report.Expect("H24", false, "%s was not answered", url)
		}
		wait.Wait()
		if v = next; v != nil {
			c.fetchNew(ctx, t, v)
		}
	}
}

// next is what to ask for so as to learn of the next part.
func (v *Version) next() (number int64, part int) {
	number, part = v.Last()
	switch {
	case v.PartTarget == "":
		return number + 1, -1
	case len(v.Playlist.Parts) == 0:
		return number + 1, 0
	}
	return number, part + 1
}

// expectAsked judges a blocking answer by what was asked for (H24).
func (c *Checker) expectAsked(v *Version, number int64, part int) {
	gotNumber, gotPart := v.Last()
	whole := len(v.Playlist.Parts) == 0 // then gotNumber is complete
	there := gotNumber > number || gotNumber == number && (whole || part >= 0 && gotPart >= part)
	c.Report.Expect("H24", there, "asked for %d.%d, listed %d.%d", number, part, gotNumber, gotPart)
}

// fetchNew fetches what a version lists for the first time, of what it lists in
// parts: each part and each whole segment.
func (c *Checker) fetchNew(ctx context.Context, t *Track, v *Version) {
	fetch := func(part Part) {
		if t.Parts[part.URI] != nil || part.Gap {
			return
		}
		if hinted := t.Hints[part.URI]; hinted != nil && hinted.OK() {
			t.Parts[part.URI] = hinted
			return
		}
		t.Parts[part.URI] = c.Client.Get(ctx, resolve(t.URL, part.URI))
	}
	for i := max(len(v.Playlist.Segments)-2, 0); i < len(v.Playlist.Segments); i++ {
		s := v.Playlist.Segments[i]
		for _, part := range s.Parts {
			fetch(part)
		}
		if t.Segments[s.Number] == nil && !s.Gap {
			t.Segments[s.Number] = c.Client.Get(ctx, resolve(t.URL, s.URI))
		}
	}
	for _, part := range v.Playlist.Parts {
		fetch(part)
	}
}

// pause waits, or not when there is no more to do.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
