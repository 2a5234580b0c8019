package rtc

import (
	"bytes"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"millrace/internal/media"
)

// Direction is which way media flows, seen from the client that offers.
type Direction bool

// The directions of an offer.
const (
	Sends    Direction = false // WHIP
	Receives Direction = true  // WHEP
)

// Offer is a client's offer that was found sane: at most one audio and one
// video section, bundled, RTP and RTCP on one port, with credentials. It is
// immutable.
type Offer struct {
	Media []Media

	origin      sdp.Origin
	bundle      string // value of a=group; empty: none
	passive     bool   // the client wants to be the DTLS server
	credentials credentials
	candidates  []string // values of a=candidate
}

// Media is one section of an offer.
type Media struct {
	Kind   media.Kind
	MID    string
	Codecs []Codec // in the client's order
	// Layers are the streams of a simulcast by their rid (RFC 8853), in the
	// client's order; nil: one stream.
	Layers []string

	name        sdp.MediaName
	fingerprint string
	setup       string
	direction   string
	extensions  []string // values of a=extmap
	streams     []sdp.Attribute
	feedback    []string // of all payload types
}

const (
	maxLines = 2000 // of an offer; a browser's has about 200
	maxMedia = 2
)

// ParseOffer judges an offer. Its errors are Refusals.
func ParseOffer(text []byte, direction Direction) (*Offer, error) {
	if err := skim(text); err != nil {
		return nil, err
	}
	var s sdp.SessionDescription
	if err := s.Unmarshal(text); err != nil {
		return nil, malformed("malformed SDP: %v", err)
	}
	o := &Offer{origin: s.Origin}
	o.bundle, _ = s.Attribute("group")
	for _, section := range s.MediaDescriptions {
		m, err := parseMedia(&s, section, direction)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(o.Media, func(other Media) bool { return other.Kind == m.Kind || other.MID == m.MID }) {
			return nil, unprocessable("more than one %v section", m.Kind)
		}
		o.Media = append(o.Media, m)
		for _, a := range section.Attributes {
			if a.Key == "candidate" && len(o.candidates) < maxCandidates {
				o.candidates = append(o.candidates, a.Value)
			}
		}
	}
	if err := o.checkBundle(); err != nil {
		return nil, err
	}
	o.passive = o.Media[0].setup == "passive"
	var err error
	o.credentials, err = parseCredentials(&s, s.MediaDescriptions[0])
	return o, err
}

// skim refuses what is not worth parsing (F23).
func skim(text []byte) error {
	if !bytes.HasPrefix(text, []byte("v=0")) {
		return malformed("this is no SDP")
	}
	if bytes.Count(text, []byte("\n")) > maxLines {
		return malformed("SDP of more than %d lines", maxLines)
	}
	switch sections := bytes.Count(text, []byte("\nm=")); {
	case sections == 0:
		return unprocessable("an offer without media")
	case sections > maxMedia:
		return unprocessable("%d media sections: one audio and one video at most", sections)
	}
	return nil
}

func parseMedia(s *sdp.SessionDescription, section *sdp.MediaDescription, direction Direction) (m Media, err error) {
	m.name = section.MediaName
	switch m.name.Media {
	case "audio":
		m.Kind = media.Audio
	case "video":
		m.Kind = media.Video
	default:
		return m, unprocessable("a section of kind %q", m.name.Media)
	}
	either := func(key string) string {
		value, ok := section.Attribute(key)
		if !ok {
			value, _ = s.Attribute(key)
		}
		return value
	}
	_, mux := section.Attribute("rtcp-mux")
	_, bundleOnly := section.Attribute("bundle-only")
	m.MID, _ = section.Attribute("mid")
	m.fingerprint, m.setup = either("fingerprint"), either("setup")
	m.direction = directionOf(s, section)
	switch {
	case !slices.Contains(m.name.Protos, "SAVPF"):
		return m, unprocessable("%v: only UDP/TLS/RTP/SAVPF is supported", m.Kind)
	case m.name.Port.Value == 0 && !bundleOnly:
		return m, unprocessable("%v: a section that is switched off", m.Kind)
	case !mux:
		return m, unprocessable("%v: rtcp-mux is required", m.Kind)
	case m.MID == "":
		return m, unprocessable("%v: a section without mid", m.Kind)
	case m.fingerprint == "":
		return m, malformed("%v: no DTLS fingerprint", m.Kind)
	case !slices.Contains([]string{"actpass", "active", "passive", ""}, m.setup):
		return m, unprocessable("%v: setup:%s", m.Kind, m.setup)
	}
	if wanted := wantedDirection(direction); m.direction != "sendrecv" && m.direction != wanted {
		return m, unprocessable("%v is %s: %s is required", m.Kind, m.direction, wanted)
	}
	m.parseAttributes(section)
	return m, nil
}

func wantedDirection(d Direction) string {
	if d == Sends {
		return "sendonly"
	}
	return "recvonly"
}

func directionOf(s *sdp.SessionDescription, section *sdp.MediaDescription) string {
	for _, attributes := range [][]sdp.Attribute{section.Attributes, s.Attributes} {
		for _, a := range attributes {
			if isDirection(a) {
				return a.Key
			}
		}
	}
	return "sendrecv"
}

func isDirection(a sdp.Attribute) bool {
	switch a.Key {
	case "sendrecv", "sendonly", "recvonly", "inactive":
		return true
	}
	return false
}

// parseAttributes keeps what media needs.
func (m *Media) parseAttributes(section *sdp.MediaDescription) {
	formats := map[string]string{}
	m.Layers = parseLayers(section)
	for _, a := range section.Attributes {
		switch a.Key {
		case "extmap":
			m.extensions = append(m.extensions, a.Value)
		case "rtcp-fb":
			m.feedback = append(m.feedback, a.Value)
		case "ssrc", "msid":
			m.streams = append(m.streams, a)
		case "ssrc-group":
			if strings.HasPrefix(a.Value, "FID ") {
				m.streams = append(m.streams, a)
			}
		case "fmtp":
			if payloadType, parameters, ok := strings.Cut(a.Value, " "); ok {
				formats[payloadType] = parameters
			}
		}
	}
	m.Codecs = parseCodecs(section, formats, m.feedback)
}

// checkBundle wants all sections on one transport (W05).
func (o *Offer) checkBundle() error {
	if len(o.Media) < 2 {
		return nil
	}
	grouped := strings.Fields(o.bundle)
	for _, m := range o.Media {
		if len(grouped) == 0 || grouped[0] != "BUNDLE" || !slices.Contains(grouped[1:], m.MID) {
			return unprocessable("all sections must be in one BUNDLE group")
		}
	}
	return nil
}

// Find is the section of a kind, or nil.
func (o *Offer) Find(kind media.Kind) *Media {
	for i := range o.Media {
		if o.Media[i].Kind == kind {
			return &o.Media[i]
		}
	}
	return nil
}
