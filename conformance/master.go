package main

import (
	"strings"
)

// Master is a multivariant playlist.
type Master struct {
	Independent bool
	Variants    []Variant // EXT-X-STREAM-INF
	IFrames     []Variant // EXT-X-I-FRAME-STREAM-INF
	Media       []Attributes
	Tags        map[string]bool
	Faults      []string
}

// Variant is one of its streams.
type Variant struct {
	Attributes
	URI string
}

// ParseMaster reads a multivariant playlist.
func ParseMaster(text string) *Master {
	m := &Master{Tags: make(map[string]bool)}
	reader := &Playlist{} // for its attribute lists
	var open *Variant
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		tag, value, _ := strings.Cut(line, ":")
		m.Tags[tag] = true
		switch {
		case tag == "#EXT-X-INDEPENDENT-SEGMENTS":
			m.Independent = true
		case tag == "#EXT-X-STREAM-INF":
			open = &Variant{Attributes: reader.attributes(i+1, value)}
		case tag == "#EXT-X-I-FRAME-STREAM-INF":
			a := reader.attributes(i+1, value)
			m.IFrames = append(m.IFrames, Variant{a, a["URI"]})
		case tag == "#EXT-X-MEDIA":
			m.Media = append(m.Media, reader.attributes(i+1, value))
		case line != "" && !strings.HasPrefix(line, "#") && open != nil:
			open.URI = line
			m.Variants = append(m.Variants, *open)
			open = nil
		}
	}
	m.Faults = reader.Faults
	return m
}

// checkMaster judges what needs nothing but its text.
func checkMaster(r *Report, m *Master) {
	for _, fault := range m.Faults {
		r.Expect("A16", false, "multivariant playlist %s", fault)
	}
	stereo := false
	for _, media := range m.Media {
		if media["TYPE"] != "VIDEO" {
			r.Expect("A11", media["LANGUAGE"] != "", "%s %q has no LANGUAGE", media["TYPE"], media["NAME"])
		}
		stereo = stereo || media["TYPE"] == "AUDIO" && media["CHANNELS"] == "2"
	}
	if len(m.Media) > 0 {
		r.Expect("A05", stereo, "no EXT-X-MEDIA of audio has CHANNELS=\"2\"")
	}
	for _, v := range m.Variants {
		for _, name := range []string{"CODECS", "RESOLUTION", "FRAME-RATE", "AVERAGE-BANDWIDTH", "BANDWIDTH"} {
			audioOnly := v.Attributes["RESOLUTION"] == "" && !strings.Contains(v.Attributes["CODECS"], "avc1")
			if audioOnly && (name == "RESOLUTION" || name == "FRAME-RATE") {
				continue
			}
			r.Expect("A16", v.Attributes[name] != "", "%s has no %s", v.URI, name)
		}
		if rate := v.Number("FRAME-RATE"); rate == rate {
			r.Expect("A03", rate <= 60, "%s has FRAME-RATE=%v", v.URI, rate)
		}
		r.Expect("A05", strings.Contains(v.Attributes["CODECS"], "mp4a.40.2"), "CODECS of %s: %q", v.URI, v.Attributes["CODECS"])
	}
	for _, v := range m.IFrames {
		for _, name := range []string{"CODECS", "RESOLUTION", "BANDWIDTH"} {
			r.Expect("A16", v.Attributes[name] != "", "I-frame stream %s has no %s", v.URI, name)
		}
	}
	r.Expect("A06", len(m.IFrames) > 0, "no EXT-X-I-FRAME-STREAM-INF")
	r.Note("A16", "%d variants, %d I-frame streams", len(m.Variants), len(m.IFrames))
}
