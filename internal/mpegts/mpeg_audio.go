package mpegts

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg1audio"

	"millrace/internal/media"
)

// mpegFrame reads one frame of MPEG audio, layer II or III (ISO/IEC 11172-3
// §2.4.1.3).
func mpegFrame(p []byte) (frame, bool) {
	if len(p) < 5 {
		return frame{}, p[0] == 0xff && (len(p) < 2 || p[1]&0xf0 == 0xf0)
	}
	var header mpeg1audio.FrameHeader
	if header.Unmarshal(p) != nil {
		return frame{}, false
	}
	f := frame{samples: header.SampleCount()}
	f.size = f.samples / 8 * header.Bitrate / header.SampleRate
	if header.Padding {
		f.size++
	}
	if len(p) < f.size {
		return f, true
	}
	f.data = p[:f.size]
	f.format = format{codec: media.MP2, mime: "mp4a.6b", rate: header.SampleRate, channels: 2}
	if header.Layer == 3 {
		f.format.codec = media.MP3
	}
	if header.MPEG2 {
		f.format.mime = "mp4a.69"
	}
	if header.ChannelMode == mpeg1audio.ChannelModeMono {
		f.format.channels = 1
	}
	return f, true
}
