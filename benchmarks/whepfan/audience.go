package whepfan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

// audience is viewers that count what they get.
type audience struct {
	peers   []*webrtc.PeerConnection
	packets atomic.Int64
}

const connectLimit = 30 * time.Second

// seat connects viewers and waits until each of them gets packets.
func seat(ctx context.Context, url string, viewers int) (*audience, error) {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings))
	a := &audience{}
	begun := make(chan struct{}, viewers)
	for range viewers {
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			a.leave()
			return nil, fmt.Errorf("make viewer: %w", err)
		}
		a.peers = append(a.peers, pc)
		pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			buffer := make([]byte, 1500)
			for first := true; ; first = false {
				if _, _, err := track.Read(buffer); err != nil {
					return
				}
				a.packets.Add(1)
				if first {
					begun <- struct{}{}
				}
			}
		})
		if err := join(ctx, pc, url); err != nil {
			a.leave()
			return nil, err
		}
	}
	timer := time.NewTimer(connectLimit)
	defer timer.Stop()
	for n := range viewers {
		select {
		case <-begun:
		case <-timer.C:
			a.leave()
			return nil, fmt.Errorf("connect viewers: %d of %d within %v", n, viewers, connectLimit)
		case <-ctx.Done():
			a.leave()
			return nil, ctx.Err()
		}
	}
	return a, nil
}

// join is WHEP in its shortest form.
func join(ctx context.Context, pc *webrtc.PeerConnection, url string) error {
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return fmt.Errorf("make viewer: %w", err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("make offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("make offer: %w", err)
	}
	<-gathered
	answer, err := post(ctx, url, pc.LocalDescription().SDP)
	for ; errors.Is(err, errNotYet); answer, err = post(ctx, url, pc.LocalDescription().SDP) {
		if err := wait(ctx, startTime); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return fmt.Errorf("take answer: %w", err)
	}
	return nil
}

// errNotYet is of a server that has just been started.
var errNotYet = errors.New("not on air yet")

const startTime = 50 * time.Millisecond

func post(ctx context.Context, url, offer string) (answer string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(offer))
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Content-Type", "application/sdp")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("offer: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	switch response.StatusCode {
	case http.StatusCreated:
		return string(text), nil
	case http.StatusConflict, http.StatusServiceUnavailable:
		return "", errNotYet
	}
	return "", fmt.Errorf("offer: %s %s", response.Status, text)
}

func (a *audience) leave() {
	for _, pc := range a.peers {
		_ = pc.Close() // the measurement is over
	}
}
