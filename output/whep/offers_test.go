package whep

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
	"millrace/internal/rtc"
)

// TestBrowsersOffers holds the answer to the forms in which browsers offer: the
// files are written after what each of them documents and sends.
func TestBrowsersOffers(t *testing.T) {
	avc := func(profile string) *media.Track {
		return &media.Track{ID: "video", Kind: media.Video, Codec: media.H264, Config: avcC(profile)}
	}
	other := func(codec media.Codec) *media.Track {
		return &media.Track{ID: "video", Kind: media.Video, Codec: codec}
	}
	const mode = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
	cases := []struct {
		browser string
		track   *media.Track
		payload uint8 // 0: refused
		rtx     uint8
		format  string
	}{
		{"chrome", avc("64001f"), 119, 120, mode + "64001f"},
		{"chrome", avc("640028"), 119, 120, mode + "640028"}, // our level
		{"chrome", avc("4d0028"), 117, 118, mode + "4d0028"},
		{"chrome", avc("42c01f"), 103, 104, mode + "42001f"}, // no such constraints: the first of the profile
		{"chrome", avc("42e01e"), 109, 114, mode + "42e01e"},
		{"chrome", other(media.VP8), 96, 97, ""},
		{"chrome", other(media.VP9), 98, 99, "profile-id=0"},
		{"chrome", other(media.AV1), 45, 46, "level-idx=5;profile=0;tier=0"},
		{"firefox", avc("64001f"), 126, 127, "profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1"},
		{"firefox", other(media.VP8), 120, 124, "max-fs=12288;max-fr=60"},
		{"firefox", other(media.VP9), 121, 125, "max-fs=12288;max-fr=60"},
		{"firefox", other(media.AV1), 99, 100, ""},
		{"safari", avc("64001f"), 96, 97, mode + "640c1f"},
		{"safari", avc("42e01f"), 98, 99, mode + "42e01f"},
		{"safari", other(media.VP8), 104, 105, ""},
		{"safari", other(media.AV1), 35, 36, "level-idx=5;profile=0;tier=0"},
		{"safari", other(media.VP9), 0, 0, ""},
	}
	for _, c := range cases {
		t.Run(c.browser+" "+string(c.track.Codec), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", c.browser+".sdp"))
			require.NoError(t, err)
			offer, err := rtc.ParseOffer([]byte(strings.ReplaceAll(string(text), "\n", "\r\n")), rtc.Receives)
			require.NoError(t, err)
			p := New(Config{}).NewProgram(ProgramConfig{Resource: "main", Rungs: []Rung{{"video", c.track, 1_000_000}}, Audio: soundTrack})
			choices, err := p.choose(offer)
			if c.payload == 0 {
				require.ErrorContains(t, err, "no codec that is sent")
				return
			}
			require.NoError(t, err)
			require.Len(t, choices, 2)
			video, sound := choices[0].Codecs[0], choices[1].Codecs[0]
			require.Equal(t, c.payload, video.PayloadType)
			require.Equal(t, c.rtx, video.RTX)
			require.Equal(t, c.format, video.Format)
			require.Subset(t, video.Feedback, []string{"nack", "nack pli", "transport-cc"})
			require.NotContains(t, video.Feedback, "goog-remb", "transport-cc is better")
			require.Equal(t, "OPUS", sound.Name)
			require.Contains(t, sound.Format, "sprop-stereo=1")
		})
	}
}
