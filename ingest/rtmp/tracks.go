package rtmp

import (
	"errors"
	"fmt"

	"millrace/ingest"
	"millrace/ingest/codec"
	"millrace/internal/media"
	"millrace/internal/rtmp"
)

// tracks is what one publisher has said of its streams so far: it makes access
// units of messages. Only track 0 of a multitrack publisher is used. It is
// owned by the goroutine of its connection.
type tracks struct {
	clock  unwrapper
	video  stream
	audio  stream
	counts Counts
	tags   []rtmp.Tag
}

// stream is the state of one elementary stream.
type stream struct {
	fourCC rtmp.FourCC
	record []byte // the configuration as sent, which track was made of
	track  *media.Track
	nal    codec.NALTrack // where the codec has NAL units
}

// Counts are messages that gave no access unit.
type Counts struct {
	Early     uint64 // frames before their configuration
	Malformed uint64
}

// take makes access units of one audio or video message and hands them to
// write. timely reports that it had something of use in it. An error is an
// *rtmp.UnsupportedError: the stream must be refused.
func (t *tracks) take(m rtmp.Message, write func(ingest.AccessUnit)) (timely bool, err error) {
	at := t.clock.unwrap(m.Timestamp)
	if m.Type == rtmp.TypeVideo {
		t.tags, err = rtmp.AppendVideo(t.tags[:0], m.Body)
	} else {
		t.tags, err = rtmp.AppendAudio(t.tags[:0], m.Body)
	}
	if err = t.tolerate(err); err != nil {
		return false, err
	}
	for _, tag := range t.tags {
		if tag.Track != 0 {
			continue
		}
		var used bool
		if m.Type == rtmp.TypeVideo {
			used, err = t.videoTag(tag, at, write)
		} else {
			used, err = t.audioTag(tag, at, write)
		}
		timely = timely || used
		if err = t.tolerate(err); err != nil {
			return timely, err
		}
	}
	return timely, nil
}

// tolerate counts what is merely malformed.
func (t *tracks) tolerate(err error) error {
	if err == nil {
		return nil
	}
	var unsupported *rtmp.UnsupportedError
	if errors.As(err, &unsupported) {
		return err
	}
	t.counts.Malformed++
	return nil
}

// unreadable refuses a configuration that no frame could be decoded with.
func unreadable(codec rtmp.FourCC, err error) error {
	return &rtmp.UnsupportedError{What: fmt.Sprintf("this configuration of %q (%v)", string(codec), err)}
}
