package cmaf

import (
	"fmt"

	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/mp4"
)

// describeAV1 fills the sample description of AV1 (AV1 Codec ISO Media File Format
// Binding, 2.2 and 2.3) and returns its brand.
func (r *Rendition) describeAV1(trak *mp4.TrakBox, bitrate int) ([]string, error) {
	config, err := av1.DecodeAV1CodecConfRec(r.Track.Config)
	if err != nil {
		return nil, fmt.Errorf("%w: read av1C: %w", ErrTrack, err)
	}
	sequence, err := config.SequenceHeader()
	if err != nil {
		return nil, fmt.Errorf("%w: read sequence header: %w", ErrTrack, err)
	}
	width, height, err := r.sized(int(sequence.Width()), int(sequence.Height()))
	if err != nil {
		return nil, err
	}
	r.Codec = sequence.CodecString("av01")
	if err := r.describeVideo(trak, "av01", &mp4.Av1CBox{CodecConfRec: config}, width, height, bitrate); err != nil {
		return nil, err
	}
	return []string{"av01"}, nil
}
