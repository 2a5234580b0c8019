package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/egress"
	"millrace/internal/media"
)

func TestAddresses(t *testing.T) {
	for _, row := range []struct{ address, says, shown string }{
		{"rtmp://user:secret@host/live/key", "", "rtmp://host/live/…"},
		{"rtmps://host:443/app/inst/key?token=1", "", "rtmps://host:443/app/inst/…"},
		{"https://user:secret@host/a/index.m3u8?token=1", "", "https://host/a/index.m3u8"},
		{"udp://239.1.1.1:5000?interface=eth0", "", "udp://239.1.1.1:5000"},
		{"udp://:5000", "", "udp://:5000"},
		{"udp://host:5000", "IP address", ""},
		{"udp://239.1.1.1", "port", ""},
		{"rtmp://host", "host and a path", ""},
		{"file:///etc/passwd", "must begin with", ""},
		{"http://[", "is no URL", ""},
		{"", "must begin with", ""},
	} {
		_, err := Parse(row.address)
		if row.says != "" {
			require.ErrorContains(t, err, row.says, row.address)
			continue
		}
		require.NoError(t, err, row.address)
		require.Equal(t, row.shown, Redacted(row.address))
	}
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	const address = "https://user:pass-word@host/a/index.m3u8?token=s3cret"
	for _, err := range []error{
		fmt.Errorf("get %s: refused", address),
		&url.Error{Op: "Get", URL: address, Err: errors.New("no such host")},
		errors.New("bad answer for /a/index.m3u8?token=s3cret with pass-word"),
	} {
		text := clean(err, address).Error()
		require.NotContains(t, text, "s3cret")
		require.NotContains(t, text, "pass-word")
	}
}

// receiver is a source's session.
type receiver struct {
	mu     sync.Mutex
	units  []ingest.AccessUnit
	closed int
	reason error
}

func (r *receiver) Write(u ingest.AccessUnit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.units = append(r.units, u)
}

func (r *receiver) Close(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed++
	r.reason = reason
}

func (r *receiver) count(kind media.Kind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.units {
		if u.Track.Kind == kind {
			n++
		}
	}
	return n
}

// pulling runs a puller until the test ends.
func pulling(t *testing.T, address string, dialer *net.Dialer) (*receiver, func() error) {
	r := &receiver{}
	var mu sync.Mutex
	var failure error
	p := New(Config{
		Address: func() string { return address }, Dialer: dialer, Log: slog.New(slog.DiscardHandler),
		Connect: func(string, string) (ingest.Session, error) { return r, nil },
		Failed:  func(reason error) { mu.Lock(); defer mu.Unlock(); failure = reason },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { require.NoError(t, p.Run(ctx)) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return r, func() error { mu.Lock(); defer mu.Unlock(); return failure }
}

func ffmpeg(t *testing.T, arguments ...string) {
	t.Helper()
	args := append([]string{
		"-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=128x96:r=25", "-f", "lavfi", "-i", "sine=r=48000", "-t", "60",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac",
	}, arguments...)
	command := exec.Command("ffmpeg", args...)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
}

func flows(t *testing.T, r *receiver, failure func() error) {
	t.Helper()
	defer func() { t.Log(failure(), r.count(media.Video), r.count(media.Audio), r.closed) }()
	require.Eventually(t, func() bool { return r.count(media.Video) > 25 && r.count(media.Audio) > 25 }, 60*time.Second, 20*time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.units {
		if u.Track.Kind == media.Video {
			require.Equal(t, media.H264, u.Track.Codec)
			require.Equal(t, []int{128, 96}, []int{u.Track.Width, u.Track.Height})
		}
	}
}

func TestUDP(t *testing.T) {
	t.Parallel()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	address := socket.LocalAddr().String()
	require.NoError(t, socket.Close())
	r, failure := pulling(t, "udp://"+address, egress.Dialer(false))
	ffmpeg(t, "-f", "mpegts", "udp://"+address+"?pkt_size=1316")
	flows(t, r, failure)
}

func TestHLS(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"mpegts", "fmp4"} {
		dir := t.TempDir()
		ffmpeg(t, "-f", "hls", "-hls_time", "1", "-hls_list_size", "6", "-hls_segment_type", kind, filepath.Join(dir, "index.m3u8"))
		server := httptest.NewServer(http.FileServer(http.Dir(dir)))
		t.Cleanup(server.Close)
		path := filepath.Join(dir, "index.m3u8")
		require.Eventually(t, func() bool {
			text, _ := os.ReadFile(path)
			return bytes.Count(text, []byte("#EXTINF")) >= 4
		}, 60*time.Second, 20*time.Millisecond)
		r, failure := pulling(t, server.URL+"/index.m3u8", egress.Dialer(true))
		flows(t, r, failure)
	}
}

func TestPrivateAddressesNeedLeave(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, failure := pulling(t, server.URL+"/index.m3u8", egress.Dialer(false))
	require.Eventually(t, func() bool { return failure() != nil }, 30*time.Second, 5*time.Millisecond)
	require.ErrorContains(t, failure(), "egress.allowPrivate")
}

// TestPauses grow, and differ from puller to puller.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		p := New(Config{
			Address: func() string { tries = append(tries, time.Now()); return "" }, Failed: func(error) {}, Log: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		require.NoError(t, p.Run(ctx))
		require.GreaterOrEqual(t, len(tries), 10*60/45)
		require.Less(t, tries[1].Sub(tries[0]), time.Second)
		last := tries[len(tries)-1].Sub(tries[len(tries)-2])
		require.GreaterOrEqual(t, last, 15*time.Second)
		require.LessOrEqual(t, last, 45*time.Second)
	})
}

func FuzzUDP(f *testing.F) {
	f.Add([]byte{0x80, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x47})
	f.Add([]byte{0x9f, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, packet []byte) {
		if p := payload(packet); p != nil {
			require.NoError(t, newTransport(&receiver{}).read(p))
		}
	})
}

func TestRTMP(t *testing.T) {
	t.Parallel()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := socket.Addr().String()
	require.NoError(t, socket.Close())
	ffmpeg(t, "-f", "flv", "-listen", "1", "rtmp://"+address+"/live/key")
	r, failure := pulling(t, "rtmp://"+address+"/live/key", egress.Dialer(true))
	flows(t, r, failure)
}
