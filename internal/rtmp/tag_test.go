package rtmp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/stretchr/testify/require"
)

// cat joins a message's parts; strings are bytes.
func cat(parts ...any) []byte {
	var b []byte
	for _, part := range parts {
		switch p := part.(type) {
		case string:
			b = append(b, p...)
		case int:
			b = append(b, byte(p))
		}
	}
	return b
}

func TestVideoTags(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want []Tag
	}{
		"empty":                      {nil, nil},
		"AVC configuration":          {cat(0x17, 0, 0, 0, 0, "conf"), []Tag{{FourCC: AVC, Content: Config, Key: true, Data: cat("conf")}}},
		"AVC frame":                  {cat(0x27, 1, 0, 0, 80, "unit"), []Tag{{FourCC: AVC, Content: Frame, Offset: 80, Data: cat("unit")}}},
		"negative composition time":  {cat(0x27, 1, 0xFF, 0xFF, 0xD8, "unit"), []Tag{{FourCC: AVC, Content: Frame, Offset: -40, Data: cat("unit")}}},
		"AVC end of sequence":        {cat(0x17, 2, 0, 0, 0), []Tag{{FourCC: AVC, Content: End, Key: true, Data: []byte{}}}},
		"HEVC by its unofficial id":  {cat(0x1C, 1, 0, 0, 0, "unit"), []Tag{{FourCC: HEVC, Content: Frame, Key: true, Data: cat("unit")}}},
		"command frame":              {cat(0x57, 0), nil},
		"enhanced configuration":     {cat(0x90, "hvc1", "conf"), []Tag{{FourCC: HEVC, Content: Config, Key: true, Data: cat("conf")}}},
		"enhanced frame with offset": {cat(0xA1, "hvc1", 0, 0, 40, "unit"), []Tag{{FourCC: HEVC, Content: Frame, Offset: 40, Data: cat("unit")}}},
		"AV1 has none":               {cat(0x91, "av01", "unit"), []Tag{{FourCC: AV1, Content: Frame, Key: true, Data: cat("unit")}}},
		"without offset":             {cat(0xA3, "avc1", "unit"), []Tag{{FourCC: AVC, Content: Frame, Data: cat("unit")}}},
		"end":                        {cat(0x92, "vp09"), []Tag{{FourCC: VP9, Content: End, Key: true, Data: []byte{}}}},
		"metadata":                   {cat(0xD4, "hvc1", "amf"), []Tag{{FourCC: HEVC, Content: Other, Data: cat("amf")}}},
		"enhanced command frame":     {cat(0xD1, 0), nil},
		"unknown codec is for the caller": {cat(0x91, "vvc1", "unit"),
			[]Tag{{FourCC: "vvc1", Content: Frame, Key: true, Data: cat("unit")}}},
		"modifier: nanoseconds": {cat(0xA7, 2, 0, 1, 2, 0x03, "hvc1", "unit"),
			[]Tag{{FourCC: HEVC, Content: Frame, Nanos: 258, Data: cat("unit")}}},
		"two modifiers, one unknown and long": {cat(0xA7, 255, 0, 255, strings.Repeat("x", 256), 0x17, 2, 0, 0, 9, 0x03, "hvc1", "unit"),
			[]Tag{{FourCC: HEVC, Content: Frame, Nanos: 9, Data: cat("unit")}}},
		"one track": {cat(0x96, 0x03, "avc1", 4, "unit"), []Tag{{Track: 4, FourCC: AVC, Content: Frame, Key: true, Data: cat("unit")}}},
		"R07 many tracks": {cat(0x96, 0x11, "avc1", 0, 0, 0, 5, 0, 0, 40, "u0", 1, 0, 0, 4, 0, 0, 80, "u"), []Tag{
			{Track: 0, FourCC: AVC, Content: Frame, Key: true, Offset: 40, Data: cat("u0")},
			{Track: 1, FourCC: AVC, Content: Frame, Key: true, Offset: 80, Data: cat("u")}}},
		"R07 many tracks, many codecs": {cat(0x96, 0x20, "avc1", 0, 0, 0, 2, "c0", "vvc1", 1, 0, 0, 2, "c1"), []Tag{
			{Track: 0, FourCC: AVC, Content: Config, Key: true, Data: cat("c0")},
			{Track: 1, FourCC: "vvc1", Content: Config, Key: true, Data: cat("c1")}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := AppendVideo(nil, c.body)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestAudioTags(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want []Tag
	}{
		"empty":                  {nil, nil},
		"AAC configuration":      {cat(0xAF, 0, 0x11, 0x90), []Tag{{FourCC: AAC, Content: Config, Data: cat(0x11, 0x90)}}},
		"AAC frame":              {cat(0xAF, 1, "unit"), []Tag{{FourCC: AAC, Content: Frame, Data: cat("unit")}}},
		"AAC header alone":       {cat(0xAF), nil},
		"MP3":                    {cat(0x2F, "unit"), []Tag{{FourCC: MP3, Content: Frame, Data: cat("unit")}}},
		"enhanced configuration": {cat(0x90, "Opus", "head"), []Tag{{FourCC: Opus, Content: Config, Data: cat("head")}}},
		"enhanced frame":         {cat(0x91, "mp4a", "unit"), []Tag{{FourCC: AAC, Content: Frame, Data: cat("unit")}}},
		"enhanced end":           {cat(0x92, "mp4a"), []Tag{{FourCC: AAC, Content: End, Data: []byte{}}}},
		"channel layout":         {cat(0x94, "mp4a", 1, 2), []Tag{{FourCC: AAC, Content: Other, Data: cat(1, 2)}}},
		"R07 many tracks": {cat(0x95, 0x11, "Opus", 0, 0, 0, 1, "a", 1, 0, 0, 1, "b"), []Tag{
			{FourCC: Opus, Content: Frame, Data: cat("a")}, {Track: 1, FourCC: Opus, Content: Frame, Data: cat("b")}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := AppendAudio(nil, c.body)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// R07: fail in a controlled, predictable way.
func TestR07WhatIsNotKnown(t *testing.T) {
	for name, c := range map[string]struct {
		parse func([]Tag, []byte) ([]Tag, error)
		body  []byte
		says  string
	}{
		"Sorenson":              {AppendVideo, cat(0x12, "x"), "Sorenson H.263 video is not supported"},
		"video packet type":     {AppendVideo, cat(0x99, "hvc1"), "video packet type 9 is not supported"},
		"multitrack type":       {AppendVideo, cat(0x96, 0x31, "hvc1"), "multitrack type 3 is not supported"},
		"multitrack within one": {AppendVideo, cat(0x96, 0x06, "hvc1", 0), "video packet type 6 is not supported"},
		"AV1 in MPEG-2 TS":      {AppendVideo, cat(0x95, "av01"), "video packet type 5 is not supported"},
		"Speex":                 {AppendAudio, cat(0xB2, "x"), "Speex audio is not supported"},
		"audio packet type":     {AppendAudio, cat(0x96, "Opus"), "audio packet type 6 is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.parse(nil, c.body)
			var unsupported *UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			require.EqualError(t, err, c.says)
		})
	}
	for name, body := range map[string][]byte{
		"no AVC header":          cat(0x17, 1, 0),
		"AVC packet type":        cat(0x17, 3, 0, 0, 0),
		"no FourCC":              cat(0x91, "av"),
		"no offset":              cat(0x91, "avc1", 0),
		"modifier ends early":    cat(0x97, 9, 1),
		"modifiers without end":  cat(0x97, 0, 0, 7, 0, 0, 7),
		"track ends early":       cat(0x96, 0x10, "avc1", 0, 0, 0, 9, "x"),
		"second track is no one": cat(0x96, 0x10, "avc1", 0, 0, 0, 1, "x", 1),
		"no multitrack header":   cat(0x96),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := AppendVideo(nil, body)
			require.ErrorIs(t, err, ErrMalformed)
		})
	}
}

// What an independent writer sends is understood.
func TestTagsAgreeWithLibrary(t *testing.T) {
	var wire bytes.Buffer
	w := message.NewWriter(&wire, bytecounter.NewWriter(&wire), false)
	for _, m := range []message.Message{
		&message.Video{ChunkStreamID: 6, Codec: message.CodecH264, IsKeyFrame: true, Type: message.VideoTypeAU, PTSDelta: 80 * time.Millisecond, AU: cat("u")},
		&message.VideoExCodedFrames{ChunkStreamID: 6, FourCC: message.FourCCHEVC, PTSDelta: 40 * time.Millisecond, Payload: cat("u")},
		&message.VideoExFramesX{ChunkStreamID: 6, FourCC: message.FourCCAV1, Payload: cat("u")},
		&message.VideoExMultitrack{TrackID: 3, Wrapped: &message.VideoExFramesX{ChunkStreamID: 6, FourCC: message.FourCCVP9, Payload: cat("u")}},
		&message.Audio{ChunkStreamID: 4, Codec: message.CodecMPEG4Audio, AACType: message.AudioAACTypeAU, AU: cat("u")},
		&message.AudioExCodedFrames{ChunkStreamID: 4, FourCC: message.FourCCOpus, Payload: cat("u")},
		&message.AudioExMultitrack{TrackID: 2, Wrapped: &message.AudioExCodedFrames{ChunkStreamID: 4, FourCC: message.FourCCAC3, Payload: cat("u")}},
	} {
		require.NoError(t, w.Write(m))
	}
	var tags []Tag
	for r := NewReader(&wire, 1000); ; {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if m.Type == TypeVideo {
			tags, err = AppendVideo(tags, m.Body)
		} else {
			tags, err = AppendAudio(tags, m.Body)
		}
		require.NoError(t, err)
	}
	u := cat("u")
	require.Equal(t, []Tag{
		{FourCC: AVC, Content: Frame, Key: true, Offset: 80, Data: u},
		{FourCC: HEVC, Content: Frame, Offset: 40, Data: u},
		{FourCC: AV1, Content: Frame, Data: u},
		{Track: 3, FourCC: VP9, Content: Frame, Data: u},
		{FourCC: AAC, Content: Frame, Data: u},
		{FourCC: Opus, Content: Frame, Data: u},
		{Track: 2, FourCC: AC3, Content: Frame, Data: u},
	}, tags)
}

func FuzzTags(f *testing.F) {
	f.Add(cat(0x17, 0, 0, 0, 0, "conf"))
	f.Add(cat(0xA7, 2, 0, 1, 2, 0x03, "hvc1", "unit"))
	f.Add(cat(0x96, 0x20, "avc1", 0, 0, 0, 2, "c0", "vvc1", 1, 0, 0, 2, "c1"))
	f.Add(cat(0x95, 0x11, "Opus", 0, 0, 0, 1, "a", 1, 0, 0, 1, "b"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, parse := range []func([]Tag, []byte) ([]Tag, error){AppendVideo, AppendAudio} {
			tags, err := parse(nil, body)
			var unsupported *UnsupportedError
			if err != nil && !errors.Is(err, ErrMalformed) && !errors.As(err, &unsupported) {
				t.Fatal(err)
			}
			total := 0
			for _, tag := range tags {
				total += len(tag.Data)
			}
			if total > len(body) || len(tags) > len(body) {
				t.Fatal("more than there was")
			}
		}
	})
}
