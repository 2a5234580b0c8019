package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"
)

// atOnce is how soon an answer that waits for nothing must be there.
const atOnce = 250 * time.Millisecond

// judgeRequests asks one by one for what only a crafted request shows.
func (c *Checker) judgeRequests(ctx context.Context) {
	for _, t := range c.media() {
		if len(t.Versions) == 0 {
			continue
		}
		c.judgeTransport(ctx, t)
		if !t.Audio && t.newest().Control["CAN-BLOCK-RELOAD"] == "YES" && !t.newest().Ended {
			c.judgeDirectives(ctx, t)
			c.judgeRefusals(ctx, t)
			c.judgeAtomicity(ctx, t)
		}
		if t.newest().Control["CAN-SKIP-UNTIL"] != "" && !t.newest().Ended {
			c.judgeDelta(ctx, t, "YES")
			c.judgeDelta(ctx, t, "v2")
		}
		c.judgeRemoved(ctx, t)
	}
}

// ask fetches a playlist with a query and reads it where it is one.
func (c *Checker) ask(ctx context.Context, t *Track, query string) *Version {
	answer := c.Client.Get(ctx, t.URL+query)
	v := &Version{Answer: answer, Playlist: ParsePlaylist("#EXTM3U")}
	if answer.OK() {
		v.Playlist = ParsePlaylist(string(answer.Body))
	}
	return v
}

