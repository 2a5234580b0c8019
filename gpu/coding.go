package gpu

import (
	"cmp"
	"errors"
	"fmt"

	"millrace/internal/media"
)

// ErrNoEncoder says that a device has no encoder for a codec. H.264 is made
// everywhere; HEVC and AV1 by cards only.
var ErrNoEncoder = errors.New("no encoder for this codec")

// coding is how an encoder's stream becomes a track and access units.
type coding struct {
	codec media.Codec
	words string // as people write it
	nvenc string // libavcodec's name of the card's encoder
	// track describes the stream from the encoder's extradata.
	track func(config EncoderConfig, header []byte) (*media.Track, error)
	// cut gives the access unit of an encoder's packet, and whether decoding can begin
	// with it.
	cut func(packet []byte, track *media.Track) (unit []byte, key bool)
}

// codings are those that rungs can have.
func codings() []coding {
	return []coding{
		{media.H264, "H.264", nvencName, trackOf, func(packet []byte, _ *media.Track) ([]byte, bool) { return slices264(packet) }},
		{media.HEVC, "HEVC", "hevc_nvenc", trackOfHEVC, func(packet []byte, _ *media.Track) ([]byte, bool) { return slicesHEVC(packet) }},
		{media.AV1, "AV1", "av1_nvenc", trackOfAV1, temporalUnit},
	}
}

// coding is that of the config's codec.
func (c EncoderConfig) coding() (coding, error) {
	for _, known := range codings() {
		if known.codec == cmp.Or(c.Codec, media.H264) {
			return known, nil
		}
	}
	return coding{}, fmt.Errorf("%w: %q", ErrNoEncoder, c.Codec)
}
