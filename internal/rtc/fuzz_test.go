package rtc

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sampleOffer = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n" +
	"a=fingerprint:sha-256 00:11\r\na=setup:actpass\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n" +
	"a=fingerprint:sha-256 00:11\r\na=setup:actpass\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n" +
	"a=rtcp-fb:* nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=extmap:3 urn:x\r\na=rid:h send\r\n" +
	"a=simulcast:send h\r\na=ssrc-group:FID 1 2\r\na=ssrc:1 cname:x\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"

func TestParseOffer(t *testing.T) {
	o, err := ParseOffer([]byte(sampleOffer), Sends)
	require.NoError(t, err)
	require.Len(t, o.Media, 2)
	require.Equal(t, []Codec{{Name: "OPUS", PayloadType: 111, ClockRate: 48000, Channels: 2, Format: "minptime=10;useinbandfec=1"}}, o.Media[0].Codecs)
	require.Equal(t, "1", o.Media[0].Codecs[0].Parameter("useinbandfec"))
	require.Equal(t, []Codec{{
		Name: "H264", PayloadType: 96, ClockRate: 90000, Format: "packetization-mode=1", Feedback: []string{"nack", "nack pli"}, RTX: 97,
	}}, o.Media[1].Codecs)

	text, err := o.description([]Choice{{Media: &o.Media[0], Codecs: o.Media[0].Codecs}, {Media: &o.Media[1], Codecs: o.Media[1].Codecs}}, []string{"urn:x"}, o.credentials, 1)
	require.NoError(t, err)
	require.Contains(t, text, "o=- 1 3 IN")
	require.Contains(t, text, "a=fmtp:97 apt=96\r\n")
	require.Contains(t, text, "a=extmap:3 urn:x\r\n")
	require.Contains(t, text, "a=ssrc-group:FID 1 2\r\n")
	for _, left := range []string{"rid", "simulcast", "candidate"} {
		require.NotContains(t, text, left)
	}
	again, err := ParseOffer([]byte(text), Sends)
	require.NoError(t, err)
	require.Equal(t, o.Media[1].Codecs, again.Media[1].Codecs)
}

func TestSimulcastOffers(t *testing.T) {
	extensions := "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:5 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n" +
		"a=extmap:6 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"
	audio, video, _ := strings.Cut(sampleOffer, "m=video")
	declared := audio + "a=ssrc:7 cname:x\r\nm=video" + video
	for _, c := range []struct {
		name, offer string
		layers      []string
		taken       bool
	}{
		{"one layer", declared + extensions, []string{"h"}, false},
		{"three", declared + extensions + "a=rid:m send\r\na=rid:l send max-width=320\r\n", []string{"h", "m", "l"}, true},
		{"alternatives and pauses", declared + extensions + "a=rid:m send\r\na=rid:l send\r\n", []string{"h", "l"}, true},
		{"without extensions", declared + "a=rid:m send\r\na=rid:l send\r\n", []string{"h", "m", "l"}, false},
		{"sound without a number", sampleOffer + extensions + "a=rid:m send\r\na=rid:l send\r\n", []string{"h", "m", "l"}, false},
		{"a layer that is not described", declared + extensions, nil, false},
		{"too many", declared + extensions + "a=rid:m send\r\na=rid:l send\r\n", nil, false},
		{"to be received", declared + extensions + "a=rid:m recv\r\n", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := map[string]string{
				"three": "send h;m;l", "alternatives and pauses": "send h;~l,m recv x", "without extensions": "send h;m;l",
				"sound without a number": "send h;m;l", "a layer that is not described": "send h;z", "too many": "send h;m;l;h;m;l",
				"to be received": "recv h;m",
			}[c.name]
			offer := c.offer
			if list != "" {
				offer = strings.Replace(offer, "a=simulcast:send h", "a=simulcast:"+list, 1)
			}
			o, err := ParseOffer([]byte(offer), Sends)
			require.NoError(t, err)
			require.Equal(t, c.layers, o.Media[1].Layers)
			require.Equal(t, c.taken, o.Simulcast(&o.Media[1]) != nil)
		})
	}
}

func TestCandidatesOfStrangersAreNotTried(t *testing.T) {
	cases := []struct {
		candidate string
		want      bool
	}{
		{"1 1 udp 2130706431 192.0.2.1 9 typ host", true},
		{"candidate:1 1 udp 2130706431 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 9", true},
		{"1 1 udp 2130706431 192.0.2.2 9 typ host", false},
		{"1 1 tcp 2130706431 192.0.2.1 9 typ host tcptype passive", false},
		{"1 1 udp 2130706431 0f3c.local 9 typ host", false},
		{"garbage", false},
	}
	for _, c := range cases {
		require.Equal(t, c.want, reachable(c.candidate, netip.MustParseAddr("192.0.2.1")), c.candidate)
	}
}

func TestParseAnnounce(t *testing.T) {
	list, err := ParseAnnounce([]string{"203.0.113.4", "203.0.113.4:30189", "2001:db8::1", "[2001:db8::1]:30189"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"1000 1 udp 2129289471 203.0.113.4 8189 typ host",
		"1001 1 udp 2129289215 203.0.113.4 30189 typ host",
		"1002 1 udp 2129288959 2001:db8::1 8189 typ host",
		"1003 1 udp 2129288703 2001:db8::1 30189 typ host",
	}, announced(list, 8189, false))
	_, err = ParseAnnounce([]string{"example.org"})
	require.ErrorContains(t, err, `"example.org"`)
}

func FuzzParseOffer(f *testing.F) {
	f.Add([]byte(sampleOffer))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := ParseOffer(text, Sends)
		if err != nil {
			require.IsType(t, &Refusal{}, err)
			return
		}
		var choices []Choice
		for i := range o.Media {
			choices = append(choices, Choice{Media: &o.Media[i], Codecs: o.Media[i].Codecs})
		}
		_, err = o.description(choices, []string{"urn:x"}, o.credentials, 0)
		require.NoError(t, err)
	})
}

func FuzzParseFragment(f *testing.F) {
	f.Add("a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		fragment, err := parseFragment(text)
		if err != nil {
			require.IsType(t, &Refusal{}, err)
			return
		}
		require.LessOrEqual(t, len(fragment.candidates), maxCandidates)
		for _, c := range fragment.candidates {
			reachable(c, netip.MustParseAddr("192.0.2.1"))
		}
	})
}
