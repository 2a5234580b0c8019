package e2e

import (
	"bufio"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStrangersAreRefused holds a node with a channel on air and a publisher
// to letting nobody else in, and to taking no notice of noise.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	path := clip(t, camera(1), ".mp4")
	a := startAppliance(t)
	key, spare := a.pushSource("cam1"), a.pushSource("cam2")
	a.makeChannel([]string{"cam1"}, v180)
	publish(t, a.rtmpURL(key), playFile(path)...)
	a.shows(15*time.Second, "live", "cam1")
	video := a.record("main", "v180")
	video.waitFor(0)
	begin := a.state().Frame

	t.Run("RTMP", func(t *testing.T) {
		for _, tt := range []struct{ name, url, want string }{
			{"wrong key", a.rtmpURL("not-the-key-of-any-source"), "wrong or missing key"},
			{"no key", "rtmp://" + a.rtmp + "/live/cam2", "wrong or missing key"},
			{"another source's key", "rtmp://" + a.rtmp + "/live/cam2?key=" + key, "wrong or missing key"},
			{"unknown source", "rtmp://" + a.rtmp + "/live/nobody?key=" + key, `no such source: "nobody"`},
			{"second publisher", a.rtmpURL(key), "the source has a publisher already"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				said := publish(t, tt.url, playFile(path)...).refusal()
				require.Contains(t, said, "Server error: "+tt.want)
			})
		}
	})
	t.Run("SRT", func(t *testing.T) {
		for _, tt := range []struct {
			name, streamID string
			want           []int
		}{
			{"wrong key", "#!::r=cam2,m=publish,s=not-the-key-of-any-source", []int{1401, 1403}},
			{"no key", "#!::r=cam2,m=publish", []int{1401, 1403}},
			{"another source's key", "#!::r=cam2,m=publish,s=" + key, []int{1401, 1403}},
			{"no stream ID", "", []int{1400, 1401, 1403}},
			{"unknown source", "#!::r=nobody,m=publish,s=" + key, []int{1404, 1401}},
			{"bad syntax", "#!::r", []int{1400}},
			{"second publisher", "#!::r=cam1,m=publish,s=" + key, []int{1409}},
			{"the right key", "#!::r=cam2,m=publish,s=" + spare, []int{0}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				require.Contains(t, tt.want, srtRefusal(t, a.srt, tt.streamID))
			})
		}
		said := publish(t, a.srtURL("cam1", key), playFile(path)...).refusal()
		require.Contains(t, said, "rejection reason")
	})
	t.Run("noise", func(t *testing.T) { a.makeNoise(t) })

	end := a.state().Frame
	state := a.state()
	require.Equal(t, "live", state.Sources["cam1"].State)
	require.Zero(t, state.Workers.Restarts)
	require.NotZero(t, a.child("srt"))
	video.waitFor(end / segmentFrames)
	video.stop()
	f := video.film(v180)
	for n := begin; n < end; n++ {
		require.Equal(t, [4]int{1}, grid(f.at(n)), "frame %d", n)
	}
	checkSpeed(t, f, begin, end, 0, camera(1))
}

// strangers is how many of them make noise on each port.
const strangers = 150

// makeNoise sends rubbish to every port, and holds the log to a line a second
// about it.
func (a *appliance) makeNoise(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	before, begin := strings.Count(a.log.String(), "\n"), time.Now()
	for n := range strangers {
		noise := make([]byte, 1+source.IntN(4000))
		for i := range noise {
			noise[i] = byte(source.Uint32())
		}
		switch n % 5 {
		case 0: // begins as RTMP does
			noise[0] = 3
		case 1: // or as HTTP does
			noise = append([]byte("GET /live/main/"), noise...)
		case 2: // or as an SRT handshake does
			noise = append(srtRequest(5, 7, srtConclusion, source.Uint32(), nil), noise[:min(len(noise), 1300)]...)
		}
		for _, address := range []string{a.rtmp, a.media, a.control} {
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			_, _ = conn.Write(noise) // it may close while we write
			require.NoError(t, conn.Close())
		}
		conn, err := net.Dial("udp", a.srt)
		require.NoError(t, err)
		_, err = conn.Write(noise[:min(len(noise), 1400)])
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	answer, err := http.Get("http://" + a.control + "/livez")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)

	lines := strings.Count(a.log.String(), "\n") - before
	allowed := 4 * (int(time.Since(begin)/time.Second) + 2) // of each port
	require.LessOrEqual(t, lines, allowed, "%d strangers a port are too much news", strangers)
	for scanner := bufio.NewScanner(strings.NewReader(a.log.String())); scanner.Scan(); {
		require.NotContains(t, scanner.Text(), "panic")
	}
}
