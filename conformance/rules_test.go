package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// good is a low-latency playlist that keeps every rule which its text shows.
const good = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:3
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=18,HOLD-BACK=9,PART-HOLD-BACK=0.6
#EXT-X-PART-INF:PART-TARGET=0.2
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="init-1.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T12:00:00.000Z
#EXTINF:3.2,
100.m4s
#EXTINF:3.2,
101.m4s
#EXTINF:3.2,
102.m4s
#EXTINF:3.2,
103.m4s
#EXTINF:3.2,
104.m4s
#EXT-X-PART:DURATION=0.2,INDEPENDENT=YES,URI="105.0.m4s"
#EXT-X-PART:DURATION=0.2,URI="105.1.m4s"
#EXTINF:0.4,
105.m4s
#EXT-X-PART:DURATION=0.2,INDEPENDENT=YES,URI="106.0.m4s"
#EXT-X-PART:DURATION=0.2,URI="106.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="106.2.m4s"
#EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=106,LAST-PART=1
`

// versionOf is a text as if it had come after so long.
func versionOf(text string, after time.Duration) *Version {
	at := time.Date(2026, 11, 20, 12, 0, 20, 0, time.UTC).Add(after)
	answer := &Answer{URL: "http://host/live/main/v/index.m3u8", Asked: at, First: at, Done: at, Status: 200, Header: http.Header{}}
	return &Version{answer, ParsePlaylist(text)}
}

// failing are the rules that a report found broken.
func failing(r *Report) (ids []string) {
	for _, rule := range rules() {
		if outcome, _ := r.Outcome(rule.id); outcome == "fail" {
			ids = append(ids, rule.id)
		}
	}
	return ids
}

func TestOneVersion(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"long segment", "#EXTINF:3.2,\n101", "#EXTINF:3.6,\n101", "H01 A08"},
		{"segment rounds up", "#EXTINF:3.2,\n101", "#EXTINF:3.5,\n101", "H01"},
		{"long part", "DURATION=0.2,URI=\"105.1", "DURATION=0.201,URI=\"105.1", "H05"},
		{"short part", "DURATION=0.2,URI=\"106.1.m4s\"", "DURATION=0.1,URI=\"106.1.m4s\"\n#EXT-X-PART:DURATION=0.2,URI=\"106.2.m4s\"", "H06"},
		{"short last part", "DURATION=0.2,URI=\"105.1", "DURATION=0.1,URI=\"105.1", ""},
		{"no part target", "#EXT-X-PART-INF:PART-TARGET=0.2\n", "", "H07"},
		{"no part hold-back", ",PART-HOLD-BACK=0.6", "", "H07 H08"},
		{"part hold-back too near", "PART-HOLD-BACK=0.6", "PART-HOLD-BACK=0.5", "H08"},
		{"hold-back too near", ",HOLD-BACK=9", ",HOLD-BACK=8", "H08"},
		{"no hint", "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"106.2.m4s\"\n", "", "H14"},
		{"hint after the end", "LAST-PART=1\n", "LAST-PART=1\n#EXT-X-ENDLIST\n", "H16"},
		{"skip boundary too near", "CAN-SKIP-UNTIL=18", "CAN-SKIP-UNTIL=17", "H29"},
		{"live with a type", "#EXT-X-INDEP", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEP", "H36"},
		{"date after a part", "#EXTINF:0.4,", "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T12:00:16Z\n#EXTINF:0.4,", "H41"},
		{"version too high", "#EXT-X-VERSION:6", "#EXT-X-VERSION:12", "H44"},
		{"version too low", "#EXT-X-VERSION:6", "#EXT-X-VERSION:4", "H44"},
		{"no number", "#EXT-X-MEDIA-SEQUENCE:100", "#EXT-X-MEDIA-SEQUENCE:x", "H44"},
		{"no date", "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T12:00:00.000Z\n", "", "A10"},
		{"few segments", "#EXTINF:3.2,\n101.m4s\n", "", "A12"},
		{"no discontinuity sequence", "#EXT-X-DISCONTINUITY-SEQUENCE:0\n", "", "A14"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Contains(t, good, test.old)
			r := NewReport()
			judgeVersion(r, versionOf(strings.Replace(good, test.old, test.new, 1), 0))
			require.Equal(t, test.want, strings.Join(failing(r), " "))
		})
	}
}

// later is the good playlist one part on.
var later = strings.NewReplacer(
	"#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"106.2.m4s\"", "#EXT-X-PART:DURATION=0.2,URI=\"106.2.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"106.3.m4s\"",
	"LAST-PART=1", "LAST-PART=2").Replace(good)

func TestTwoVersions(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"target changes", "#EXT-X-TARGETDURATION:3", "#EXT-X-TARGETDURATION:4", "H02 H08 H29"},
		{"part target changes", "PART-TARGET=0.2", "PART-TARGET=0.2000", "H04"},
		{"hint names another", "URI=\"106.2.m4s\"", "URI=\"106.2b.m4s\"", "H14"},
		{"sequence falls", "#EXT-X-MEDIA-SEQUENCE:100", "#EXT-X-MEDIA-SEQUENCE:99", "H33"},
		{"removed without counting", "#EXTINF:3.2,\n101.m4s\n", "", "H33 A12"},
		{"duration changes", "#EXTINF:3.2,\n102", "#EXTINF:3.1,\n102", "H33"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Contains(t, later, test.old)
			r := NewReport()
			judgeSeries(r, &Track{Versions: []*Version{
				versionOf(good, 0), versionOf(strings.Replace(later, test.old, test.new, 1), 200*time.Millisecond),
			}})
			require.Equal(t, test.want, strings.Join(failing(r), " "))
		})
	}
	r := NewReport()
	judgeSeries(r, &Track{Versions: []*Version{
		versionOf(good, 0), versionOf(later, 200*time.Millisecond),
		versionOf(strings.ReplaceAll(later, "106.2.m4s\"\n#EXT-X-PRELOAD", "106.2.m4s\"\n#EXT-X-PART:DURATION=0.2,URI=\"106.3.m4s\"\n#EXT-X-PRELOAD"), 600*time.Millisecond),
	}})
	require.Equal(t, []string{"H10"}, failing(r), "a part 400 ms after the last")
}

func TestPlaylistsTogether(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"agree", "", "", ""},
		{"another target", "TARGETDURATION:3", "TARGETDURATION:4", "H03"},
		{"another control", ",HOLD-BACK=9", ",HOLD-BACK=12", "H19"},
		{"no report", "#EXT-X-RENDITION-REPORT", "#", "H17"},
		{"report of nobody", "../audio/", "../other/", "H17"},
		{"report ahead", "LAST-PART=1", "LAST-PART=4", "H17"},
		{"report behind", "LAST-MSN=106", "LAST-MSN=104", "H17"},
	}
	for _, test := range tests {
		r := NewReport()
		video := &Track{Versions: []*Version{versionOf(strings.Replace(good, test.old, test.new, 1), 0)}}
		video.URL = video.Versions[0].URL
		audio := &Track{URL: "http://host/live/main/audio/index.m3u8", Audio: true}
		for _, after := range []time.Duration{-time.Second, time.Second} {
			v := versionOf(strings.ReplaceAll(good, "../audio/", "../v/"), after)
			v.URL = audio.URL
			audio.Versions = append(audio.Versions, v)
		}
		judgeTogether(r, []*Track{video, audio})
		require.Equal(t, test.want, strings.Join(failing(r), " "), test.name)
	}
}

func TestMultivariantRules(t *testing.T) {
	const text = `#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x, y",LANGUAGE="en",CHANNELS="2",URI="a.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2,AVERAGE-BANDWIDTH=1,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30,AUDIO="a"
