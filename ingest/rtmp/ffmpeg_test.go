package rtmp

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/media"
)

const testPicture = "-re -f lavfi -i testsrc=size=320x180:rate=25 "
const testSound = "-re -f lavfi -i sine=frequency=440:sample_rate=48000 "
const asH264 = "-c:v libx264 -preset ultrafast -g 25 -bf 2 -pix_fmt yuv420p "

// publisher is an ffmpeg that publishes.
type publisher struct {
	*exec.Cmd
	output bytes.Buffer
	done   chan error
}

func publish(t *testing.T, arguments, url string) *publisher {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not in PATH")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	args := append([]string{"-hide_banner", "-loglevel", "info"}, strings.Fields(arguments)...)
	p := &publisher{Cmd: exec.CommandContext(ctx, path, append(args, "-f", "flv", url)...), done: make(chan error, 1)}
	p.Stderr = &p.output
	require.NoError(t, p.Start())
	exited := make(chan struct{})
	go func() { p.done <- p.Wait(); close(exited) }()
	t.Cleanup(func() { cancel(); <-exited })
	return p
}

// wait is what ffmpeg printed by its end.
func (p *publisher) wait(t *testing.T) string {
	t.Helper()
	select {
	case <-p.done:
		return p.output.String()
	case <-time.After(30 * time.Second):
		t.Fatal("ffmpeg goes on after 30 s")
		return ""
	}
}

func TestFFmpegPublishes(t *testing.T) {
	t.Parallel()
	_, r, address := serve(t, nil)
	p := publish(t, testPicture+testSound+asH264+"-profile:v main -c:a aac -ac 2 -t 3", "rtmp://"+address+"/live/"+goodKey)
	f := r.feed(t)
	require.NoError(t, f.end(t), "ffmpeg says goodbye")
	p.wait(t)

	video, audio := of(f.units, media.Video), of(f.units, media.Audio)
	require.Len(t, video, 75)
	require.InDelta(t, 141, len(audio), 3)
	v, a := video[0].Track, audio[0].Track
	require.Equal(t, media.H264, v.Codec)
	require.Regexp(t, "^avc1.4d[0-9a-f]{4}$", v.MIME)
	require.Equal(t, []int{320, 180}, []int{v.Width, v.Height})
	require.EqualValues(t, 1, v.Config[0])
	require.Equal(t, media.AAC, a.Codec)
	require.Equal(t, "mp4a.40.2", a.MIME)
	require.Equal(t, []int{48000, 2}, []int{a.SampleRate, a.Channels})
	reordered := false
	for i, u := range video {
		require.Same(t, v, u.Track)
		require.Equal(t, i%25 == 0, u.Key, "frame %d", i)
		require.InDelta(t, float64(i*40), u.DTS.Seconds()*1000-video[0].DTS.Seconds()*1000, 1, "frame %d", i)
		reordered = reordered || u.PTS-u.DTS > 40*time.Millisecond
		require.GreaterOrEqual(t, u.PTS, u.DTS)
	}
	require.True(t, reordered, "B-frames have composition offsets")
}

func TestFFmpegAddresses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, source string }{
		"key only":            {"/live/" + goodKey, ""},
		"source and query":    {"/live/cam1?key=" + goodKey, "cam1"},
		"source and key path": {"/live/cam1/" + goodKey, "cam1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, address := serve(t, nil)
			p := publish(t, testSound+"-c:a aac -t 0.5", "rtmp://"+address+c.path)
			f := r.feed(t)
			require.NoError(t, f.end(t))
			p.wait(t)
			require.Empty(t, of(f.units, media.Video))
			require.NotEmpty(t, of(f.units, media.Audio))
			require.Equal(t, c.source, r.requests[0].Source)
			require.Equal(t, goodKey, r.requests[0].Key)
			require.True(t, r.requests[0].Remote.Addr().IsLoopback())
		})
	}
}

