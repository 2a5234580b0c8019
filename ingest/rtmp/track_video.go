package rtmp

import (
	"bytes"
	"fmt"
	"time"

	"millrace/ingest"
	"millrace/ingest/codec"
	"millrace/internal/media"
	"millrace/internal/rtmp"
)

// videoTag takes what a message says of the picture; used reports a
// configuration or an access unit.
func (t *tracks) videoTag(tag rtmp.Tag, at time.Duration, write func(ingest.AccessUnit)) (used bool, err error) {
	s := &t.video
	switch tag.Content {
	case rtmp.Config:
		return true, s.configureVideo(tag)
	case rtmp.Frame:
	default:
		return false, nil
	}
	if s.track == nil || s.fourCC != tag.FourCC {
		if err := videoSupported(tag.FourCC); err != nil {
			return false, err
		}
		t.counts.Early++
		return false, nil
	}
	u, err := s.picture(tag)
	if err != nil {
		return false, err
	}
	u.DTS = at + time.Duration(tag.Nanos)
	u.PTS = u.DTS + time.Duration(tag.Offset)*time.Millisecond
	write(u)
	return true, nil
}

// picture is the access unit of a frame, without its time.
func (s *stream) picture(tag rtmp.Tag) (ingest.AccessUnit, error) {
	u := ingest.AccessUnit{Track: s.track, Key: tag.Key, Data: tag.Data}
	switch s.fourCC {
	case rtmp.AVC, rtmp.HEVC:
		// The client's flag counts too: intra refresh has no other sign.
		var random bool
		u.Data, random = s.nal.AccessUnit(tag.Data)
		if u.Key = u.Key || random; u.Key {
			s.nal = s.nal.Follow(u.Data)
			s.track, u.Track = s.nal.Track, s.nal.Track
		}
	case rtmp.AV1:
		u.Data = codec.TemporalUnit(tag.Data)
	case rtmp.VP9:
		track, key, err := codec.WithSizeOf(s.track, tag.Data)
		if err != nil {
			return u, err
		}
		s.track, u.Track, u.Key = track, track, key
	}
	if len(u.Data) == 0 {
		return u, fmt.Errorf("%w: %s frame", rtmp.ErrMalformed, s.fourCC)
	}
	return u, nil
}

func videoSupported(codec rtmp.FourCC) error {
	switch codec {
	case rtmp.AVC, rtmp.HEVC, rtmp.AV1, rtmp.VP9:
		return nil
	}
	return &rtmp.UnsupportedError{What: fmt.Sprintf("video codec %q", string(codec))}
}

// configureVideo takes a configuration: another track, unless it is the same
// again, as many encoders send before each key frame.
func (s *stream) configureVideo(tag rtmp.Tag) error {
	if s.fourCC == tag.FourCC && bytes.Equal(s.record, tag.Data) {
		return nil
	}
	if err := videoSupported(tag.FourCC); err != nil {
		return err
	}
	if len(tag.Data) == 0 {
		return nil // said by some before they know
	}
	var track *media.Track
	var nal codec.NALTrack
	var err error
	switch tag.FourCC {
	case rtmp.AVC:
		nal, err = codec.AVCTrack(tag.Data)
		track = nal.Track
	case rtmp.HEVC:
		nal, err = codec.HEVCTrack(tag.Data)
		track = nal.Track
	case rtmp.AV1:
		track, err = codec.AV1Track(tag.Data)
	case rtmp.VP9:
		track, err = codec.VP9Track(tag.Data)
	}
	if err != nil {
		return unreadable(tag.FourCC, err)
	}
	*s = stream{fourCC: tag.FourCC, record: bytes.Clone(tag.Data), track: track, nal: nal}
	return nil
}
