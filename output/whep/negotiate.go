package whep

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"millrace/internal/media"
	"millrace/internal/rtc"
)

const (
	videoRate = 90000 // Hz
	opusRate  = 48000

	congestionURI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)

// wantedFeedback is what viewers may tell us.
var wantedFeedback = []string{"nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"}

// choose finds how what is on air can be sent to a viewer.
func (p *Program) choose(offer *rtc.Offer) ([]rtc.Choice, error) {
	var choices []rtc.Choice
	for i := range offer.Media {
		m := &offer.Media[i]
		var codec rtc.Codec
		var ok bool
		if m.Kind == media.Video {
			codec, ok = p.chooseVideo(m.Codecs)
		} else {
			codec, ok = chooseAudio(m.Codecs)
		}
		if !ok {
			return nil, rtc.Refuse(http.StatusUnprocessableEntity,
				"the offer's %v has no codec that is sent: H264 with packetization-mode=1, opus", m.Kind)
		}
		best := slices.Contains(codec.Feedback, "transport-cc")
		codec.Feedback = slices.DeleteFunc(slices.Clone(codec.Feedback), func(f string) bool {
			return !slices.Contains(wantedFeedback, f) || best && f == "goog-remb"
		})
		choices = append(choices, rtc.Choice{Media: m, Codecs: []rtc.Codec{codec}})
	}
	return choices, nil
}

func chooseAudio(codecs []rtc.Codec) (rtc.Codec, bool) {
	i := slices.IndexFunc(codecs, func(c rtc.Codec) bool { return c.Name == "OPUS" && c.ClockRate == opusRate && c.Channels == 2 })
	if i < 0 {
		return rtc.Codec{}, false
	}
	c := codecs[i]
	if c.Parameter("sprop-stereo") == "" { // RFC 7587 §6.1: what comes is stereo
		c.Format = strings.TrimPrefix(c.Format+";sprop-stereo=1", ";")
	}
	return c, true
}

// chooseVideo prefers the profile that is on air. Decoders play High where they
// name Baseline only, as Firefox's does.
func (p *Program) chooseVideo(codecs []rtc.Codec) (found rtc.Codec, ok bool) {
	profile := p.profile()
	best := 0
	for _, c := range codecs {
		offered := strings.ToLower(c.Parameter("profile-level-id"))
		if c.Name != "H264" || c.ClockRate != videoRate || c.Parameter("packetization-mode") != "1" {
			continue
		}
		rank := 1
		if len(offered) == 6 && len(profile) == 6 {
			switch {
			case offered[:4] == profile[:4]:
				rank = 3
				c.Format = strings.Replace(c.Format, c.Parameter("profile-level-id"), profile, 1)
			case offered[:2] == profile[:2]:
				rank = 2
			}
		}
		if rank > best {
			best, found = rank, c
		}
	}
	return found, best > 0
}

// profile is the profile-level-id of the highest rung, in lower case.
func (p *Program) profile() string {
	highest := len(p.config.Rungs) - 1
	if highest < 0 || len(p.config.Rungs[highest].Track.Config) < 4 {
		return ""
	}
	return hex.EncodeToString(p.config.Rungs[highest].Track.Config[1:4])
}
