package rtc

import (
	"strings"

	"github.com/pion/sdp/v3"
)

// fragmentType is the media type of a fragment.
const fragmentType = "application/trickle-ice-sdpfrag"

// fragment is a part of SDP with ICE's credentials and candidates (RFC 8840
// §9).
type fragment struct {
	credentials credentials // empty where not said
	candidates  []string    // values of a=candidate
	ended       bool        // a=end-of-candidates
}

// parseFragment reads what a client sends with PATCH. Lines that mean nothing
// to us are left out; what is no line of SDP is malformed.
func parseFragment(text string) (f fragment, err error) {
	lines := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			continue
		}
		if lines++; lines > maxLines {
			return f, malformed("a fragment of more than %d lines", maxLines)
		}
		kind, value, ok := strings.Cut(line, "=")
		if !ok || len(kind) != 1 || kind[0] < 'a' || kind[0] > 'z' {
			return f, malformed("%.40q is no line of SDP", line)
		}
		if kind == "a" {
			f.take(value)
		}
	}
	if lines == 0 {
		return f, malformed("an empty fragment")
	}
	if f.credentials != (credentials{}) {
		err = f.credentials.check()
	}
	if err == nil && f.credentials == (credentials{}) && len(f.candidates) == 0 && !f.ended {
		err = malformed("a fragment without credentials and candidates")
	}
	return f, err
}

func (f *fragment) take(attribute string) {
	key, value, _ := strings.Cut(attribute, ":")
	switch key {
	case "ice-ufrag":
		f.credentials.ufrag = value
	case "ice-pwd":
		f.credentials.pwd = value
	case "candidate":
		if len(f.candidates) < maxCandidates {
			f.candidates = append(f.candidates, value)
		}
	case "end-of-candidates":
		f.ended = true
	}
}

// fragmentOf is the fragment of an answer: its first section's credentials and
// all candidates.
func fragmentOf(answer string) (string, error) {
	var s sdp.SessionDescription
	if err := s.UnmarshalString(answer); err != nil {
		return "", err
	}
	section := s.MediaDescriptions[0]
	var b strings.Builder
	if group, ok := s.Attribute("group"); ok {
		b.WriteString("a=group:" + group + "\r\n")
	}
	credentials, err := parseCredentials(&s, section)
	if err != nil {
		return "", err
	}
	b.WriteString("a=ice-options:trickle\r\n")
	b.WriteString("a=ice-ufrag:" + credentials.ufrag + "\r\na=ice-pwd:" + credentials.pwd + "\r\n")
	b.WriteString("m=" + section.MediaName.String() + "\r\n")
	mid, _ := section.Attribute("mid")
	b.WriteString("a=mid:" + mid + "\r\n")
	for _, a := range section.Attributes {
		if a.Key == "candidate" {
			b.WriteString("a=candidate:" + a.Value + "\r\n")
		}
	}
	b.WriteString("a=end-of-candidates\r\n")
	return b.String(), nil
}
