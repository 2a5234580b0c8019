package gpu

import "fmt"

// Filler is the picture encoded as stand-in media for a lost encoder: two
// variants, each one closed GOP of gop frames, IDR first. The idr_pic_id of
// their IDRs differ, so the variants may follow each other in turn (H.264
// 7.4.3). Frames are numbered from 0 in each variant. The caller keeps its
// reference.
func Filler(device Device, config EncoderConfig, picture *Frame, gop int) ([][]AccessUnit, error) {
	encoder, err := device.NewEncoder(config)
	if err != nil {
		return nil, fmt.Errorf("make filler: %w", err)
	}
	defer encoder.Close()
	variants := make([][]AccessUnit, 2) // consecutive IDRs of one encoder differ
	for i := range variants {
		for frame := range gop {
			unit, err := encoder.Encode(picture, int64(frame), frame == 0)
			if err != nil {
				return nil, fmt.Errorf("make filler: %w", err)
			}
			variants[i] = append(variants[i], unit)
		}
	}
	return variants, nil
}
