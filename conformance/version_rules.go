package main

import (
	"math"
	"strings"
)

// rounding is what decimals lose in a float64: 3*0.2 is above 0.6.
const rounding = 1e-9

// judgeVersion judges one version of a media playlist by its text alone.
func judgeVersion(r *Report, v *Version) {
	p := v.Playlist
	for _, fault := range p.Faults {
		id := "H44"
		if strings.Contains(fault, "first part") {
			id = "H41"
		}
		r.Expect(id, false, "%s %s", v.URL, fault)
	}
	r.Expect("H41", true, "")
	judgeSegments(r, v)
	judgeVersionNumber(r, v)
	r.Expect("A14", p.Discontinuity >= 0, "%s", v.URL)
	if p.Ended {
		r.Expect("H16", len(p.Hints) == 0, "%s has ENDLIST and a hint", v.URL)
		return
	}
	r.Expect("H36", p.Type == "", "%s has PLAYLIST-TYPE:%s", v.URL, p.Type)
	if !p.IFramesOnly {
		r.Expect("A12", len(p.Segments)+max(p.Skipped, 0) >= 6, "%s lists %d segments", v.URL, len(p.Segments))
		judgeLowLatency(r, v)
	}
}

func judgeSegments(r *Report, v *Version) {
	p := v.Playlist
	dated := false
	for _, s := range p.Segments {
		r.Expect("H01", int(math.Round(s.Duration)) <= p.TargetDuration, "%s: EXTINF %v", s.URI, s.Duration)
		r.Expect("A08", s.Duration <= float64(p.TargetDuration)+0.5, "%s: EXTINF %v", s.URI, s.Duration)
		dated = dated || !s.Date.IsZero()
		for i, part := range s.Parts {
			judgePart(r, p, part, i == len(s.Parts)-1)
		}
	}
	for i, part := range p.Parts {
		judgePart(r, p, part, i == len(p.Parts)-1)
	}
	if p.Skipped < 0 {
		r.Expect("A10", dated || len(p.Segments) == 0, "%s has no PROGRAM-DATE-TIME", v.URL)
	}
}

func judgePart(r *Report, p *Playlist, part Part, last bool) {
	target := Attributes{"": p.PartTarget}.Number("")
	if !r.Expect("H07", p.PartTarget != "", "parts without PART-INF") {
		return
	}
	r.Expect("H05", part.Duration <= target, "%s: %v > %v", part.URI, part.Duration, target)
	short := part.Duration < 0.85*target
	r.Expect("H06", !short || part.Independent || part.Gap || last, "%s: %v of %v", part.URI, part.Duration, target)
}

func judgeLowLatency(r *Report, v *Version) {
	p := v.Playlist
	if p.PartTarget == "" {
		return
	}
	target, control := Attributes{"": p.PartTarget}.Number(""), p.Control
	partHold, hold, skip := control.Number("PART-HOLD-BACK"), control.Number("HOLD-BACK"), control.Number("CAN-SKIP-UNTIL")
	goal := float64(p.TargetDuration)
	r.Expect("H07", control["PART-HOLD-BACK"] != "", "%s has PART-INF and no PART-HOLD-BACK", v.URL)
	r.Expect("H08", partHold >= 3*target-rounding, "PART-HOLD-BACK=%v, PART-TARGET=%v", partHold, target)
	r.Expect("H08", math.IsNaN(hold) || hold >= 3*goal, "HOLD-BACK=%v, TARGETDURATION=%v", hold, goal)
	r.Note("H08", "PART-TARGET=%v PART-HOLD-BACK=%v HOLD-BACK=%v", target, partHold, hold)
	if !math.IsNaN(skip) {
		r.Expect("H29", skip >= 6*goal, "CAN-SKIP-UNTIL=%v, TARGETDURATION=%v", skip, goal)
	}
	r.Expect("H29", control["CAN-SKIP-DATERANGES"] != "YES" || !math.IsNaN(skip), "CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL")
	r.Expect("A22", p.Length() <= 120 || !math.IsNaN(skip), "%.0f s listed without delta updates", p.Length())
	kinds := map[string]int{}
	for _, hint := range p.Hints {
		kinds[hint["TYPE"]]++
	}
	r.Expect("H14", kinds["PART"] == 1, "%s has %d part hints", v.URL, kinds["PART"])
	r.Expect("H14", kinds["MAP"] <= 1, "%s has %d map hints", v.URL, kinds["MAP"])
}

// judgeVersionNumber asks for no higher a version than the tags need (H44).
func judgeVersionNumber(r *Report, v *Version) {
	p, need := v.Playlist, 3
	if p.IFramesOnly || p.Tags["#EXT-X-BYTERANGE"] {
		need = 4
	}
	if p.Tags["#EXT-X-MAP"] && p.IFramesOnly {
		need = 5
	} else if p.Tags["#EXT-X-MAP"] {
		need = 6
	}
	if p.Tags["#EXT-X-DEFINE"] {
		need = 8
	}
	if p.Skipped >= 0 {
		need = 9
	}
	r.Expect("H44", p.Version >= need, "%s: EXT-X-VERSION:%d, tags need %d", v.URL, p.Version, need)
	r.Expect("H44", p.Version <= max(need, 10), "%s: EXT-X-VERSION:%d, tags need %d", v.URL, p.Version, need)
}
