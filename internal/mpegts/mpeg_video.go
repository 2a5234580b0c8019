package mpegts

import (
	"bytes"

	"millrace/internal/media"
)

// mpeg2Parser reads MPEG-1 and MPEG-2 video. A picture with a sequence header
// before it is where decoding can begin.
type mpeg2Parser struct {
	stream *stream
	track  *media.Track
}

// mpegRates are the frame rates of ISO/IEC 13818-2 table 6-4.
var mpegRates = [...]media.Rate{
	1: {Num: 24000, Den: 1001}, 2: {Num: 24, Den: 1}, 3: {Num: 25, Den: 1}, 4: {Num: 30000, Den: 1001},
	5: {Num: 30, Den: 1}, 6: {Num: 50, Den: 1}, 7: {Num: 60000, Den: 1001}, 8: {Num: 60, Den: 1},
}

func (p *mpeg2Parser) kind() media.Kind { return media.Video }
func (p *mpeg2Parser) reset()           {}

func (p *mpeg2Parser) parse(u unit) {
	begin := bytes.Index(u.data, startCode)
	if begin < 0 || len(u.data) < begin+8 {
		return
	}
	data := u.data[begin:]
	key := data[3] == 0xb3
	if key {
		width, height := int(data[4])<<4|int(data[5])>>4, int(data[5]&0x0f)<<8|int(data[6])
		rate := media.Rate{}
		if code := int(data[7] & 0x0f); code < len(mpegRates) {
			rate = mpegRates[code]
		}
		if !plausible(width, height) {
			return
		}
		if p.track == nil || p.track.Width != width || p.track.Height != height || p.track.Rate != rate {
			p.track = &media.Track{ID: p.stream.trackID(), Kind: media.Video, Codec: media.MPEG2, Width: width, Height: height, Rate: rate}
		}
	}
	if p.track != nil {
		p.stream.demuxer.emit(p.track, duration(u.pts), duration(u.dts), key, bytes.Clone(data))
	}
}
