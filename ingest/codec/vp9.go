package codec

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"

	"millrace/internal/media"
)

// VP9Track reads a VPCodecConfigurationBox's payload (VP in ISOBMFF §3.2). The
// picture's size is in the key frames only, and so is all a decoder needs.
func VP9Track(record []byte) (*media.Track, error) {
	if len(record) < 8 || record[0] != 1 {
		return nil, fmt.Errorf("vpcC of %d bytes", len(record))
	}
	profile, level, depth := record[4], record[5], record[6]>>4
	return &media.Track{
		ID: VideoID, Kind: media.Video, Codec: media.VP9,
		MIME: fmt.Sprintf("vp09.%02d.%02d.%02d", profile, level, depth),
	}, nil
}

// WithSizeOf is t as the VP9 frame has it: another track where a key frame
// changes the picture's size.
func WithSizeOf(t *media.Track, frame []byte) (track *media.Track, key bool, err error) {
	var header vp9.Header
	if err := header.Unmarshal(frame); err != nil {
		return t, false, fmt.Errorf("read VP9 header: %w", err)
	}
	if header.NonKeyFrame || header.ShowExistingFrame {
		return t, false, nil
	}
	width, height := header.Width(), header.Height()
	if width == t.Width && height == t.Height {
		return t, true, nil
	}
	sized := *t
	sized.Width, sized.Height = width, height
	return &sized, true, pictureSize(&sized)
}