func (c *Checker) judgeDirectives(ctx context.Context, t *Track) {
	v := c.ask(ctx, t, "")
	number, _ := v.Last()
	whole := v.complete()
	partTarget := Attributes{"": v.PartTarget}.Number("")

	b := c.ask(ctx, t, fmt.Sprintf("?_HLS_msn=%d", whole+1))
	c.Report.Expect("H24", b.OK() && b.complete() >= whole+1, "_HLS_msn=%d alone: %s, whole up to %d", whole+1, b.Answer, b.complete())

	if n := len(v.Playlist.Segments); n > 1 && len(v.Playlist.Segments[n-2].Parts) > 0 {
		past := c.ask(ctx, t, fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", whole-1, len(v.Playlist.Segments[n-2].Parts)))
		c.Report.Expect("H23", past.OK() && past.First.Sub(past.Asked) < atOnce, "part past the last of %d: %s", whole-1, past.Answer)
	}
	if !math.IsNaN(partTarget) {
		limit := 3
		if partTarget < 1 {
			limit = int(math.Ceil(3 / partTarget))
		}
		far := c.ask(ctx, t, fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", number, limit*2+20))
		c.Report.Expect("H22", far.Status == http.StatusBadRequest, "part %d of %d: %s", limit*2+20, number, far.Answer)
	}
	old := c.ask(ctx, t, fmt.Sprintf("?_HLS_msn=%d&_HLS_part=0", max(v.Sequence-5, 0)))
	c.Report.Expect("H25", old.OK() && old.Skipped < 0 && len(old.Playlist.Segments) > 0, "MSN before the window: %s", old.Answer)
	bare := c.ask(ctx, t, "?_HLS_part=0")
	c.Report.Expect("H20", bare.Status == http.StatusBadRequest, "%s", bare.Answer)
	ahead := c.ask(ctx, t, fmt.Sprintf("?_HLS_msn=%d", number+5))
	c.Report.Expect("H21", ahead.Status == http.StatusBadRequest && ahead.First.Sub(ahead.Asked) < atOnce, "%s", ahead.Answer)
}

// judgeRefusals sends directives that make no sense (H28) and asks for what is
// not there (H48).
func (c *Checker) judgeRefusals(ctx context.Context, t *Track) {
	number, _ := t.newest().Last()
	for _, query := range []string{
		"?_HLS_msn=-1", "?_HLS_msn=abc", "?_HLS_msn=", "?_HLS_msn=1e3", "?_HLS_msn=0x10", "?_HLS_msn=99999999999999999999999",
		"?_HLS_msn=9223372036854775807", fmt.Sprintf("?_HLS_msn=%d&_HLS_msn=%d", number, number+1),
		fmt.Sprintf("?_HLS_msn=%d&_HLS_part=-1", number), fmt.Sprintf("?_HLS_msn=%d&_HLS_part=x", number),
		fmt.Sprintf("?_HLS_msn=%d&_HLS_part=99999999999999999999", number),
	} {
		a := c.Client.Get(ctx, t.URL+query)
		c.Report.Expect("H28", a.Err == nil && a.Status/100 == 4 && a.First.Sub(a.Asked) < time.Second, "%s", a)
	}
	for _, uri := range []string{"999999999999.m4s", "999999999999.0.m4s", "nothing.m4s", "init-000000000000.mp4"} {
		a := c.Client.Get(ctx, resolve(t.URL, uri))
		c.Report.Expect("H48", a.Status == http.StatusNotFound, "%s", a)
	}
}

// judgeAtomicity reads the playlist many times at once (H44).
func (c *Checker) judgeAtomicity(ctx context.Context, t *Track) {
	const readers, reads = 20, 50
	var wait sync.WaitGroup
	for range readers {
		wait.Go(func() {
			for range reads {
				v := c.ask(ctx, t, "")
				c.Report.Expect("H44", v.OK() && len(v.Faults) == 0 && len(v.Playlist.Segments) > 0, "%s: %v", v.Answer, v.Faults)
			}
		})
	}
	wait.Wait()
	c.Report.Note("H44", "%d reads by %d at once", readers*reads, readers)
}

// judgeDelta puts a delta update on the newest copy and compares with the whole
// playlist of the same moment (H30).
func (c *Checker) judgeDelta(ctx context.Context, t *Track, value string) {
	for range 5 { // until no part came in between
		before := c.ask(ctx, t, "")
		delta := c.ask(ctx, t, "?_HLS_skip="+value)
		full := c.ask(ctx, t, "")
		if before.place() != full.place() || !delta.OK() {
			continue
		}
		if delta.Skipped < 0 {
			c.Report.NotYet("H30", fmt.Sprintf("the window of %.0f s has nothing to skip", full.Length()))
			return
		}
		segments := full.Playlist.Segments
		if !c.Report.Expect("H30", delta.Skipped+len(delta.Playlist.Segments) == len(segments), "%s: %d skipped and %d listed of %d",
			delta.URL, delta.Skipped, len(delta.Playlist.Segments), len(segments)) {
			return
		}
		for i, s := range delta.Playlist.Segments {
			want := segments[delta.Skipped+i]
			same := s.URI == want.URI && s.Duration == want.Duration && s.Gap == want.Gap && len(s.Parts) == len(want.Parts)
			c.Report.Expect("H30", same, "%s: number %d differs from the whole playlist", delta.URL, want.Number)
		}
		c.Report.Expect("H30", delta.Length() >= full.Control.Number("CAN-SKIP-UNTIL"), "%s: what is left lasts %.1f s", delta.URL, delta.Length())
		c.Report.Expect("H44", delta.Playlist.Version >= 9, "a delta with EXT-X-VERSION:%d", delta.Playlist.Version)
		c.Report.Note("H30", "%d of %d segments skipped", delta.Skipped, len(segments))
		return
	}
}

// judgeRemoved asks again for what was listed and is no longer (H35).
func (c *Checker) judgeRemoved(ctx context.Context, t *Track) {
	first := t.Versions[0].Playlist.Segments
	for _, s := range first {
		if s.Number < t.newest().Sequence && !s.Gap {
			a := c.Client.Get(ctx, resolve(t.URL, s.URI))
			c.Report.Expect("H35", a.OK(), "removed %s", a)
		}
	}
}

// judgeTransport looks at headers and forms of HTTP.
func (c *Checker) judgeTransport(ctx context.Context, t *Track) {
	playlist := c.Client.Get(ctx, t.URL, "Accept-Encoding", "gzip")
	c.Report.Expect("A19", playlist.Header.Get("Content-Encoding") == "gzip", "%s is not gzipped", t.URL)
	c.Report.Expect("H45", playlist.Header.Get("Content-Encoding") == "gzip", "%s is not gzipped", t.URL)
	text, err := playlist.Unpacked()
	c.Report.Expect("H45", err == nil && bytes.HasPrefix(text, []byte("#EXTM3U")), "%s unpacked is no playlist", t.URL)
	c.expectType(playlist, "application/vnd.apple.mpegurl", "audio/mpegurl")
	c.expectPriority(playlist, "u=1")
	for _, v := range t.Versions {
		c.Report.Expect("A15", v.Status/100 != 3, "%s redirects", v.URL)
	}
	v := c.ask(ctx, t, "")
	segments := v.Playlist.Segments
	if len(segments) == 0 || segments[len(segments)-1].Gap {
		return
	}
	last := segments[len(segments)-1]
	url := resolve(t.URL, last.URI)
	whole, again := c.Client.Get(ctx, url), c.Client.Get(ctx, url)
	c.Report.Expect("H45", whole.OK() && bytes.Equal(whole.Body, again.Body), "%s gave other bytes the second time", url)
	c.expectType(whole, "video/mp4", "audio/mp4", "video/iso.segment")
	c.expectPriority(whole, "u=2", "u=3", "u=4", "u=5", "u=6")
	if len(whole.Body) > 200 {
		part := c.Client.Get(ctx, url, "Range", "bytes=100-199")
		c.Report.Expect("H45", part.Status == http.StatusPartialContent && bytes.Equal(part.Body, whole.Body[100:200]), "range of %s", part)
	}
	if init := c.Client.Get(ctx, resolve(t.URL, last.Map)); init.OK() {
		c.expectType(init, "video/mp4", "audio/mp4")
	}
	c.Report.Note("H45", "over %s", whole.Proto)
}

func (c *Checker) expectType(a *Answer, allowed ...string) {
	got, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	for _, kind := range allowed {
		if got == kind {
			c.Report.Expect("A19", true, "")
			return
		}
	}
	c.Report.Expect("A19", false, "%s has Content-Type %q", a.URL, got)
}

func (c *Checker) expectPriority(a *Answer, urgencies ...string) {
	got := a.Header.Get("Priority")
	for _, urgency := range urgencies {
		if strings.Contains(got, urgency) {
			c.Report.Expect("H46", true, "")
			return
		}
	}
	c.Report.Expect("H46", false, "%s has priority %q", a.URL, got)
}