// R06: not silence.
func TestR06FFmpegPrintsWhyItIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, says string }{
		"wrong key":           {"/live/wrong-key-0123456789", ingest.ErrBadKey.Error()},
		"unknown source":      {"/live/cam9?key=" + goodKey, ingest.ErrUnknownSource.Error()},
		"unknown application": {"/nowhere/" + goodKey, "rtmp://HOST/live"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r, address := serve(t, nil)
			p := publish(t, testSound+"-c:a aac -t 5", "rtmp://"+address+c.path)
			require.Contains(t, p.wait(t), c.says)
			require.Empty(t, r.feeds)
			require.EqualValues(t, 1, s.Counters().Refused)
			require.Zero(t, s.Counters().Published)
		})
	}
}

// R04 and F46: one owner at a time; the second is told, the first goes on.
func TestR04SecondPublisherIsRefused(t *testing.T) {
	t.Parallel()
	s, r, address := serve(t, nil)
	url := "rtmp://" + address + "/live/" + goodKey
	first := publish(t, testSound+"-c:a aac -t 60", url)
	f := r.feed(t)
	f.until(t, func(u []ingest.AccessUnit) bool { return len(u) > 0 })
	for range 2 {
		require.Contains(t, publish(t, testSound+"-c:a aac -t 60", url).wait(t), ingest.ErrBusy.Error())
	}
	n := len(f.until(t, func(u []ingest.AccessUnit) bool { return len(u) > 10 }))
	f.until(t, func(u []ingest.AccessUnit) bool { return len(u) > n })
	require.Empty(t, r.feeds)
	require.EqualValues(t, 1, s.Counters().Published)

	require.NoError(t, first.Process.Kill())
	require.ErrorIs(t, f.end(t), ErrLost)
	again := publish(t, testSound+"-c:a aac -t 0.2", url)
	require.NoError(t, r.feed(t).end(t), "the name is free at once")
	again.wait(t)
}

func TestFFmpegIsKicked(t *testing.T) {
	t.Parallel()
	_, r, address := serve(t, nil)
	p := publish(t, testSound+"-c:a aac -t 60", "rtmp://"+address+"/live/"+goodKey)
	f := r.feed(t)
	f.until(t, func(u []ingest.AccessUnit) bool { return len(u) > 0 })
	f.why = ingest.ErrForbidden
	close(f.revoke)
	require.ErrorIs(t, f.end(t), ingest.ErrForbidden)
	require.Contains(t, p.wait(t), ingest.ErrForbidden.Error())
}

func TestFFmpegOtherCodecs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arguments string
		codec     media.Codec
		says      string
	}{
		"mp3 changes nothing frame by frame": {testSound + "-c:a libmp3lame -ar 44100 -ac 1 -t 1", media.MP3, ""},
		"Sorenson video":                     {testPicture + "-c:v flv1 -t 20", "", "Sorenson H.263 video is not supported"},
		"PCM sound":                          {testSound + "-c:a pcm_s16le -ar 44100 -t 20", "", "PCM audio is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, address := serve(t, nil)
			p := publish(t, c.arguments, "rtmp://"+address+"/live/"+goodKey)
			f := r.feed(t)
			err := f.end(t)
			printed := p.wait(t)
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
				require.Contains(t, printed, c.says)
				return
			}
			require.NoError(t, err)
			require.NotEmpty(t, f.units)
			for _, u := range f.units {
				require.Same(t, f.units[0].Track, u.Track)
			}
			require.Equal(t, c.codec, f.units[0].Track.Codec)
			require.Equal(t, []int{44100, 1}, []int{f.units[0].Track.SampleRate, f.units[0].Track.Channels})
		})
	}
}

// rtmps is the same behind TLS.
func TestFFmpegPublishesOverTLS(t *testing.T) {
	t.Parallel()
	certificates := httptest.NewTLSServer(nil)
	certificates.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificates.TLS.Certificates})
	require.NoError(t, err)
	r := &registry{feeds: make(chan *feed, 1)}
	run(t, New(Config{Listener: listener, Accept: r.accept}))
	p := publish(t, testSound+"-c:a aac -t 0.5", "rtmps://"+listener.Addr().String()+"/live/"+goodKey)
	f := r.feed(t)
	require.NoError(t, f.end(t))
	p.wait(t)
	require.NotEmpty(t, f.units)
	require.Contains(t, publish(t, testSound+"-c:a aac -t 1", "rtmps://"+listener.Addr().String()+"/live/other").wait(t), ingest.ErrBadKey.Error())
}
