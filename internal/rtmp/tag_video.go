package rtmp

import "fmt"

// Frame types of a video message (FLV 10.1 §E.4.3.1).
const (
	frameKey     = 1
	frameCommand = 5
)

// AppendVideo appends what a video message says of each of its tracks.
func AppendVideo(tags []Tag, body []byte) ([]Tag, error) {
	if len(body) == 0 {
		return tags, nil
	}
	p := parser{rest: body[1:]}
	if body[0]&0x80 == 0 {
		return p.legacyVideo(tags, body[0])
	}
	frame, packet := body[0]>>4&7, body[0]&0x0F
	if frame == frameCommand && packet != packetMetadata {
		return tags, nil
	}
	return p.enhanced(tags, packet, packetVideoTracks, func(p *parser, packet byte, tag *Tag) error {
		tag.Key = frame == frameKey
		return p.video(packet, tag)
	})
}

func (p *parser) video(packet byte, tag *Tag) error {
	switch packet {
	case packetSequenceStart:
		tag.Content = Config
	case packetSequenceEnd:
		tag.Content = End
	case packetCodedFrames:
		tag.Content = Frame
		if tag.FourCC == AVC || tag.FourCC == HEVC {
			tag.Offset = p.si24()
		}
	case packetCodedFramesX:
		tag.Content = Frame
	case packetMetadata:
		tag.Content = Other
	default:
		return &UnsupportedError{fmt.Sprintf("video packet type %d", packet)}
	}
	return nil
}

func (p *parser) legacyVideo(tags []Tag, first byte) ([]Tag, error) {
	const sequenceHeader, accessUnit, endOfSequence = 0, 1, 2
	frame, codec := first>>4, first&0x0F
	if frame == frameCommand {
		return tags, nil
	}
	tag := Tag{Key: frame == frameKey}
	switch codec {
	case 7:
		tag.FourCC = AVC
	case 12: // not in any specification, sent by many
		tag.FourCC = HEVC
	default:
		return tags, &UnsupportedError{legacyVideoName(codec)}
	}
	content := p.u8()
	tag.Offset = p.si24()
	if p.short {
		return tags, fmt.Errorf("%w: video header ends early", ErrMalformed)
	}
	tag.Data = p.rest
	switch content {
	case sequenceHeader:
		tag.Content, tag.Offset = Config, 0
	case accessUnit:
		tag.Content = Frame
	case endOfSequence:
		tag.Content, tag.Offset = End, 0
	default:
		return tags, fmt.Errorf("%w: AVC packet type %d", ErrMalformed, content)
	}
	return append(tags, tag), nil
}

func legacyVideoName(codec byte) string {
	switch codec {
	case 2:
		return "Sorenson H.263 video"
	case 3, 6:
		return "Screen video"
	case 4, 5:
		return "VP6 video"
	}
	return fmt.Sprintf("video codec %d", codec)
}
