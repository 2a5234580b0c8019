package main

import (
	"time"
)

// jitter is what scheduling and the network may add to a time measured here.
const jitter = 100 * time.Millisecond

// judgeSeries judges the versions of one playlist in the order they came.
func judgeSeries(r *Report, t *Track) {
	var lastPart, lastSegment time.Time
	for i, v := range t.Versions {
		judgeVersion(r, v)
		if i == 0 {
			continue
		}
		before := t.Versions[i-1]
		judgeStep(r, before, v)
		newNumber, newPart := v.Last()
		oldNumber, oldPart := before.Last()
		if newNumber != oldNumber || newPart != oldPart {
			if !lastPart.IsZero() && v.PartTarget != "" {
				limit := time.Duration(Attributes{"": v.PartTarget}.Number("") * float64(time.Second))
				gap := v.First.Sub(lastPart)
				r.Expect("H10", gap <= limit+jitter, "%s: %v after the last part", v.URL, gap.Round(time.Millisecond))
			}
			lastPart = v.First
		}
		if v.complete() > before.complete() {
			if !lastSegment.IsZero() {
				limit := time.Duration(v.TargetDuration) * 3 * time.Second / 2
				gap := v.First.Sub(lastSegment)
				r.Expect("H11", gap <= limit+jitter, "%s: %v after the last segment", v.URL, gap.Round(time.Millisecond))
			}
			lastSegment = v.First
		}
	}
	r.Note("H10", "with %v of jitter allowed", jitter)
	r.Note("H11", "with %v of jitter allowed", jitter)
}

// complete is the number of the newest whole segment.
func (v *Version) complete() int64 {
	return v.Sequence + int64(max(v.Skipped, 0)) + int64(len(v.Playlist.Segments)) - 1
}

// judgeStep compares a version with the one before it.
func judgeStep(r *Report, before, v *Version) {
	r.Expect("H02", before.TargetDuration == v.TargetDuration, "%d, then %d", before.TargetDuration, v.TargetDuration)
	r.Expect("H04", before.PartTarget == v.PartTarget, "PART-TARGET %s, then %s", before.PartTarget, v.PartTarget)
	r.Expect("H04", before.Control["PART-HOLD-BACK"] == v.Control["PART-HOLD-BACK"], "PART-HOLD-BACK changed")
	r.Expect("H33", v.Sequence >= before.Sequence, "MEDIA-SEQUENCE %d, then %d", before.Sequence, v.Sequence)
	r.Expect("H33", v.Discontinuity >= before.Discontinuity, "DISCONTINUITY-SEQUENCE %d, then %d", before.Discontinuity, v.Discontinuity)
	known := map[int64]Segment{}
	for _, s := range before.Playlist.Segments {
		known[s.Number] = s
	}
	for _, s := range v.Playlist.Segments {
		if old, ok := known[s.Number]; ok {
			r.Expect("H33", old.URI == s.URI && old.Duration == s.Duration, "number %d was %s (%v), is %s (%v)",
				s.Number, old.URI, old.Duration, s.URI, s.Duration)
		}
	}
	if v.Sequence > before.Sequence {
		r.Expect("H34", v.Length() >= 3*float64(v.TargetDuration), "%.1f s left after a removal", v.Length())
	}
	judgeHint(r, before, v)
}

// judgeHint looks for the part that the version before promised (H14).
func judgeHint(r *Report, before, v *Version) {
	newNumber, newPart := v.Last()
	oldNumber, oldPart := before.Last()
	if newNumber == oldNumber && newPart == oldPart || v.Ended {
		return
	}
	listed := map[string]bool{}
	for _, s := range v.Playlist.Segments {
		for _, part := range s.Parts {
			listed[part.URI] = true
		}
	}
	for _, part := range v.Playlist.Parts {
		listed[part.URI] = true
	}
	for _, hint := range before.Hints {
		if hint["TYPE"] == "PART" {
			r.Expect("H14", listed[hint["URI"]], "hinted %s is not in the next version", hint["URI"])
		}
	}
}

