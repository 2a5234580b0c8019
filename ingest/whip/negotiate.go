package whip

import (
	"net/http"
	"slices"

	"github.com/pion/webrtc/v4"

	"millrace/internal/media"
	"millrace/internal/rtc"
)

// wantedFeedback is what we send of RTCP's feedback.
var wantedFeedback = []string{"nack", "nack pli", "transport-cc"}

// wantedExtensions are the RTP header extensions that are used.
var wantedExtensions = []string{
	"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
	captureTime,
}

// captureTime stamps packets with the instant of their capture.
const captureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"

// extensionID is the number that an extension was negotiated with; 0: none.
func extensionID(source *webrtc.RTPReceiver, uri string) uint8 {
	for _, e := range source.GetParameters().HeaderExtensions {
		if e.URI == uri {
			return uint8(e.ID)
		}
	}
	return 0
}

// choose agrees to what of an offer can be decoded, and to which header
// extensions.
func choose(offer *rtc.Offer) (choices []rtc.Choice, extensions []string, err error) {
	extensions = wantedExtensions
	for i := range offer.Media {
		m := &offer.Media[i]
		choice := rtc.Choice{Media: m}
		for _, c := range m.Codecs {
			if !supported(m.Kind, c) {
				continue
			}
			c.Feedback = slices.DeleteFunc(slices.Clone(c.Feedback), func(f string) bool { return !slices.Contains(wantedFeedback, f) })
			if m.Kind == media.Audio {
				c.Format = stereo(c)
			}
			choice.Codecs = append(choice.Codecs, c)
		}
		if len(choice.Codecs) == 0 {
			return nil, nil, rtc.Refuse(http.StatusUnprocessableEntity,
				"no codec of the %v can be taken: H264 (packetization-mode=1), VP8, VP9 and AV1 of profile 0, and opus are", m.Kind)
		}
		if needed := offer.Simulcast(m); needed != nil && m.Kind == media.Video {
			choice.Layers = m.Layers
			extensions = slices.Concat(extensions, needed)
		}
		choices = append(choices, choice)
	}
	return choices, extensions, nil
}

func supported(kind media.Kind, c rtc.Codec) bool {
	if kind == media.Audio {
		return c.Name == "OPUS" && c.ClockRate == opusRate && c.Channels == 2 // as RFC 7587 §7 wants it said
	}
	if c.ClockRate != videoRate {
		return false
	}
	switch c.Name {
	case "H264":
		return c.Parameter("packetization-mode") == "1"
	case "VP8":
		return true
	case "VP9":
		return slices.Contains([]string{"", "0"}, c.Parameter("profile-id"))
	case "AV1":
		return slices.Contains([]string{"", "0"}, c.Parameter("profile"))
	}
	return false
}

// stereo is an Opus format by which the publisher may send two channels and
// protects them against loss: it does only what it was asked for (RFC 7587 §6.1).
func stereo(c rtc.Codec) string {
	format := c.Format
	for _, parameter := range []string{"stereo", "useinbandfec"} {
		if c.Parameter(parameter) != "" {
			continue
		}
		if format != "" {
			format += ";"
		}
		format += parameter + "=1"
	}
	return format
}
