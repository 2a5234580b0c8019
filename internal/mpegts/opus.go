package mpegts

import (
	"bytes"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/substructs"

	"millrace/internal/media"
)

const (
	opusRate      = 48000
	opusExtension = 0x80 // opus_audio_descriptor
	opusPreSkip   = 312  // samples that libopus' encoder is behind
)

// opusParser reads Opus (ETSI TS Opus 0.1.3-draft): whole access units in
// every PES packet, each behind a control header.
type opusParser struct {
	stream *stream
	track  *media.Track
}

// opusLayouts are the streams, the coupled ones and the mapping of the Vorbis
// channel order (RFC 7845 §5.1.1.2), by the number of channels.
var opusLayouts = [...]string{
	3: "\x02\x01\x00\x02\x01", 4: "\x02\x02\x00\x01\x02\x03", 5: "\x03\x02\x00\x04\x01\x02\x03",
	6: "\x04\x02\x00\x04\x01\x02\x03\x05", 7: "\x04\x03\x00\x04\x01\x02\x03\x05\x06", 8: "\x05\x03\x00\x06\x01\x02\x03\x04\x05\x07",
}

func newOpusParser(s *stream, list []descriptor) parser {
	var layout substructs.OpusAudioDescriptor
	found := false
	for _, d := range list {
		if d.tag == tagExtension && len(d.data) > 1 && d.data[0] == opusExtension {
			found = layout.Unmarshal(d.data[1:]) == nil
		}
	}
	channels := layout.ChannelCount()
	if !found || channels < 1 || channels >= len(opusLayouts) || layout.ChannelConfigCode == 0x81 {
		return nil
	}
	// dOps without its box (Encapsulation of Opus in ISOBMFF §4.3.2).
	config := []byte{0, byte(channels), opusPreSkip >> 8, opusPreSkip & 0xff, 0, 0, opusRate >> 8, opusRate & 0xff, 0, 0, 0}
	if channels > 2 {
		config[10] = 1
		config = append(config, opusLayouts[channels]...)
	}
	return &opusParser{stream: s, track: &media.Track{
		ID: s.trackID(), Kind: media.Audio, Codec: media.Opus, MIME: "opus",
		Config: config, SampleRate: opusRate, Channels: channels,
	}}
}

func (p *opusParser) kind() media.Kind { return media.Audio }
func (p *opusParser) reset()           {}

func (p *opusParser) parse(u unit) {
	at := duration(u.pts)
	for data := u.data; len(data) > 0; {
		var access substructs.OpusAccessUnit
		n, err := access.Unmarshal(data)
		if err != nil {
			p.stream.demuxer.stats.Damaged++
			return
		}
		p.stream.demuxer.emit(p.track, at, at, true, bytes.Clone(access.Packet))
		at += time.Duration(opus.PacketDuration2(access.Packet)) * time.Second / opusRate
		data = data[n:]
	}
}
