package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// churn is how long viewers come and go: `make soak` takes ten minutes.
var churn = flag.Duration("churn", 0, "how long viewers come and go; 0: twice each")

const (
	crowd    = 50 // viewers at a time
	mostStay = 2 * time.Second
)

// TestViewersComeAndGo: whoever comes and goes leaves the node as it was.
func TestViewersComeAndGo(t *testing.T) {
	a := startAppliance(t)
	a.testChannel("main")
	a.waitOnAir("main", "v360")
	a.come(crowd, 1, 0) // what is made once is there now
	if *churn > 0 {
		a.come(crowd, 1<<30, *churn/4) // and what is kept to be used again
	}
	before := a.resources()
	if *churn > 0 {
		a.come(crowd, 1<<30, *churn)
	} else {
		a.come(crowd, 2, 0)
	}
	after := a.resources()
	t.Logf("before %v, after %v", before, after)
	require.LessOrEqual(t, after["go_goroutines"], before["go_goroutines"]+20)
	require.LessOrEqual(t, after["process_open_fds"], before["process_open_fds"]+8)
	require.LessOrEqual(t, after["process_resident_memory_bytes"], before["process_resident_memory_bytes"]+64<<20)
	ticks := a.call(200, "GET", "/v1/channels/main/state", nil)["ticks"]
	t.Logf("ticks %v", ticks)
}

// come has so many viewers at a time come and go, each so often or for so long.
func (a *appliance) come(viewers, rounds int, length time.Duration) {
	a.t.Helper()
	var watching sync.WaitGroup
	var watched, failed atomic.Int64
	began := time.Now()
	for range viewers {
		watching.Go(func() {
			for n := 0; n < rounds && (length == 0 || time.Since(began) < length); n++ {
				if err := a.watchOnce(n%2 == 0); err != nil {
					a.t.Log(err)
					failed.Add(1)
				}
				watched.Add(1)
			}
		})
	}
	watching.Wait()
	a.t.Logf("%d times watched in %v", watched.Load(), time.Since(began).Round(time.Millisecond))
	require.Zero(a.t, failed.Load())
}

// watchOnce is one viewer, who gets a few packets, stays a moment and goes, with a
// goodbye or without.
func (a *appliance) watchOnce(polite bool) error {
	settings := webrtc.SettingEngine{LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	defer pc.GracefulClose()
	seen := make(chan struct{})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for n := 0; ; n++ {
			if _, _, err := track.ReadRTP(); err != nil {
				return
			}
			if n == 5 && track.Kind() == webrtc.RTPCodecTypeVideo {
				close(seen)
			}
		}
	})
	session, err := a.offer(pc, "/whep/main")
	if err != nil {
		return err
	}
	select {
	case <-seen:
	case <-time.After(30 * time.Second):
		return fmt.Errorf("a viewer without picture: %v", pc.ConnectionState())
	}
	time.Sleep(rand.N(mostStay))
	if !polite {
		return nil
	}
	_, _, err = once("DELETE", a.mediaURL(session), "")
	return err
}

// offer makes a session of audio and video and gives its path.
func (a *appliance) offer(pc *webrtc.PeerConnection, path string) (session string, err error) {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return "", err
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		return "", err
	}
	response, answer, err := once("POST", a.mediaURL(path), offer.SDP)
	for err == nil && response.StatusCode == http.StatusTooManyRequests { // all come from one address
		time.Sleep(time.Second)
		response, answer, err = once("POST", a.mediaURL(path), offer.SDP)
	}
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("%s: %s %s", path, response.Status, answer)
	}
	return response.Header.Get("Location"), pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// once makes a request over a connection of its own.
func once(method, url, body string) (*http.Response, string, error) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Content-Type", "application/sdp")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	response, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response, string(text), err
}

// resources are what the node holds once all viewers are gone.
func (a *appliance) resources() map[string]float64 {
	a.t.Helper()
	names := []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes", "millrace_whep_viewers"}
	var found map[string]float64
	var goroutines float64
	a.eventually(60*time.Second, "the viewers are gone and nothing is left to end", func() bool {
		found = a.metrics(names...)
		settled := found["go_goroutines"] == goroutines
		goroutines = found["go_goroutines"]
		return settled && found["millrace_whep_viewers"] == 0
	})
	return found
}

// metrics reads values without labels.
func (a *appliance) metrics(names ...string) map[string]float64 {
	a.t.Helper()
	r, err := http.NewRequest("GET", "http://"+a.control+"/metrics", nil)
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+a.key)
	response, err := http.DefaultClient.Do(r)
	require.NoError(a.t, err)
	defer response.Body.Close()
	found := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		for _, name := range names {
			if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				found[name], err = strconv.ParseFloat(value, 64)
				require.NoError(a.t, err)
			}
		}
	}
	return found
}
