package whep

import (
	"cmp"
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
	if refusal := p.refusal.Load(); refusal != nil {
		return nil, refusal
	}
	if len(p.rungs) == 0 && p.config.Audio == nil {
		return nil, rtc.Refuse(http.StatusUnprocessableEntity, "nothing of it can be sent: %s; %s", p.config.NoVideo, p.config.NoAudio)
	}
	var choices []rtc.Choice
	for i := range offer.Media {
		m := &offer.Media[i]
		choose, sent, idle := chooseAudio, "opus", p.idle(media.Audio)
		if m.Kind == media.Video {
			choose, sent, idle = p.chooseVideo, p.format(), p.idle(media.Video)
		}
		codec, ok := choose(m.Codecs)
		if !ok {
			return nil, rtc.Refuse(http.StatusUnprocessableEntity, "the offer's %v has no codec that is sent: %s", m.Kind, sent)
		}
		best := slices.Contains(codec.Feedback, "transport-cc")
		codec.Feedback = slices.DeleteFunc(slices.Clone(codec.Feedback), func(f string) bool {
			return !slices.Contains(wantedFeedback, f) || best && f == "goog-remb"
		})
		choices = append(choices, rtc.Choice{Media: m, Codecs: []rtc.Codec{codec}, Idle: idle})
	}
	return choices, nil
}

// idle is why there is nothing of a kind; empty: there is.
func (p *Program) idle(kind media.Kind) string {
	switch {
	case kind == media.Video && len(p.rungs) == 0:
		return cmp.Or(p.config.NoVideo, "there is no picture")
	case kind == media.Audio && p.config.Audio == nil:
		return cmp.Or(p.config.NoAudio, "there is no sound")
	}
	return ""
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

// format names the codec of the pictures.
func (p *Program) format() string {
	switch p.codec() {
	case media.VP8:
		return "VP8"
	case media.VP9:
		return "VP9 of profile 0"
	case media.AV1:
		return "AV1 of profile 0"
	}
	return "H264 with packetization-mode=1"
}

// codec is that of every rung.
func (p *Program) codec() media.Codec {
	if len(p.config.Rungs) == 0 {
		return media.H264
	}
	return p.config.Rungs[0].Track.Codec
}

// chooseVideo is the offer's best way to send the pictures. Where there are
// none, any will do: the section stays idle.
func (p *Program) chooseVideo(codecs []rtc.Codec) (found rtc.Codec, ok bool) {
	if len(p.config.Rungs) == 0 && len(codecs) > 0 {
		return codecs[0], true
	}
	codec, best := p.codec(), 0
	for _, c := range codecs {
		if c.ClockRate != videoRate {
			continue
		}
		rank := 0
		switch {
		case c.Name == "H264" && codec == media.H264:
			rank = p.rankH264(&c)
		case c.Name == "VP8" && codec == media.VP8,
			c.Name == "VP9" && codec == media.VP9 && slices.Contains([]string{"", "0"}, c.Parameter("profile-id")),
			c.Name == "AV1" && codec == media.AV1 && slices.Contains([]string{"", "0"}, c.Parameter("profile")):
			rank = 1
		}
		if rank > best {
			best, found = rank, c
		}
	}
	return found, best > 0
}

// rankH264 says how well an offered form of H.264 suits, 0: not at all, and puts
// our own level in where the profile is ours. Decoders play High where they name
// Baseline only, as Firefox's does.
func (p *Program) rankH264(c *rtc.Codec) int {
	profile := p.profile()
	offered := strings.ToLower(c.Parameter("profile-level-id"))
	switch {
	case c.Parameter("packetization-mode") != "1":
		return 0
	case len(offered) != 6 || len(profile) != 6:
		return 1
	case offered[:4] == profile[:4]:
		c.Format = strings.Replace(c.Format, c.Parameter("profile-level-id"), profile, 1)
		return 3
	case offered[:2] == profile[:2]:
		return 2
	}
	return 1
}

// profile is the profile-level-id of the highest rung, in lower case.
func (p *Program) profile() string {
	highest := len(p.config.Rungs) - 1
	if highest < 0 || len(p.config.Rungs[highest].Track.Config) < 4 {
		return ""
	}
	return hex.EncodeToString(p.config.Rungs[highest].Track.Config[1:4])
}
