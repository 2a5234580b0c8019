package codec

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"millrace/internal/media"
)

// NALTrack is a video track whose access units are NAL units behind lengths.
type NALTrack struct {
	*media.Track
	lengthSize int    // bytes of each length as the publisher sends it
	inBand     []byte // the SPS that an access unit last brought
}

// AVCTrack reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1).
func AVCTrack(record []byte) (NALTrack, error) {
	if len(record) < 7 || record[0] != 1 {
		return NALTrack{}, fmt.Errorf("avcC of %d bytes", len(record))
	}
	units, _, err := nalArray(record[6:], int(record[5]&0x1F))
	if err != nil {
		return NALTrack{}, fmt.Errorf("avcC: %w", err)
	}
	if len(units) == 0 {
		return NALTrack{}, fmt.Errorf("avcC without SPS")
	}
	var sps h264.SPS
	if err := sps.Unmarshal(units[0]); err != nil {
		return NALTrack{}, fmt.Errorf("read SPS: %w", err)
	}
	t := &media.Track{
		ID: VideoID, Kind: media.Video, Codec: media.H264, Config: slices.Clone(record),
		MIME:  fmt.Sprintf("avc1.%02x%02x%02x", record[1], record[2], record[3]),
		Width: sps.Width(), Height: sps.Height(),
	}
	if sps.VUI != nil && sps.VUI.TimingInfo != nil {
		t.Rate = rate(uint64(sps.VUI.TimingInfo.TimeScale), 2*uint64(sps.VUI.TimingInfo.NumUnitsInTick))
	}
	t.Config[4] |= 3 // lengths are 4 bytes from here on
	return NALTrack{Track: t, lengthSize: int(record[4]&3) + 1}, pictureSize(t)
}

// HEVCTrack reads an HEVCDecoderConfigurationRecord (§8.3.3.1).
func HEVCTrack(record []byte) (NALTrack, error) {
	if len(record) < 23 {
		return NALTrack{}, fmt.Errorf("hvcC of %d bytes", len(record))
	}
	var sps h265.SPS
	found := false
	rest := record[23:]
	for range record[22] {
		if len(rest) < 3 {
			return NALTrack{}, fmt.Errorf("hvcC ends early")
		}
		kind, count := h265.NALUType(rest[0]&0x3F), int(binary.BigEndian.Uint16(rest[1:]))
		units, after, err := nalArray(rest[3:], count)
		if err != nil {
			return NALTrack{}, fmt.Errorf("hvcC: %w", err)
		}
		if rest = after; kind == h265.NALUType_SPS_NUT && !found && len(units) > 0 {
			if err := sps.Unmarshal(units[0]); err != nil {
				return NALTrack{}, fmt.Errorf("read SPS: %w", err)
			}
			found = true
		}
	}
	if !found {
		return NALTrack{}, fmt.Errorf("hvcC without SPS")
	}
	t := &media.Track{
		ID: VideoID, Kind: media.Video, Codec: media.HEVC, Config: slices.Clone(record),
		MIME: hevcMIME(record), Width: sps.Width(), Height: sps.Height(),
	}
	if sps.VUI != nil && sps.VUI.TimingInfo != nil {
		t.Rate = rate(uint64(sps.VUI.TimingInfo.TimeScale), uint64(sps.VUI.TimingInfo.NumUnitsInTick))
	}
	t.Config[21] |= 3
	return NALTrack{Track: t, lengthSize: int(record[21]&3) + 1}, pictureSize(t)
}

// hevcMIME is the codecs parameter of ISO/IEC 14496-15 §E.3.
func hevcMIME(record []byte) string {
	var b strings.Builder
	b.WriteString("hvc1.")
	if space := record[1] >> 6; space > 0 {
		b.WriteByte('A' + space - 1)
	}
	tier := "L"
	if record[1]&0x20 != 0 {
		tier = "H"
	}
	compatibility := bits.Reverse32(binary.BigEndian.Uint32(record[2:]))
	fmt.Fprintf(&b, "%d.%X.%s%d", record[1]&0x1F, compatibility, tier, record[12])
	constraints := record[6:12]
	for len(constraints) > 0 && constraints[len(constraints)-1] == 0 {
		constraints = constraints[:len(constraints)-1]
	}
	for _, c := range constraints {
		fmt.Fprintf(&b, ".%X", c)
	}
	return b.String()
}

// nalArray reads count NAL units behind 16-bit lengths.
func nalArray(b []byte, count int) (units [][]byte, rest []byte, err error) {
	for range count {
		if len(b) < 2 {
			return nil, nil, fmt.Errorf("list of NAL units ends early")
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > len(b) {
			return nil, nil, fmt.Errorf("list of NAL units ends early")
		}
		units, b = append(units, b[:n]), b[n:]
	}
	return units, b, nil
}

// maxPicture bounds what a stream may claim to be, pixels per side.
const maxPicture = 16384

func pictureSize(t *media.Track) error {
	if t.Width < 1 || t.Height < 1 || t.Width > maxPicture || t.Height > maxPicture {
		return fmt.Errorf("picture of %dx%d", t.Width, t.Height)
	}
	return nil
}

// AccessUnit checks that data is NAL units behind lengths, makes the lengths 4
// bytes, and says whether decoding can begin here. It is nil when it is not, or
// when there is no unit in it.
func (t NALTrack) AccessUnit(data []byte) (unit []byte, random bool) {
	total, asSent := 0, t.lengthSize == 4
	for rest := data; len(rest) > 0; {
		nal, after, ok := t.next(rest)
		if !ok {
			return nil, false
		}
		if rest = after; len(nal) == 0 {
			asSent = false
			continue
		}
		total += 4 + len(nal)
		random = random || t.randomAccess(nal[0])
	}
	switch {
	case total == 0:
		return nil, false
	case asSent:
		return data, random
	}
	unit = make([]byte, 0, total)
	for rest := data; len(rest) > 0; {
		nal, after, _ := t.next(rest)
		if rest = after; len(nal) > 0 {
			unit = append(binary.BigEndian.AppendUint32(unit, uint32(len(nal))), nal...)
		}
	}
	return unit, random
}

// next splits off the first NAL unit.
func (t NALTrack) next(b []byte) (nal, rest []byte, ok bool) {
	if len(b) < t.lengthSize {
		return nil, nil, false
	}
	n := 0
	for _, c := range b[:t.lengthSize] {
		n = n<<8 | int(c)
	}
	if b = b[t.lengthSize:]; n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// randomAccess says whether the NAL unit with that first byte is of an IDR
// picture (H.264) or of an IRAP picture (HEVC).
func (t NALTrack) randomAccess(header byte) bool {
	if t.Codec == media.H264 {
		return header&0x1F == 5
	}
	kind := header >> 1 & 0x3F
	return kind >= 16 && kind <= 23
}
