package whip

import (
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
	"github.com/pion/rtp/codecs"

	"millrace/internal/media"
)

// vp8Format is RFC 7741.
type vp8Format struct{ track *media.Track }

func (f *vp8Format) begins(payload []byte) bool {
	var p codecs.VP8Packet
	_, err := p.Unmarshal(payload)
	return err == nil && p.S == 1 && p.PID == 0
}

func (f *vp8Format) unit(payloads [][]byte) (u unit, err error) {
	for _, payload := range payloads {
		var p codecs.VP8Packet
		part, err := p.Unmarshal(payload)
		if err != nil {
			return u, fmt.Errorf("%w: %w", errMalformed, err)
		}
		u.data = append(u.data, part...)
	}
	const tag, head = 3, 10 // bytes (RFC 6386 §9.1)
	if len(u.data) < tag {
		return u, fmt.Errorf("%w: VP8 frame of %d bytes", errMalformed, len(u.data))
	}
	if u.key = u.data[0]&1 == 0; u.key {
		if len(u.data) < head || u.data[3] != 0x9d || u.data[4] != 0x01 || u.data[5] != 0x2a {
			return u, fmt.Errorf("%w: VP8 start code", errMalformed)
		}
		width, height := int(binary.LittleEndian.Uint16(u.data[6:])&0x3fff), int(binary.LittleEndian.Uint16(u.data[8:])&0x3fff)
		if f.track, err = sized(f.track, media.VP8, "vp8", width, height); err != nil {
			return u, err
		}
	}
	u.track = f.track
	return u, nil
}

// vp9Format is RFC 9628.
type vp9Format struct{ track *media.Track }

func (f *vp9Format) begins(payload []byte) bool {
	var p codecs.VP9Packet
	_, err := p.Unmarshal(payload)
	return err == nil && p.B && p.SID == 0
}

func (f *vp9Format) unit(payloads [][]byte) (u unit, err error) {
	for _, payload := range payloads {
		var p codecs.VP9Packet
		part, err := p.Unmarshal(payload)
		if err != nil {
			return u, fmt.Errorf("%w: %w", errMalformed, err)
		}
		u.data = append(u.data, part...)
	}
	var header vp9.Header
	if err := header.Unmarshal(u.data); err != nil {
		return u, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if u.key = !header.NonKeyFrame && !header.ShowExistingFrame; u.key {
		const level, depth = 10, 8 // the level is not in the stream
		mime := fmt.Sprintf("vp09.%02d.%02d.%02d", header.Profile, level, depth)
		if f.track, err = sized(f.track, media.VP9, mime, header.Width(), header.Height()); err != nil {
			return u, err
		}
	}
	u.track = f.track
	return u, nil
}

// sized is the track for a keyframe: another one where its size changed.
func sized(t *media.Track, codec media.Codec, mime string, width, height int) (*media.Track, error) {
	if !plausible(width, height) {
		return t, fmt.Errorf("%w: a picture of %dx%d", errMalformed, width, height)
	}
	if t != nil && t.Width == width && t.Height == height && t.MIME == mime {
		return t, nil
	}
	return &media.Track{ID: videoID, Kind: media.Video, Codec: codec, MIME: mime, Width: width, Height: height}, nil
}
