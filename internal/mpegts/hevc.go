package mpegts

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"millrace/internal/media"
)

// hevcParser reads H.265, as avcParser reads H.264.
type hevcParser struct {
	stream        *stream
	vps, sps, pps parameterSets
	newest        h265.SPS
	level         []byte // the 12 bytes of profile, tier and level in the newest SPS
	track         *media.Track
}

func (p *hevcParser) kind() media.Kind { return media.Video }
func (p *hevcParser) reset()           {}

func (p *hevcParser) parse(u unit) {
	var kept [][]byte
	var key, picture, changed bool
	for _, nal := range units(u.data) {
		if len(nal) < 3 || nal[0]&0x80 != 0 {
			continue
		}
		switch kind := h265.NALUType(nal[0] >> 1); {
		case kind == h265.NALUType_VPS_NUT:
			changed = p.vps.put(uint(nal[2]>>4), nal) || changed
		case kind == h265.NALUType_SPS_NUT:
			changed = p.putSPS(nal) || changed
		case kind == h265.NALUType_PPS_NUT:
			changed = p.putPPS(nal) || changed
		case kind == h265.NALUType_AUD_NUT, kind == h265.NALUType_EOS_NUT, kind == h265.NALUType_EOB_NUT, kind == h265.NALUType_FD_NUT:
			continue
		case kind >= h265.NALUType_BLA_W_LP && kind <= h265.NALUType_CRA_NUT:
			key, picture = true, true
		case kind < 32:
			picture = true
		}
		kept = append(kept, nal)
	}
	if changed && len(p.vps) > 0 && len(p.sps) > 0 && len(p.pps) > 0 {
		p.track = p.describe()
	}
	if picture && p.track != nil {
		p.stream.demuxer.emit(p.track, duration(u.pts), duration(u.dts), key, joined(kept))
	}
}

func (p *hevcParser) putSPS(nal []byte) bool {
	var sps h265.SPS
	if len(nal) > setSize || sps.Unmarshal(nal) != nil || sps.ChromaFormatIdc > 3 || !plausible(sps.Width(), sps.Height()) {
		return false
	}
	plain := h264.EmulationPreventionRemove(nal[2:])
	if len(plain) < 13 {
		return false
	}
	p.newest, p.level = sps, plain[1:13]
	return p.sps.put(uint(sps.ID), nal)
}

func (p *hevcParser) putPPS(nal []byte) bool {
	reader := bitReader{data: nal[2:]}
	id, ok := reader.golomb()
	return ok && id < 64 && p.pps.put(id, nal)
}

// describe makes the track and its hvcC (ISO/IEC 14496-15 §8.3.3.1.2).
func (p *hevcParser) describe() *media.Track {
	config := append([]byte{1}, p.level...)
	config = append(config, 0xf0, 0, 0xfc, 0xfc|byte(p.newest.ChromaFormatIdc), 0xf8|byte(p.newest.BitDepthLumaMinus8&7),
		0xf8|byte(p.newest.BitDepthChromaMinus8&7), 0, 0)
	nested := byte(0)
	if p.newest.TemporalIDNestingFlag {
		nested = 4
	}
	config = append(config, (p.newest.MaxSubLayersMinus1+1)<<3|nested|3, 3)
	for _, array := range []struct {
		kind h265.NALUType
		sets parameterSets
	}{{h265.NALUType_VPS_NUT, p.vps}, {h265.NALUType_SPS_NUT, p.sps}, {h265.NALUType_PPS_NUT, p.pps}} {
		config = append(config, byte(array.kind)) // array_completeness 0: sets stay in band too
		config = binary.BigEndian.AppendUint16(config, uint16(len(array.sets)))
		config = array.sets.appendTo(config)
	}
	track := &media.Track{
		ID:     p.stream.trackID(),
		Kind:   media.Video,
		Codec:  media.HEVC,
		MIME:   hevcMIME(p.level),
		Config: config,
		Width:  p.newest.Width(),
		Height: p.newest.Height(),
	}
	if vui := p.newest.VUI; vui != nil && vui.TimingInfo != nil {
		track.Rate = exact(uint64(vui.TimingInfo.TimeScale), uint64(vui.TimingInfo.NumUnitsInTick))
	}
	return track
}

// hevcMIME is the codecs parameter of ISO/IEC 14496-15 Annex E.3; the sets may
// stand in band.
func hevcMIME(level []byte) string {
	space := []string{"", "A", "B", "C"}[level[0]>>6]
	tier := "L"
	if level[0]&0x20 != 0 {
		tier = "H"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "hev1.%s%d.%X.%s%d", space, level[0]&0x1f, bits.Reverse32(binary.BigEndian.Uint32(level[1:])), tier, level[11])
	constraints := level[5:11]
	for len(constraints) > 0 && constraints[len(constraints)-1] == 0 {
		constraints = constraints[:len(constraints)-1]
	}
	for _, b := range constraints {
		fmt.Fprintf(&text, ".%X", b)
	}
	return text.String()
}
