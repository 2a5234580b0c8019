package gpu

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/av1"

	"millrace/internal/media"
)

// trackOfAV1 describes an encoder's stream from its sequence header.
func trackOfAV1(config EncoderConfig, header []byte) (*media.Track, error) {
	units, err := av1.SplitOBUs(header)
	if err != nil {
		return nil, fmt.Errorf("read sequence header: %w", err)
	}
	for _, unit := range units {
		if unit.Header.Type != av1.OBUSequenceHeader {
			continue
		}
		sequence, err := av1.ParseSequenceHeader(unit.Payload)
		if err != nil {
			return nil, fmt.Errorf("read sequence header: %w", err)
		}
		if int(sequence.Width()) != config.Size.Width || int(sequence.Height()) != config.Size.Height {
			return nil, fmt.Errorf("the encoder's sequence header says %dx%d, not %v", sequence.Width(), sequence.Height(), config.Size)
		}
		record := av1.CodecConfRecFromSequenceHeader(sequence, unit.Encode())
		var out bytes.Buffer
		if err := record.Encode(&out); err != nil {
			return nil, fmt.Errorf("write av1C: %w", err)
		}
		return &media.Track{
			ID: config.ID, Kind: media.Video, Codec: media.AV1, MIME: sequence.CodecString("av01"), Config: out.Bytes(),
			Width: config.Size.Width, Height: config.Size.Height, Rate: config.Rate,
		}, nil
	}
	return nil, errors.New("no sequence header")
}

// temporalUnit is what of an encoder's packet stands in a file: no delimiters, no
// metadata, every OBU with its size, and the sequence header before a key frame, which
// makes it one to begin with (AV1 in ISOBMFF 2.4, 2.5). It is empty where the packet
// is not whole.
func temporalUnit(packet []byte, track *media.Track) (unit []byte, key bool) {
	record, err := av1.DecodeAV1CodecConfRec(track.Config)
	if err != nil {
		return nil, false
	}
	sequence, err := record.SequenceHeader()
	if err != nil {
		return nil, false
	}
	units, err := av1.SplitOBUs(packet)
	if err != nil {
		return nil, false
	}
	unit = make([]byte, 0, len(packet)+len(record.ConfigOBUs))
	for _, u := range units {
		switch u.Header.Type {
		case av1.OBUFrame, av1.OBUFrameHeader:
			info, err := av1.ParseFrameHeaderStart(u.Payload, sequence)
			if err != nil {
				return nil, false
			}
			if begins := !info.ShowExistingFrame && info.FrameType == av1.FrameTypeKey && info.ShowFrame; begins && !key {
				key = true
				unit = append(bytes.Clone(record.ConfigOBUs), unit...)
			}
		case av1.OBUTileGroup, av1.OBURedundantFrameHeader, av1.OBUTileList:
		default:
			continue
		}
		unit = append(unit, u.Encode()...)
	}
	return unit, key
}
