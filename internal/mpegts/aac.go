package mpegts

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"millrace/internal/media"
)

// aacRates are the sampling frequencies of ISO/IEC 14496-3 table 1.18.
var aacRates = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

const aacSamples = 1024

// adtsFrame reads one ADTS frame (ISO/IEC 14496-3 §1.A.2.2).
func adtsFrame(p []byte) (frame, bool) {
	if len(p) < 8 {
		return frame{}, p[0] == 0xff && (len(p) < 2 || p[1]&0xf6 == 0xf0)
	}
	if p[0] != 0xff || p[1]&0xf6 != 0xf0 { // syncword, layer
		return frame{}, false
	}
	header := 7
	if p[1]&1 == 0 { // protected by a CRC
		header = 9
	}
	kind, index := p[2]>>6+1, p[2]>>2&0x0f
	layout := p[2]&1<<2 | p[3]>>6
	size := int(p[3]&3)<<11 | int(p[4])<<3 | int(p[5])>>5
	if int(index) >= len(aacRates) || size <= header || p[6]&3 != 0 { // one raw data block a frame
		return frame{}, false
	}
	f := frame{size: size, samples: aacSamples}
	if len(p) < size {
		return f, true
	}
	f.data = p[header:size]
	if layout == 0 { // named by a program config element in the access unit
		channels, err := mpeg4audio.CountChannelsFromRawDataBlock(f.data)
		if err != nil || channels < 1 || channels > 8 || channels == 7 {
			return frame{}, false
		}
		layout = byte(min(channels, 7))
	}
	channels := int(layout)
	if layout == 7 {
		channels = 8
	}
	f.format = format{
		codec:    media.AAC,
		mime:     fmt.Sprintf("mp4a.40.%d", kind),
		config:   string([]byte{kind<<3 | index>>1, index<<7 | layout<<3}),
		rate:     aacRates[index],
		channels: channels,
	}
	return f, true
}

// latm reads AAC in LOAS (ISO/IEC 14496-3 §1.7): one program, one layer, one
// access unit a frame, as broadcasters send it.
type latm struct {
	config *mpeg4audio.StreamMuxConfig
}

const latmHeader = 3

func (l *latm) frame(p []byte) (frame, bool) {
	if len(p) < latmHeader {
		return frame{}, p[0] == 0x56 && (len(p) < 2 || p[1]&0xe0 == 0xe0)
	}
	if p[0] != 0x56 || p[1]&0xe0 != 0xe0 {
		return frame{}, false
	}
	f := frame{size: latmHeader + (int(p[1]&0x1f)<<8 | int(p[2])), samples: aacSamples}
	if len(p) < f.size {
		return f, true
	}
	element := mpeg4audio.AudioMuxElement{MuxConfigPresent: true, StreamMuxConfig: l.config}
	if f.size == latmHeader || element.Unmarshal(p[latmHeader:f.size]) != nil {
		return frame{}, false
	}
	l.config = element.StreamMuxConfig
	if len(element.Payloads) != 1 || len(element.Payloads[0]) != 1 || len(element.Payloads[0][0]) != 1 {
		return frame{}, false
	}
	f.data = element.Payloads[0][0][0]
	asc := l.config.Programs[0].Layers[0].AudioSpecificConfig
	if asc == nil {
		return frame{}, false
	}
	config, err := asc.Marshal()
	if err != nil {
		return frame{}, false
	}
	if asc.FrameLengthFlag {
		f.samples = 960
	}
	channels := int(asc.ChannelConfig)
	if channels == 7 {
		channels = 8
	}
	f.format = format{
		codec:    media.AAC,
		mime:     fmt.Sprintf("mp4a.40.%d", asc.Type),
		config:   string(config),
		rate:     asc.SampleRate,
		channels: channels,
	}
	return f, true
}
