package iso

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"

	"millrace/internal/media"
)

// ErrCodec says that a track cannot stand in an MP4 file.
var ErrCodec = errors.New("codec cannot be recorded")

const (
	videoTimescale = 90_000
	movieTimescale = 90_000
)

// timescaleOf is the unit of a track's times.
func timescaleOf(t *media.Track) uint32 {
	if t.Kind == media.Audio && t.SampleRate > 0 {
		return uint32(t.SampleRate)
	}
	return videoTimescale
}

// entryOf is the sample description of a track. key is its first key frame, from
// which a codec without a configuration record is described.
func entryOf(t *media.Track, key []byte) (mp4.Box, error) {
	if t.Kind == media.Audio {
		return audioEntry(t)
	}
	name, config, err := "", mp4.Box(nil), error(nil)
	switch t.Codec {
	case media.H264:
		name = "avc1"
		config, err = configBox("avcC", t.Config)
	case media.HEVC:
		name = "hvc1"
		config, err = configBox("hvcC", t.Config)
	case media.AV1:
		name = "av01"
		config, err = configBox("av1C", t.Config)
	case media.VP8:
		name, config = "vp08", vpConfig(0, 8, 1)
	case media.VP9:
		var header vp9.Header
		if err := header.Unmarshal(key); err != nil {
			return nil, fmt.Errorf("%w: read VP9 header: %w", ErrCodec, err)
		}
		name, config = "vp09", vpConfig(header.Profile, header.ColorConfig.BitDepth, header.ChromaSubsampling())
	default:
		return nil, fmt.Errorf("%w: %q", ErrCodec, t.Codec)
	}
	if err != nil {
		return nil, err
	}
	if t.Width < 0 || t.Width > math.MaxUint16 || t.Height < 0 || t.Height > math.MaxUint16 {
		return nil, fmt.Errorf("%w: picture of %dx%d", ErrCodec, t.Width, t.Height)
	}
	entry := mp4.CreateVisualSampleEntryBox(name, uint16(t.Width), uint16(t.Height), config)
	entry.CompressorName = ""
	return entry, nil
}

// configBox is a configuration record as a box.
func configBox(name string, record []byte) (mp4.Box, error) {
	raw := binary.BigEndian.AppendUint32(nil, uint32(headerBytes+len(record)))
	raw = append(append(raw, name...), record...)
	box, err := mp4.DecodeBox(0, bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrCodec, name, err)
	}
	return box, nil
}

// vpConfig is a vpcC of the VP Codec ISO Media File Format Binding; the level
// and the colours are not said.
func vpConfig(profile, depth, subsampling uint8) *mp4.VppCBox {
	const unspecified = 2
	return &mp4.VppCBox{
		Version: 1, Profile: profile, BitDepth: depth, ChromaSubsampling: subsampling,
		ColourPrimaries: unspecified, TransferCharacteristics: unspecified, MatrixCoefficients: unspecified,
	}
}

func audioEntry(t *media.Track) (mp4.Box, error) {
	if t.SampleRate <= 0 || t.SampleRate > math.MaxUint16 || t.Channels < 0 || t.Channels > 255 {
		return nil, fmt.Errorf("%w: sound of %d channels at %d Hz", ErrCodec, t.Channels, t.SampleRate)
	}
	entry := func(name string, config mp4.Box) (mp4.Box, error) {
		return mp4.CreateAudioSampleEntryBox(name, uint16(t.Channels), 16, uint16(t.SampleRate), config), nil
	}
	switch t.Codec {
	case media.AAC:
		if _, err := aac.DecodeAudioSpecificConfig(bytes.NewReader(t.Config)); err != nil {
			return nil, fmt.Errorf("%w: read AudioSpecificConfig: %w", ErrCodec, err)
		}
		return entry("mp4a", mp4.CreateEsdsBox(t.Config))
	case media.Opus:
		config, err := configBox("dOps", t.Config)
		if err != nil {
			return nil, err
		}
		return entry("Opus", config)
	case media.MP2, media.MP3:
		// No DecoderSpecificInfo; the object type says MPEG-1 audio (ISO/IEC 14496-1 table 5).
		esds := mp4.CreateEsdsBox(nil)
		esds.DecConfigDescriptor.ObjectType = 0x6B
		esds.DecConfigDescriptor.DecSpecificInfo = nil
		return entry("mp4a", esds)
	}
	return nil, fmt.Errorf("%w: %q", ErrCodec, t.Codec)
}

// sameTrack says that packets of b go on where those of a ended.
func sameTrack(a, b *media.Track) bool {
	return a == b || a.ID == b.ID && a.Codec == b.Codec && bytes.Equal(a.Config, b.Config) &&
		a.Width == b.Width && a.Height == b.Height && a.SampleRate == b.SampleRate && a.Channels == b.Channels
}