v.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,CODECS="avc1.64001f",RESOLUTION=640x360,URI="i.m3u8"
`
	for _, test := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"no language", ",LANGUAGE=\"en\"", "", "A11"},
		{"no stereo", ",CHANNELS=\"2\"", "", "A05"},
		{"no frame rate", ",FRAME-RATE=30", "", "A16"},
		{"too fast", "FRAME-RATE=30", "FRAME-RATE=120", "A03"},
		{"no audio codec", ",mp4a.40.2", "", "A05"},
		{"no I-frames", "#EXT-X-I-FRAME-STREAM-INF", "#", "A06"},
		{"open quote", "\"i.m3u8\"", "\"i.m3u8", "A16"},
	} {
		r := NewReport()
		checkMaster(r, ParseMaster(strings.Replace(text, test.old, test.new, 1)))
		require.Equal(t, test.want, strings.Join(failing(r), " "), test.name)
	}
}

func TestExitCodes(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	require.Equal(t, exitUsage, run(t.Context(), nil, io.Discard, io.Discard))
	require.Equal(t, exitUsage, run(t.Context(), []string{"rtmp://host/live"}, io.Discard, io.Discard))
	var complaints bytes.Buffer
	require.Equal(t, exitUsage, run(t.Context(), []string{server.URL + "/index.m3u8"}, io.Discard, &complaints))
	require.Contains(t, complaints.String(), "404")
}

func TestRulesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, rule := range rules() {
		require.False(t, seen[rule.id], rule.id)
		seen[rule.id] = true
	}
	require.Len(t, seen, 48+22+17+13+21+6) // H, A, D, C, W, E
	var out bytes.Buffer
	NewReport().Print(&out, []string{"H0", "C"})
	require.Equal(t, 1+9+13+2, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "0 pass, 0 fail, 22 not yet")
}

func FuzzParsePlaylist(f *testing.F) {
	f.Add(good)
	f.Add(later)
	f.Add("#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=99999999999999999999\n#EXT-X-MAP:URI=\"")
	f.Fuzz(func(t *testing.T, text string) {
		v := versionOf(text, 0)
		r := NewReport()
		judgeVersion(r, v)
		judgeSeries(r, &Track{Versions: []*Version{v, versionOf(good, time.Second)}})
		checkMaster(r, ParseMaster(text))
	})
}
