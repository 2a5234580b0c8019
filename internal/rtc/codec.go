package rtc

import (
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// Codec is one way of sending that an offer names.
type Codec struct {
	Name        string // "H264", upper case
	PayloadType uint8
	ClockRate   uint32 // Hz
	Channels    uint16 // 0: not said
	Format      string // a=fmtp parameters as offered
	Feedback    []string
	RTX         uint8 // payload type of its retransmissions; 0: none
}

// Parameter is a value of the codec's format, "" where there is none.
func (c Codec) Parameter(name string) string {
	for part := range strings.SplitSeq(c.Format, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// maxCodecs bounds the payload types of a section that are looked at.
const maxCodecs = 64

// parseCodecs lists the codecs in the order of the m= line, retransmissions
// with the codec that they are of.
func parseCodecs(section *sdp.MediaDescription, formats map[string]string, feedback []string) []Codec {
	maps := map[string]string{}
	for _, a := range section.Attributes {
		if a.Key == "rtpmap" {
			if payloadType, encoding, ok := strings.Cut(a.Value, " "); ok {
				maps[payloadType] = encoding
			}
		}
	}
	var codecs, repairs []Codec
	for i, format := range section.MediaName.Formats {
		c, ok := parseCodec(format, maps[format])
		if !ok || i >= maxCodecs {
			continue
		}
		c.Format = formats[format]
		for _, value := range feedback {
			if of, what, _ := strings.Cut(value, " "); of == format || of == "*" {
				c.Feedback = append(c.Feedback, what)
			}
		}
		if c.Name == "RTX" {
			repairs = append(repairs, c)
		} else {
			codecs = append(codecs, c)
		}
	}
	for i := range codecs {
		for _, r := range repairs {
			if r.Parameter("apt") == strconv.Itoa(int(codecs[i].PayloadType)) {
				codecs[i].RTX = r.PayloadType
			}
		}
	}
	return codecs
}

// parseCodec reads an rtpmap such as "opus/48000/2".
func parseCodec(format, encoding string) (c Codec, ok bool) {
	payloadType, err := strconv.ParseUint(format, 10, 7)
	parts := strings.Split(encoding, "/")
	if err != nil || len(parts) < 2 {
		return c, false
	}
	rate, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil || rate == 0 {
		return c, false
	}
	c = Codec{Name: strings.ToUpper(parts[0]), PayloadType: uint8(payloadType), ClockRate: uint32(rate)}
	if len(parts) > 2 {
		channels, err := strconv.ParseUint(parts[2], 10, 16)
		if err != nil {
			return c, false
		}
		c.Channels = uint16(channels)
	}
	return c, true
}
