package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/internal/media"
)

var (
	testVideo = &media.Track{ID: "v", Kind: media.Video, Codec: media.H264}
	testAudio = &media.Track{ID: "a", Kind: media.Audio, Codec: media.AAC}
)

// packets reads "K0 a10 v33": key, audio and video packets and their time in ms.
func packets(text string, bytes int) (list []*media.Packet) {
	for _, word := range strings.Fields(text) {
		var ms int64
		_, _ = fmt.Sscanf(word[1:], "%d", &ms)
		at := media.Time(0).Add(time.Duration(ms) * time.Millisecond)
		p := &media.Packet{Track: testVideo, PTS: at, DTS: at, Key: word[0] != 'v', Data: make([]byte, bytes)}
		if word[0] == 'a' {
			p.Track = testAudio
		}
		list = append(list, p)
	}
	return list
}

func describe(list []*media.Packet) string {
	var words []string
	for _, p := range list {
		letter := map[bool]string{true: "K", false: "v"}[p.Key]
		if p.Track.Kind == media.Audio {
			letter = "a"
		}
		words = append(words, fmt.Sprintf("%s%d", letter, p.PTS/media.Time(time.Millisecond)))
	}
	return strings.Join(words, " ")
}

func TestGOPCache(t *testing.T) {
	cases := []struct {
		name, write, want string
		bytes             int
		ahead             time.Duration // of its presentation that a packet comes
	}{
		{name: "begins with the last keyframe", write: "K0 a10 v33 K66 a70 v100", want: "K66 a70 v100"},
		{name: "audio that sounds with the keyframe stays", write: "K0 a50 a66 a80 K66 v99", want: "a66 a80 K66 v99"},
		{name: "the picture on screen stays until the next keyframe is due", write: "K0 a10 v33 K66 a70 v100 v132",
			ahead: 67 * time.Millisecond, want: "K0 a10 v33 K66 a70 v100 v132"},
		{name: "then it goes, and sound before it", write: "K0 a10 v33 K66 a70 v100 v133",
			ahead: 67 * time.Millisecond, want: "K66 a70 v100 v133"},
		{name: "sound that is heard before the first keyframe stays", write: "a0 a40 K66 v99",
			ahead: 50 * time.Millisecond, want: "a40 K66 v99"},
		{name: "many keyframes that are not due", write: "K0 K33 K66 v99 v132 v165", ahead: 100 * time.Millisecond,
			want: "K33 K66 v99 v132 v165"},
		{name: "more than 10 s, with a keyframe that is not due", write: "K0 a9000 K9900 a9950 v10001 v10033",
			ahead: time.Second, want: "K9900 a9950 v10001 v10033"},
		{name: "no picture before a keyframe", write: "v0 a10 v33 a43", want: "a10 a43"},
		{name: "audio alone keeps a second", write: "a0 a400 a800 a1200 a1600", want: "a800 a1200 a1600"},
		{name: "more than 10 s", write: "K0 v5000 a9500 v10001 a10100 v10200", want: "a9500 a10100"},
		{name: "then a keyframe", write: "K0 v5000 a9500 v10001 K11000 v11033", want: "K11000 v11033"},
		{name: "more than 16 MiB", write: "K0 a5 v33 v66", bytes: 5 << 20, want: "a5"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var cache GOPCache
			for _, p := range packets(c.write, c.bytes) {
				cache.Write(p, p.DTS.Add(-c.ahead))
			}
			require.Equal(t, c.want, describe(cache.Replay()))
			require.Equal(t, size(cache.packets), cache.bytes)
		})
	}
}