// judgeTogether compares the playlists of one presentation with each other.
func judgeTogether(r *Report, tracks []*Track) {
	var first *Version
	for _, t := range tracks {
		for _, v := range t.Versions {
			if first == nil {
				first = v
			}
			r.Expect("H03", v.TargetDuration == first.TargetDuration, "%s: %d, %s: %d", v.URL, v.TargetDuration, first.URL, first.TargetDuration)
			same := len(v.Control) == len(first.Control)
			for name, value := range first.Control {
				same = same && v.Control[name] == value
			}
			r.Expect("H19", same, "%s: %v, %s: %v", v.URL, v.Control, first.URL, first.Control)
		}
	}
	judgeSync(r, tracks)
	judgeReports(r, tracks)
}

// place orders what playlists list: a whole segment comes after all its parts.
type place struct {
	number int64
	part   int
}

const wholeSegment = 1 << 20

func (p place) before(q place) bool {
	return p.number < q.number || p.number == q.number && p.part < q.part
}

func (v *Version) place() place {
	number, part := v.Last()
	if len(v.Playlist.Parts) == 0 {
		part = wholeSegment
	}
	return place{number, part}
}

// judgeSync wants each place in all playlists within one part target (H18).
func judgeSync(r *Report, tracks []*Track) {
	appeared := map[place][]time.Time{}
	var limit time.Duration
	count := 0
	for _, t := range tracks {
		if t.IFrames || len(t.Versions) < 2 {
			continue
		}
		count++
		for _, v := range t.Versions[1:] { // the first was there for an unknown time
			limit = max(limit, time.Duration(Attributes{"": v.PartTarget}.Number("")*float64(time.Second)))
			if at := v.place(); len(v.Playlist.Parts) > 0 {
				appeared[at] = append(appeared[at], v.First)
			}
		}
	}
	for at, times := range appeared {
		if len(times) != count || count < 2 {
			continue
		}
		first, last := times[0], times[0]
		for _, moment := range times {
			if moment.Before(first) {
				first = moment
			}
			if moment.After(last) {
				last = moment
			}
		}
		r.Expect("H18", last.Sub(first) <= limit+jitter, "part %d.%d: %v apart", at.number, at.part, last.Sub(first))
	}
}

// judgeReports compares each rendition report with what the other playlist
// listed at about that time (H17).
func judgeReports(r *Report, tracks []*Track) {
	byURL := map[string]*Track{}
	for _, t := range tracks {
		if !t.IFrames {
			byURL[t.URL] = t
		}
	}
	for url, t := range byURL {
		for _, v := range t.Versions {
			if v.PartTarget == "" || v.Ended {
				continue
			}
			seen := map[string]bool{}
			for _, report := range v.Reports {
				other := byURL[resolve(url, report["URI"])]
				if !r.Expect("H17", other != nil && other != t, "%s reports %q", url, report["URI"]) {
					continue
				}
				seen[other.URL] = true
				judgeReport(r, v, report, other)
			}
			r.Expect("H17", len(seen) == len(byURL)-1, "%s reports %d of %d other playlists", url, len(seen), len(byURL)-1)
		}
	}
}

func judgeReport(r *Report, v *Version, report Attributes, other *Track) {
	own, _ := v.Last()
	at := place{int64(report.Number("LAST-MSN")), int(report.Number("LAST-PART"))}
	if report["LAST-MSN"] == "" {
		at.number = own
	}
	slack := time.Duration(Attributes{"": v.PartTarget}.Number("")*float64(time.Second)) + jitter
	for _, w := range other.Versions {
		theirs := w.place()
		if parts := len(w.Playlist.Parts); parts == 0 && len(w.Playlist.Segments) > 0 {
			theirs.part = len(w.Playlist.Segments[len(w.Playlist.Segments)-1].Parts) - 1
		}
		if w.First.Before(v.First.Add(-slack)) {
			r.Expect("H17", !at.before(theirs), "%s reports %v of %s, which had %v before", v.URL, at, other.URL, theirs)
		}
		if w.Asked.After(v.Done) {
			r.Expect("H17", !theirs.before(at), "%s reports %v of %s, which has %v later", v.URL, at, other.URL, theirs)
		}
	}
}
