package cmaf

import (
	"fmt"

	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"
)

// describeHEVC fills the sample description of HEVC with parameter sets out of band
// (hvc1, which Apple's players need) and returns the brands of the CMAF media profiles
// it obeys.
func (r *Rendition) describeHEVC(trak *mp4.TrakBox, bitrate int) ([]string, error) {
	config, err := hevc.DecodeHEVCDecConfRec(r.Track.Config)
	if err != nil {
		return nil, fmt.Errorf("%w: read hvcC: %w", ErrTrack, err)
	}
	sets := config.GetNalusForType(hevc.NALU_SPS)
	if len(sets) == 0 || len(config.GetNalusForType(hevc.NALU_VPS)) == 0 || len(config.GetNalusForType(hevc.NALU_PPS)) == 0 {
		return nil, fmt.Errorf("%w: hvcC holds no parameter sets", ErrTrack)
	}
	sps, err := hevc.ParseSPSNALUnit(sets[0])
	if err != nil {
		return nil, fmt.Errorf("%w: read SPS: %w", ErrTrack, err)
	}
	coded, lines := sps.ImageSize()
	width, height, err := r.sized(int(coded), int(lines))
	if err != nil {
		return nil, err
	}
	r.Codec = hevc.CodecString("hvc1", sps)
	if err := r.describeVideo(trak, "hvc1", &mp4.HvcCBox{DecConfRec: config}, width, height, bitrate); err != nil {
		return nil, err
	}
	return hevcProfiles(config, width, height), nil
}

// sized is the track's size, which the stream must agree with where it says one.
func (r *Rendition) sized(width, height int) (int, int, error) {
	if t := r.Track; t.Width != 0 && t.Height != 0 && (t.Width != width || t.Height != height) {
		return 0, 0, fmt.Errorf("%w: a stream of %dx%d in a track of %dx%d", ErrTrack, width, height, t.Width, t.Height)
	}
	return width, height, nil
}

// hevcProfiles are the CMAF media profiles of ISO/IEC 23000-19 annex B for 8 bits.
func hevcProfiles(config hevc.DecConfRec, width, height int) []string {
	const main, level41, level50 = 1, 123, 150
	switch {
	case config.GeneralProfileIDC != main || config.GeneralTierFlag || width > 3840 || height > 2160 || config.GeneralLevelIDC > level50:
		return nil
	case width > 1920 || height > 1080 || config.GeneralLevelIDC > level41:
		return []string{"cud8"}
	}
	return []string{"chhd", "cud8"}
}
