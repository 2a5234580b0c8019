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

// audioTag takes what a message says of the sound; used reports a
// configuration or an access unit.
func (t *tracks) audioTag(tag rtmp.Tag, at time.Duration, write func(ingest.AccessUnit)) (used bool, err error) {
	if len(tag.Data) == 0 || tag.Content != rtmp.Config && tag.Content != rtmp.Frame {
		return false, audioSupported(tag.FourCC)
	}
	s := &t.audio
	switch tag.FourCC {
	case rtmp.AAC, rtmp.Opus:
		if tag.Content == rtmp.Config {
			return true, s.configureAudio(tag)
		}
	case rtmp.MP3, rtmp.AC3:
		if tag.Content == rtmp.Config {
			return false, nil // each frame says it
		}
		if err := s.followAudio(tag); err != nil {
			return false, err
		}
	default:
		return false, audioSupported(tag.FourCC)
	}
	if s.track == nil || s.fourCC != tag.FourCC {
		t.counts.Early++
		return false, nil
	}
	dts := at + time.Duration(tag.Nanos)
	write(ingest.AccessUnit{Track: s.track, PTS: dts, DTS: dts, Key: true, Data: tag.Data})
	return true, nil
}

func audioSupported(codec rtmp.FourCC) error {
	switch codec {
	case rtmp.AAC, rtmp.Opus, rtmp.MP3, rtmp.AC3:
		return nil
	}
	return &rtmp.UnsupportedError{What: fmt.Sprintf("audio codec %q", string(codec))}
}

// configureAudio takes a configuration: another track, unless it is the same
// again.
func (s *stream) configureAudio(tag rtmp.Tag) error {
	if s.fourCC == tag.FourCC && bytes.Equal(s.record, tag.Data) {
		return nil
	}
	parse := codec.AACTrack
	if tag.FourCC == rtmp.Opus {
		parse = codec.OpusTrack
	}
	track, err := parse(tag.Data)
	if err != nil {
		return unreadable(tag.FourCC, err)
	}
	*s = stream{fourCC: tag.FourCC, record: bytes.Clone(tag.Data), track: track}
	return nil
}

// followAudio keeps the track that fits a frame which brings its own header.
func (s *stream) followAudio(tag rtmp.Tag) error {
	parse := codec.MP3Track
	if tag.FourCC == rtmp.AC3 {
		parse = codec.AC3Track
	}
	track, err := parse(tag.Data)
	if err != nil {
		return fmt.Errorf("%w: %w", rtmp.ErrMalformed, err)
	}
	if s.fourCC == tag.FourCC && sameSound(s.track, track) {
		return nil
	}
	*s = stream{fourCC: tag.FourCC, track: track}
	return nil
}

func sameSound(a, b *media.Track) bool {
	return a.Codec == b.Codec && a.SampleRate == b.SampleRate && a.Channels == b.Channels
}
