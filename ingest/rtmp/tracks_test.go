package rtmp

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/media"
	"millrace/internal/rtmp"
)

// Configuration records as Debian's encoders make them.
const (
	avcC      = "0142c00affe100176742c00ada1c9e788c0440000003004000000c83c489a801000468ce0fc8"
	avcCLarge = "0142c01fffe100176742c01fda014016ec0440000003004000000c83c60ca801000468ce0fc8"
	hvcC      = "0101600000009000000000001ef000fcfdf8f800000f03" +
		"200001001840010c01ffff01600000030090000003000003001e959809" +
		"210001002942010101600000030090000003000003001ea010206165959a4932bc05a020000003002000000303212200010007" + "4401c172b42240"
	av1C     = "81000c000a0a0000000337fbe6d7c802"
	vpcC     = "01000000000a820202020000"
	vp9Key   = "824983420007f005f61038241c18580005606fb1"
	ac3Frame = "0b77d676144043e106f46370c0c0c218"
	aacLC    = "1190"       // 48 kHz, stereo
	aacMono  = "1208"       // 44.1 kHz, mono
	heAAC    = "2b92080000" // SBR signalled explicitly: 22.05 kHz to 44.1 kHz
	opusHead = "4f707573486561640102380180bb0000000000"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// script is messages written as "v 40 27 01 …": video or audio, timestamp in
// milliseconds, body.
type script struct {
	*testing.T
	tracks tracks
	units  []ingest.AccessUnit
}

func (s *script) message(kind byte, at uint32, parts ...string) (bool, error) {
	s.Helper()
	body := unhex(s, strings.Join(parts, ""))
	return s.tracks.take(rtmp.Message{Type: kind, Timestamp: at, Body: body}, func(u ingest.AccessUnit) {
		s.units = append(s.units, u)
	})
}

func (s *script) video(at uint32, parts ...string) {
	s.Helper()
	_, err := s.message(rtmp.TypeVideo, at, parts...)
	require.NoError(s, err)
}

func (s *script) audio(at uint32, parts ...string) {
	s.Helper()
	_, err := s.message(rtmp.TypeAudio, at, parts...)
	require.NoError(s, err)
}

func four(name string) string { return hex.EncodeToString([]byte(name)) }

const ms = time.Millisecond

func TestTracksOfH264AndAAC(t *testing.T) {
	s := &script{T: t}
	s.video(0, "27 01 000000 00000001 41") // before its configuration
	s.audio(0, "af 01 aa")
	s.video(0, "17 00 000000", avcC)
	s.audio(0, "af 00", aacLC)
	s.video(40, "17 01 000028 00000002 6588")
	s.audio(43, "af 01 aabb")
	s.video(80, "27 01 ffffd8 00000001 41 00000001 01")
	s.video(80, "17 00 000000", avcC) // again, as before each key frame
	s.video(120, "17 01 000000 00000002 6788 00000001 65")
	s.video(160, "17 02 000000") // end of sequence
	s.video(200, "27 01 000000 00000001 65")
	require.Equal(t, Counts{Early: 2}, s.tracks.counts)
	require.Len(t, s.units, 5)

	video, audio := s.units[0].Track, s.units[1].Track
	require.Equal(t, &media.Track{
		ID: "video", Kind: media.Video, Codec: media.H264, MIME: "avc1.42c00a", Config: unhex(t, avcC), Width: 100, Height: 50, Rate: media.Rate{Num: 25, Den: 1},
	}, video)
	require.Equal(t, &media.Track{
		ID: "audio", Kind: media.Audio, Codec: media.AAC, MIME: "mp4a.40.2", Config: unhex(t, aacLC), SampleRate: 48000, Channels: 2,
	}, audio)
	require.Equal(t, []ingest.AccessUnit{
		{Track: video, DTS: 40 * ms, PTS: 80 * ms, Key: true, Data: unhex(t, "000000026588")},
		{Track: audio, DTS: 43 * ms, PTS: 43 * ms, Key: true, Data: unhex(t, "aabb")},
		{Track: video, DTS: 80 * ms, PTS: 40 * ms, Data: unhex(t, "00000001410000000101")},
		{Track: video, DTS: 120 * ms, PTS: 120 * ms, Key: true, Data: unhex(t, "0000000267880000000165")},
		{Track: video, DTS: 200 * ms, PTS: 200 * ms, Key: true, Data: unhex(t, "0000000165")}, // an IDR that is not called a key frame
	}, s.units)
	for _, u := range s.units[2:] {
		require.Same(t, video, u.Track)
	}
}

func TestTracksChange(t *testing.T) {
	s := &script{T: t}
	s.video(0, "17 00 000000", avcC)
	s.audio(0, "af 00", aacLC)
	s.video(40, "17 01 000000 00000001 65")
	s.audio(40, "af 01 aa")
	s.video(80, "17 00 000000", avcCLarge)
	s.audio(80, "af 00", aacMono)
	s.video(80, "17 01 000000 00000001 65")
	s.audio(80, "af 01 aa")
	s.video(120, "90", four("hvc1"), hvcC)
	s.video(120, "91", four("hvc1"), "000000 00000002 2601")
	s.video(160, "17 01 000000 00000001 65") // of the codec that was left
	require.Equal(t, Counts{Early: 1}, s.tracks.counts)
	video := of(s.units, media.Video)
	require.Len(t, video, 3)
	require.Equal(t, "avc1.42c00a", video[0].Track.MIME)
	require.Equal(t, "avc1.42c01f", video[1].Track.MIME)
	require.Equal(t, []int{1280, 720}, []int{video[1].Track.Width, video[1].Track.Height})
	require.Equal(t, media.HEVC, video[2].Track.Codec)
	audio := of(s.units, media.Audio)
	require.Equal(t, []int{48000, 44100}, []int{audio[0].Track.SampleRate, audio[1].Track.SampleRate})
	for _, u := range video {
		require.Equal(t, "video", u.Track.ID)
	}
}

func TestTracksOfEnhancedRTMP(t *testing.T) {
	for name, c := range map[string]struct {
		kind          byte
		config, frame string
		track         media.Track
		data          string
		key           bool
		offset        time.Duration
	}{
		"hvc1": {
			kind: rtmp.TypeVideo, config: "90" + four("hvc1") + hvcC, frame: "a1" + four("hvc1") + "000028 00000002 2601",
			track: media.Track{ID: "video", Kind: media.Video, Codec: media.HEVC, MIME: "hvc1.1.6.L30.90", Config: unhex(t, hvcC), Width: 128, Height: 96, Rate: media.Rate{Num: 25, Den: 1}},
			data:  "000000022601", key: true, offset: 40 * ms,
		},
		"avc1 without offset": {
			kind: rtmp.TypeVideo, config: "90" + four("avc1") + avcC, frame: "a3" + four("avc1") + "00000001 41",
			track: media.Track{ID: "video", Kind: media.Video, Codec: media.H264, MIME: "avc1.42c00a", Config: unhex(t, avcC), Width: 100, Height: 50, Rate: media.Rate{Num: 25, Den: 1}},
			data:  "0000000141",
		},
		"av01 without delimiters": {
			kind: rtmp.TypeVideo, config: "90" + four("av01") + av1C, frame: "91" + four("av01") + "1200 0a0a0000000337fbe6d7c802 3201aa",
			track: media.Track{ID: "video", Kind: media.Video, Codec: media.AV1, MIME: "av01.0.00M.08", Config: unhex(t, av1C), Width: 128, Height: 96},
			data:  "0a0a0000000337fbe6d7c802 3201aa", key: true,
		},
		"vp09": {
			kind: rtmp.TypeVideo, config: "90" + four("vp09") + vpcC, frame: "a3" + four("vp09") + vp9Key,
			track: media.Track{ID: "video", Kind: media.Video, Codec: media.VP9, MIME: "vp09.00.10.08", Width: 128, Height: 96},
			data:  vp9Key, key: true,
		},
		"Opus": {
			kind: rtmp.TypeAudio, config: "90" + four("Opus") + opusHead, frame: "91" + four("Opus") + "fcaa",
			track: media.Track{ID: "audio", Kind: media.Audio, Codec: media.Opus, MIME: "opus", Config: unhex(t, "000201380000bb80000000"), SampleRate: 48000, Channels: 2},
			data:  "fcaa", key: true,
		},
		"mp4a": {
			kind: rtmp.TypeAudio, config: "90" + four("mp4a") + heAAC, frame: "91" + four("mp4a") + "aa",
			track: media.Track{ID: "audio", Kind: media.Audio, Codec: media.AAC, MIME: "mp4a.40.5", Config: unhex(t, heAAC), SampleRate: 44100, Channels: 2},
			data:  "aa", key: true,
		},
		"ac-3": {
			kind: rtmp.TypeAudio, config: "90" + four("ac-3"), frame: "91" + four("ac-3") + ac3Frame,
			track: media.Track{ID: "audio", Kind: media.Audio, Codec: media.AC3, MIME: "ac-3", SampleRate: 48000, Channels: 2},
			data:  ac3Frame, key: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{T: t}
			for at, body := range map[uint32]string{0: c.config} {
				_, err := s.message(c.kind, at, body)
				require.NoError(t, err)
			}
			timely, err := s.message(c.kind, 40, c.frame)
			require.NoError(t, err)
			require.True(t, timely)
			require.Len(t, s.units, 1)
			u := s.units[0]
			require.Equal(t, c.track, *u.Track)
			require.Equal(t, unhex(t, c.data), u.Data)
			require.Equal(t, c.key, u.Key)
			require.Equal(t, []time.Duration{40 * ms, 40*ms + c.offset}, []time.Duration{u.DTS, u.PTS})
		})
	}
}

