package rtmp

import "fmt"

// AppendAudio appends what an audio message says of each of its tracks.
func AppendAudio(tags []Tag, body []byte) ([]Tag, error) {
	if len(body) == 0 {
		return tags, nil
	}
	const enhanced = 9
	p := parser{rest: body[1:]}
	format := body[0] >> 4
	if format != enhanced {
		return p.legacyAudio(tags, format)
	}
	return p.enhanced(tags, body[0]&0x0F, packetAudioTracks, (*parser).audio)
}

func (p *parser) audio(packet byte, tag *Tag) error {
	switch packet {
	case packetSequenceStart:
		tag.Content = Config
	case packetCodedFrames:
		tag.Content = Frame
	case packetSequenceEnd:
		tag.Content = End
	case packetMetadata: // channel layout; decoders know it from the stream
		tag.Content = Other
	default:
		return &UnsupportedError{fmt.Sprintf("audio packet type %d", packet)}
	}
	return nil
}

func (p *parser) legacyAudio(tags []Tag, format byte) ([]Tag, error) {
	const mp3, aac, mp3At8kHz = 2, 10, 14
	switch format {
	case mp3, mp3At8kHz:
		if len(p.rest) == 0 {
			return tags, nil
		}
		return append(tags, Tag{FourCC: MP3, Content: Frame, Data: p.rest}), nil
	case aac:
	default:
		return tags, &UnsupportedError{legacyAudioName(format)}
	}
	if len(p.rest) == 0 {
		return tags, nil
	}
	tag := Tag{FourCC: AAC, Content: Frame}
	const config, frame = 0, 1
	switch packet := p.u8(); packet {
	case config:
		tag.Content = Config
	case frame:
	default:
		return tags, fmt.Errorf("%w: AAC packet type %d", ErrMalformed, packet)
	}
	tag.Data = p.rest
	return append(tags, tag), nil
}

func legacyAudioName(format byte) string {
	switch format {
	case 0, 3:
		return "PCM audio"
	case 1:
		return "ADPCM audio"
	case 4, 5, 6:
		return "Nellymoser audio"
	case 7, 8:
		return "G.711 audio"
	case 11:
		return "Speex audio"
	}
	return fmt.Sprintf("audio codec %d", format)
}
