package mpegts

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"millrace/internal/media"
)

// avcParser reads H.264. It makes a track of the parameter sets in the stream
// and a new one when they change.
type avcParser struct {
	stream *stream
	sps    parameterSets
	pps    parameterSets
	newest h264.SPS
	track  *media.Track
}

func (p *avcParser) kind() media.Kind { return media.Video }
func (p *avcParser) reset()           {}

func (p *avcParser) parse(u unit) {
	var kept [][]byte
	var key, picture, sets, changed bool
	for _, nal := range units(u.data) {
		if nal[0]&0x80 != 0 {
			continue // forbidden_zero_bit
		}
		switch kind := h264.NALUType(nal[0] & 0x1f); kind {
		case h264.NALUTypeSPS:
			changed = p.putSPS(nal) || changed
			sets = true
		case h264.NALUTypePPS:
			changed = p.putPPS(nal) || changed
		case h264.NALUTypeSEI:
			key = key || recoveryPoint(nal)
		case h264.NALUTypeIDR:
			key, picture = true, true
		case h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA:
			key = key || sets && !picture && intra(nal)
			picture = true
		case h264.NALUTypeAccessUnitDelimiter, h264.NALUTypeEndOfSequence, h264.NALUTypeEndOfStream, h264.NALUTypeFillerData:
			continue
		}
		kept = append(kept, nal)
	}
	if changed && len(p.sps) > 0 && len(p.pps) > 0 {
		p.track = p.describe()
	}
	if picture && p.track != nil {
		p.stream.demuxer.emit(p.track, duration(u.pts), duration(u.dts), key, joined(kept))
	}
}

func (p *avcParser) putSPS(nal []byte) bool {
	var sps h264.SPS
	if len(nal) < 4 || len(nal) > setSize || sps.Unmarshal(nal) != nil || !plausible(sps.Width(), sps.Height()) {
		return false
	}
	p.newest = sps
	return p.sps.put(uint(sps.ID), nal)
}

func (p *avcParser) putPPS(nal []byte) bool {
	bits := bitReader{data: nal[1:]}
	id, ok := bits.golomb()
	return ok && id < 256 && p.pps.put(id, nal)
}

// describe makes the track and its avcC (ISO/IEC 14496-15 §5.3.3.1.2).
func (p *avcParser) describe() *media.Track {
	sps := p.sps[0].data
	for _, set := range p.sps {
		if set.id == uint(p.newest.ID) {
			sps = set.data
		}
	}
	config := append([]byte{1}, sps[1:4]...)
	config = append(config, 0xff, 0xe0|byte(len(p.sps)))
	config = p.sps.appendTo(config)
	config = append(config, byte(len(p.pps)))
	config = p.pps.appendTo(config)
	switch sps[1] {
	case 100, 110, 122, 144:
		config = append(config, 0xfc|byte(p.newest.ChromaFormatIdc&3), 0xf8|byte(p.newest.BitDepthLumaMinus8&7),
			0xf8|byte(p.newest.BitDepthChromaMinus8&7), 0)
	}
	track := &media.Track{
		ID:     p.stream.trackID(),
		Kind:   media.Video,
		Codec:  media.H264,
		MIME:   fmt.Sprintf("avc1.%02x%02x%02x", sps[1], sps[2], sps[3]),
		Config: config,
		Width:  p.newest.Width(),
		Height: p.newest.Height(),
	}
	if vui := p.newest.VUI; vui != nil && vui.TimingInfo != nil {
		track.Rate = exact(uint64(vui.TimingInfo.TimeScale), 2*uint64(vui.TimingInfo.NumUnitsInTick))
	}
	return track
}

// recoveryPoint finds the SEI message from which decoding may begin without an
// IDR picture (ISO/IEC 14496-10 §D.1.8).
func recoveryPoint(nal []byte) bool {
	p := h264.EmulationPreventionRemove(nal[1:min(len(nal), 256)])
	for len(p) >= 2 {
		var kind, size int
		if kind, p = seiNumber(p); len(p) == 0 {
			return false
		}
		if kind == 6 {
			return true
		}
		if size, p = seiNumber(p); size >= len(p) {
			return false
		}
		p = p[size:]
	}
	return false
}

func seiNumber(p []byte) (n int, rest []byte) {
	for len(p) > 0 && p[0] == 0xff {
		n += 255
		p = p[1:]
	}
	if len(p) == 0 {
		return n, nil
	}
	return n + int(p[0]), p[1:]
}

// intra reports whether a slice is of type I.
func intra(nal []byte) bool {
	bits := bitReader{data: nal[1:min(len(nal), 16)]}
	if _, ok := bits.golomb(); !ok { // first_mb_in_slice
		return false
	}
	kind, ok := bits.golomb()
	return ok && kind%5 == 2
}