func TestMP3FollowsItsFrames(t *testing.T) {
	s := &script{T: t}
	s.audio(0, "2f fffb9064 00")  // 44.1 kHz, joint stereo, 128 kb/s
	s.audio(26, "2f fffb9264 00") // padded
	s.audio(52, "2f fffba064 00") // 160 kb/s
	s.audio(78, "2f fffb94c4 00") // 48 kHz, mono
	require.Len(t, s.units, 4)
	require.Same(t, s.units[0].Track, s.units[1].Track)
	require.Same(t, s.units[0].Track, s.units[2].Track)
	require.Equal(t, media.Track{ID: "audio", Kind: media.Audio, Codec: media.MP3, MIME: "mp4a.6B", SampleRate: 48000, Channels: 1}, *s.units[3].Track)
}

// R07: all tracks of a message are gone through; track 0 is the source's.
func TestR07Multitrack(t *testing.T) {
	s := &script{T: t}
	s.video(0, "96 20", four("vvc1"), "01 000002 aabb", four("avc1"), "00 000026", avcC)
	s.video(40, "96 11", four("avc1"), "01 000008 000000 00000001 41", "00 000008 000000 00000001 65")
	s.audio(40, "95 00", four("mp4a"), "00", aacLC)
	s.audio(40, "95 01", four("mp4a"), "01 aa")
	s.audio(40, "95 01", four("mp4a"), "00 bb")
	require.Len(t, s.units, 2)
	require.Equal(t, unhex(t, "0000000165"), s.units[0].Data)
	require.Equal(t, unhex(t, "bb"), s.units[1].Data)
	require.Zero(t, s.tracks.counts)
}

