package rtc

import (
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
)

// maxLayers bounds the streams of a simulcast; browsers send three.
const maxLayers = 4

// The header extensions without which the streams of a simulcast cannot be told
// apart (RFC 8852).
var layerExtensions = []string{sdp.SDESMidURI, sdp.SDESRTPStreamIDURI, sdp.SDESRepairRTPStreamIDURI}

// parseLayers reads what is offered to be sent as a simulcast (RFC 8853 §5.1):
// of alternatives the first, what is paused too. nil: nothing sensible.
func parseLayers(section *sdp.MediaDescription) []string {
	value, _ := section.Attribute("simulcast")
	fields := strings.Fields(value)
	at := slices.Index(fields, "send")
	if at < 0 || at+1 >= len(fields) {
		return nil
	}
	var layers []string
	for alternatives := range strings.SplitSeq(fields[at+1], ";") {
		rid, _, _ := strings.Cut(alternatives, ",")
		rid = strings.TrimPrefix(rid, "~")
		if !restricted(section, rid) || slices.Contains(layers, rid) || len(layers) == maxLayers {
			return nil
		}
		layers = append(layers, rid)
	}
	return layers
}

// restricted says that a section describes the rid to be sent (RFC 8851 §4).
func restricted(section *sdp.MediaDescription, rid string) bool {
	const longest = 16
	if rid == "" || len(rid) > longest || strings.ContainsFunc(rid, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) {
		return false
	}
	return slices.ContainsFunc(section.Attributes, func(a sdp.Attribute) bool {
		fields := strings.Fields(a.Value)
		return a.Key == "rid" && len(fields) > 1 && fields[0] == rid && fields[1] == "send"
	})
}

// Simulcast are the extensions to agree to for a section to be taken as a
// simulcast; nil where it is none, or where its streams, or those of the other
// sections, could not be told apart.
func (o *Offer) Simulcast(m *Media) []string {
	if len(m.Layers) < 2 {
		return nil
	}
	for i := range o.Media {
		other := &o.Media[i]
		if other.MID != m.MID && !slices.ContainsFunc(other.streams, func(a sdp.Attribute) bool { return a.Key == "ssrc" }) {
			return nil
		}
	}
	for _, uri := range layerExtensions {
		if !slices.ContainsFunc(m.extensions, func(value string) bool {
			fields := strings.Fields(value)
			return len(fields) > 1 && fields[1] == uri
		}) {
			return nil
		}
	}
	return layerExtensions
}

// describeLayers adds the simulcast to a section. Its streams are told apart by
// their packets; pion wants them to have a name.
func (c Choice) describeLayers(d *sdp.MediaDescription) {
	for _, rid := range c.Layers {
		d.WithValueAttribute("rid", rid+" send")
	}
	d.WithValueAttribute("simulcast", "send "+strings.Join(c.Layers, ";"))
	for _, a := range c.Media.streams {
		if a.Key == "msid" {
			d.Attributes = append(d.Attributes, a)
			return
		}
	}
	d.WithValueAttribute("msid", "- "+c.Media.MID)
}
