package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/ac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg1audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"millrace/internal/media"
)

// AACTrack reads an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
func AACTrack(record []byte) (*media.Track, error) {
	var config mpeg4audio.AudioSpecificConfig
	if err := config.Unmarshal(record); err != nil {
		return nil, fmt.Errorf("read AudioSpecificConfig: %w", err)
	}
	t := &media.Track{
		ID: AudioID, Kind: media.Audio, Codec: media.AAC, Config: slices.Clone(record),
		SampleRate: config.SampleRate, Channels: int(config.ChannelConfig),
	}
	if t.Channels == 7 {
		t.Channels = 8
	}
	object := config.Type
	if config.ExtensionType != 0 {
		object, t.SampleRate = config.ExtensionType, config.ExtensionSampleRate
	}
	if object == mpeg4audio.ObjectTypePS && t.Channels == 1 {
		t.Channels = 2
	}
	if t.SampleRate < 1 {
		return nil, fmt.Errorf("AAC of %d Hz", t.SampleRate)
	}
	t.MIME = fmt.Sprintf("mp4a.40.%d", object)
	return t, nil
}

// OpusTrack makes the payload of a dOps box (Opus in ISOBMFF §4.3.2) of an
// identification header (RFC 7845 §5.1): the same fields in the other byte order.
func OpusTrack(header []byte) (*media.Track, error) {
	if len(header) < 19 || !bytes.HasPrefix(header, []byte("OpusHead")) || header[8]>>4 != 0 || header[9] == 0 {
		return nil, fmt.Errorf("no Opus identification header")
	}
	channels, family := int(header[9]), header[18]
	if table := len(header) - 19; family == 0 && channels > 2 || family != 0 && table < 2+channels {
		return nil, fmt.Errorf("no mapping of %d channels in the Opus header", channels)
	}
	config := []byte{0, header[9]}
	config = binary.BigEndian.AppendUint16(config, binary.LittleEndian.Uint16(header[10:]))
	config = binary.BigEndian.AppendUint32(config, binary.LittleEndian.Uint32(header[12:]))
	config = binary.BigEndian.AppendUint16(config, binary.LittleEndian.Uint16(header[16:]))
	config = append(config, family)
	if family != 0 {
		config = append(config, header[19:21+channels]...)
	}
	return &media.Track{
		ID: AudioID, Kind: media.Audio, Codec: media.Opus, MIME: "opus", Config: config,
		SampleRate: 48000, Channels: channels,
	}, nil
}

// MP3Track and AC3Track read the header that every frame begins with.
func MP3Track(frame []byte) (*media.Track, error) {
	var header mpeg1audio.FrameHeader
	if err := header.Unmarshal(frame); err != nil {
		return nil, fmt.Errorf("read MP3 header: %w", err)
	}
	t := &media.Track{
		ID: AudioID, Kind: media.Audio, Codec: media.MP3, MIME: "mp4a.6B",
		SampleRate: header.SampleRate, Channels: 2,
	}
	if header.Layer == 2 {
		t.Codec = media.MP2
	}
	if header.ChannelMode == mpeg1audio.ChannelModeMono {
		t.Channels = 1
	}
	return t, nil
}

func AC3Track(frame []byte) (*media.Track, error) {
	var sync ac3.SyncInfo
	if err := sync.Unmarshal(frame); err != nil {
		return nil, fmt.Errorf("read AC-3 header: %w", err)
	}
	var bsi ac3.BSI
	if err := bsi.Unmarshal(frame[5:]); err != nil {
		return nil, fmt.Errorf("read AC-3 header: %w", err)
	}
	return &media.Track{
		ID: AudioID, Kind: media.Audio, Codec: media.AC3, MIME: "ac-3",
		SampleRate: sync.SampleRate(), Channels: bsi.ChannelCount(),
	}, nil
}