func TestR07UnsupportedIsNamed(t *testing.T) {
	for body, says := range map[string]string{
		"91" + four("vvc1") + "aa":        `video codec "vvc1" is not supported`,
		"90" + four("vp08") + "aa":        `video codec "vp08" is not supported`,
		"12aa":                            "Sorenson H.263 video is not supported",
		"17 00 000000 01":                 `this configuration of "avc1" (avcC of 1 bytes) is not supported`,
		"17 00 000000 0142c00affe10017":   `this configuration of "avc1" (avcC: list of NAL units ends early) is not supported`,
		"90" + four("hvc1") + hvcC[:100]:  `this configuration of "hvc1" (hvcC: list of NAL units ends early) is not supported`,
		"90" + four("av01") + "8100":      `this configuration of "av01" (av1C of 2 bytes) is not supported`,
		"17 00 000000 0142c00affe0010000": `this configuration of "avc1" (avcC without SPS) is not supported`,
	} {
		s := &script{T: t}
		_, err := s.message(rtmp.TypeVideo, 0, body)
		require.EqualError(t, err, says)
	}
	for body, says := range map[string]string{
		"91" + four("fLaC") + "aa": `audio codec "fLaC" is not supported`,
		"92" + four("ec-3"):        `audio codec "ec-3" is not supported`,
		"b2aa":                     "Speex audio is not supported",
		"af 00 0990":               `this configuration of "mp4a" (read AudioSpecificConfig: unsupported object type: 1) is not supported`,
		"90" + four("Opus") + "00": `this configuration of "Opus" (no Opus identification header) is not supported`,
	} {
		s := &script{T: t}
		_, err := s.message(rtmp.TypeAudio, 0, body)
		require.EqualError(t, err, says)
	}
}

