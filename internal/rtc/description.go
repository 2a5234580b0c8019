package rtc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"millrace/internal/media"
)

// Choice is what of a section is agreed to: codecs of its offer, in order of
// preference, each with the feedback that is wanted of it.
type Choice struct {
	Media  *Media
	Codecs []Codec
	Layers []string // the simulcast of the section, where it is agreed to
	// Idle says why the section carries nothing: the answer has it inactive, with
	// these words in it (RFC 8866 §5.4). Empty: it carries something.
	Idle string
}

// description writes the offer again for pion, with nothing in it but what was
// chosen: data channels, unknown attributes and the addresses that the client
// names are left out.
func (o *Offer) description(choices []Choice, extensions []string, c credentials, version uint64) (string, error) {
	s := sdp.SessionDescription{Origin: o.origin, SessionName: "-", TimeDescriptions: []sdp.TimeDescription{{}}}
	s.Origin.SessionVersion += version
	if o.bundle != "" {
		s.Attributes = append(s.Attributes, sdp.Attribute{Key: "group", Value: o.bundle})
	}
	for _, choice := range choices {
		s.MediaDescriptions = append(s.MediaDescriptions, choice.section(extensions, c))
	}
	text, err := s.Marshal()
	if err != nil {
		return "", fmt.Errorf("write offer: %w", err)
	}
	return string(text), nil
}

func (c Choice) section(extensions []string, creds credentials) *sdp.MediaDescription {
	d := &sdp.MediaDescription{MediaName: c.Media.name}
	d.MediaName.Port.Value = 9
	d.MediaName.Formats = nil
	d.WithValueAttribute("mid", c.Media.MID)
	d.WithValueAttribute("ice-ufrag", creds.ufrag)
	d.WithValueAttribute("ice-pwd", creds.pwd)
	d.WithValueAttribute("ice-options", "trickle")
	d.WithValueAttribute("fingerprint", c.Media.fingerprint)
	if c.Media.setup != "" {
		d.WithValueAttribute("setup", c.Media.setup)
	}
	d.WithPropertyAttribute(c.Media.direction)
	d.WithPropertyAttribute("rtcp-mux")
	d.WithPropertyAttribute("rtcp-rsize")
	for _, extension := range c.Media.extensions {
		if fields := strings.Fields(extension); len(fields) >= 2 && slices.Contains(extensions, fields[1]) {
			d.WithValueAttribute("extmap", extension)
		}
	}
	for _, codec := range c.Codecs {
		codec.describe(d)
	}
	if len(c.Layers) > 0 {
		c.describeLayers(d)
	} else {
		d.Attributes = append(d.Attributes, c.Media.streams...)
	}
	return d
}

// describe adds a codec and its retransmissions to a section.
func (c Codec) describe(d *sdp.MediaDescription) {
	name := c.Name
	if c.Name == "OPUS" {
		name = "opus"
	}
	d.WithCodec(c.PayloadType, name, c.ClockRate, c.Channels, c.Format)
	for _, feedback := range c.Feedback {
		d.WithValueAttribute("rtcp-fb", strconv.Itoa(int(c.PayloadType))+" "+feedback)
	}
	if c.RTX != 0 {
		d.WithCodec(c.RTX, "rtx", c.ClockRate, 0, c.repairs())
	}
}

func (c Codec) repairs() string { return "apt=" + strconv.Itoa(int(c.PayloadType)) }

// engine registers what was chosen, and nothing else, with pion.
func engine(choices []Choice, extensions []string) (*webrtc.MediaEngine, error) {
	e := &webrtc.MediaEngine{}
	for _, choice := range choices {
		kind := webrtc.RTPCodecTypeAudio
		if choice.Media.Kind == media.Video {
			kind = webrtc.RTPCodecTypeVideo
		}
		for _, codec := range choice.Codecs {
			for _, parameters := range codec.parameters(choice.Media.Kind) {
				if err := e.RegisterCodec(parameters, kind); err != nil {
					return nil, malformed("payload type %d: %v", parameters.PayloadType, err)
				}
			}
		}
		for _, uri := range extensions {
			if err := e.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return nil, fmt.Errorf("register %s: %w", uri, err)
			}
		}
	}
	return e, nil
}

// parameters are the codec and its retransmissions as pion names them.
func (c Codec) parameters(kind media.Kind) []webrtc.RTPCodecParameters {
	capability := webrtc.RTPCodecCapability{
		MimeType: kind.String() + "/" + c.Name, ClockRate: c.ClockRate, Channels: c.Channels, SDPFmtpLine: c.Format,
	}
	for _, feedback := range c.Feedback {
		what, parameter, _ := strings.Cut(feedback, " ")
		capability.RTCPFeedback = append(capability.RTCPFeedback, webrtc.RTCPFeedback{Type: what, Parameter: parameter})
	}
	list := []webrtc.RTPCodecParameters{{RTPCodecCapability: capability, PayloadType: webrtc.PayloadType(c.PayloadType)}}
	if c.RTX != 0 {
		list = append(list, webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: kind.String() + "/rtx", ClockRate: c.ClockRate, SDPFmtpLine: c.repairs(),
			},
			PayloadType: webrtc.PayloadType(c.RTX),
		})
	}
	return list
}
