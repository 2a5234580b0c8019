package rtmp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed says that one message cannot be read. The next may be good.
var ErrMalformed = errors.New("malformed message")

// UnsupportedError names what a publisher sends that cannot be taken, now or
// later: a codec, a packet type.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What + " is not supported" }

// FourCC names a codec as Enhanced RTMP does, "avc1" or "Opus". The codecs of
// old RTMP that have no FourCC of their own are given the one of Enhanced RTMP.
type FourCC string

// The codecs that publishers may send.
const (
	AVC  FourCC = "avc1"
	HEVC FourCC = "hvc1"
	AV1  FourCC = "av01"
	VP9  FourCC = "vp09"
	AAC  FourCC = "mp4a"
	Opus FourCC = "Opus"
	MP3  FourCC = ".mp3"
	AC3  FourCC = "ac-3"
)

// VideoCodecs and AudioCodecs are what the connect reply offers.
func VideoCodecs() []FourCC { return []FourCC{AVC, HEVC, AV1, VP9} }

// AudioCodecs are what the connect reply offers.
func AudioCodecs() []FourCC { return []FourCC{AAC, Opus, MP3, AC3} }

// Content says what a Tag carries.
type Content uint8

// The contents that matter to who takes a stream.
const (
	Config Content = iota + 1 // the codec's configuration record
	Frame                     // one access unit
	End                       // the sequence ends
	Other                     // metadata, channel layouts: may be ignored
)

// Tag is what one audio or video message says about one track.
type Tag struct {
	Track   byte // 0 is the one that single-track clients send
	FourCC  FourCC
	Content Content
	Key     bool   // video: the client calls it a key frame
	Offset  int32  // video: presentation minus decoding time, milliseconds
	Nanos   uint32 // to add to the message's timestamp, nanoseconds
	Data    []byte // part of the message's body
}

// Wire values of VideoPacketType and AudioPacketType (E-RTMP v2).
const (
	packetSequenceStart = 0
	packetCodedFrames   = 1
	packetSequenceEnd   = 2
	packetCodedFramesX  = 3 // video only
	packetMetadata      = 4 // video: metadata, audio: multichannel config
	packetAudioTracks   = 5
	packetVideoTracks   = 6
	packetModEx         = 7
)

// parser reads a message's body from front to back; a read beyond the end
// makes short true and yields zeros.
type parser struct {
	rest  []byte
	short bool
}

func (p *parser) take(n int) []byte {
	if n > len(p.rest) {
		p.short, p.rest = true, nil
		return make([]byte, min(n, 4))
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) u8() byte       { return p.take(1)[0] }
func (p *parser) u24() uint32    { return uint24(p.take(3)) }
func (p *parser) fourCC() FourCC { return FourCC(p.take(4)) }

// si24 is a signed 24-bit number.
func (p *parser) si24() int32 { return int32(p.u24()<<8) >> 8 }

// enhanced reads what follows the first byte of an E-RTMP v2 message and
// appends one Tag per track. body parses a track's payload by packet type.
func (p *parser) enhanced(tags []Tag, packet, tracksPacket byte, body func(*parser, byte, *Tag) error) ([]Tag, error) {
	var tag Tag
	for packet == packetModEx {
		packet = p.modEx(&tag)
	}
	const oneTrack, manyTracks, manyCodecs = 0, 1, 2
	multitrack, form := packet == tracksPacket, byte(oneTrack)
	if multitrack {
		b := p.u8()
		form, packet = b>>4, b&0x0F
		if form > manyCodecs {
			return tags, &UnsupportedError{fmt.Sprintf("multitrack type %d", form)}
		}
	}
	if form != manyCodecs {
		tag.FourCC = p.fourCC()
	}
	for {
		track := parser{rest: p.rest}
		if multitrack {
			if form == manyCodecs {
				tag.FourCC = p.fourCC()
			}
			tag.Track = p.u8()
			if track = (parser{rest: p.rest}); form != oneTrack {
				track.rest = p.take(int(p.u24()))
			}
		}
		if p.short {
			return tags, fmt.Errorf("%w: header ends early", ErrMalformed)
		}
		one := tag
		if err := body(&track, packet, &one); err != nil {
			return tags, err
		}
		if track.short {
			return tags, fmt.Errorf("%w: %s packet ends early", ErrMalformed, one.FourCC)
		}
		one.Data = track.rest
		tags = append(tags, one)
		if form == oneTrack || len(p.rest) == 0 {
			return tags, nil
		}
	}
}

// modEx reads one modifier and returns the packet type behind it.
func (p *parser) modEx(tag *Tag) (packet byte) {
	size := int(p.u8()) + 1
	if size == 256 {
		size = int(binary.BigEndian.Uint16(p.take(2))) + 1
	}
	data := p.take(size)
	b := p.u8()
	const timestampOffsetNano = 0
	if b>>4 == timestampOffsetNano && !p.short && size >= 3 {
		tag.Nanos = min(uint24(data), 999_999)
	}
	if p.short {
		return packetMetadata // ends the loop; the caller sees short
	}
	return b & 0x0F
}