func TestMalformedIsCounted(t *testing.T) {
	s := &script{T: t}
	s.video(0, "17 00 000000", avcC)
	for _, unit := range []string{"", "00", "000000", "00000002 65", "00000000", "00000001 65 00"} {
		timely, err := s.message(rtmp.TypeVideo, 0, "17 01 000000", unit)
		require.NoError(t, err)
		require.False(t, timely, unit)
	}
	s.video(0, "17") // no header
	s.audio(0, "21 ff")
	require.Empty(t, s.units)
	require.Equal(t, Counts{Malformed: 8}, s.tracks.counts)
}

func TestLengthsBecomeFourBytes(t *testing.T) {
	short := strings.Replace(avcC, "0142c00aff", "0142c00afd", 1)
	s := &script{T: t}
	s.video(0, "17 00 000000", short)
	s.video(0, "27 01 000000 0002 0910 0000 0001 65")
	require.Len(t, s.units, 1)
	require.Equal(t, unhex(t, avcC), s.units[0].Track.Config)
	require.Equal(t, unhex(t, "00000002 0910 00000001 65"), s.units[0].Data)
	require.True(t, s.units[0].Key)
}

// R02: publish from 0xFFFFF000; audio and video share the wrap.
func TestR02TracksWrapTogether(t *testing.T) {
	s := &script{T: t}
	s.video(0, "17 00 000000", avcC)
	s.audio(0, "af 00", aacLC)
	const from = uint32(0xFFFFF000)
	for i := range uint32(500) {
		s.video(from+i*40, "27 01 000014 00000001 41")
		s.audio(from+i*40+11, "af 01 aa")
	}
	video, audio := of(s.units, media.Video), of(s.units, media.Audio)
	for i := range video {
		require.Equal(t, video[0].DTS+time.Duration(i)*40*ms, video[i].DTS)
		require.Equal(t, video[i].DTS+20*ms, video[i].PTS)
		require.Equal(t, video[i].DTS+11*ms, audio[i].DTS)
	}
}

func FuzzTracks(f *testing.F) {
	for _, body := range []string{
		"17000000 00" + avcC, "1701000000 0000000165", "90" + four("hvc1") + hvcC, "91" + four("hvc1") + "000000000000022601",
		"90" + four("av01") + av1C, "91" + four("av01") + "12000a0a0000000337fbe6d7c8023201aa",
		"90" + four("vp09") + vpcC, "a3" + four("vp09") + vp9Key,
	} {
		f.Add(true, unhex(f, body), unhex(f, body))
	}
	for _, body := range []string{
		"af00" + aacLC, "af01aa", "90" + four("Opus") + opusHead, "91" + four("ac-3") + ac3Frame, "2ffffb90640000",
	} {
		f.Add(false, unhex(f, body), unhex(f, body))
	}
	f.Fuzz(func(t *testing.T, video bool, first, second []byte) {
		kind := byte(rtmp.TypeAudio)
		if video {
			kind = rtmp.TypeVideo
		}
		var state tracks
		for _, body := range [][]byte{first, second, first} {
			_, err := state.take(rtmp.Message{Type: kind, Body: body}, func(u ingest.AccessUnit) {
				if u.Track == nil || len(u.Data) == 0 || len(u.Data) > 4*len(body) {
					t.Fatal("not an access unit")
				}
			})
			var unsupported *rtmp.UnsupportedError
			if err != nil && !errors.As(err, &unsupported) {
				t.Fatal(err)
			}
		}
	})
}
