package latency

import (
	"context"
	"fmt"

	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"millrace/gpu"
	"millrace/internal/media"
)

// viewer watches by WHEP and reads the time out of every picture.
type viewer struct {
	device gpu.Device
	clock  clock
	url    string
	delays delays
}

// Run watches until the context ends.
func (v *viewer) Run(ctx context.Context) error {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return fmt.Errorf("make peer: %w", err)
	}
	arrived := make(chan *webrtc.TrackRemote, 1)
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { arrived <- t })
	stop := context.AfterFunc(ctx, func() { _ = pc.GracefulClose() })
	defer func() {
		if stop() {
			_ = pc.GracefulClose()
		}
	}()
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return fmt.Errorf("ask for video: %w", err)
	}
	if err := offer(ctx, pc, v.url, ""); err != nil {
		return err
	}
	select {
	case track := <-arrived:
		return v.read(ctx, track)
	case <-ctx.Done():
		return nil
	}
}

// read decodes what comes, picture by picture. On loopback nothing is lost or
// comes out of order; if it is, the decoder conceals it.
func (v *viewer) read(ctx context.Context, remote *webrtc.TrackRemote) error {
	track := &media.Track{ID: "video", Kind: media.Video, Codec: media.H264}
	decoder, err := v.device.NewDecoder(track)
	if err != nil {
		return err
	}
	defer decoder.Close()
	unpack := codecs.H264Packet{IsAVC: true}
	var unit []byte
	for n := media.Time(1); ; {
		packet, _, err := remote.ReadRTP()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch: %w", err)
		}
		payload, err := unpack.Unmarshal(packet.Payload)
		if err != nil {
			continue
		}
		unit = append(unit, payload...)
		if !packet.Marker {
			continue
		}
		err = decoder.Decode(&media.Packet{Track: track, PTS: n, DTS: n, Key: true, Data: unit}, func(f *gpu.Frame) {
			defer f.Release()
			v.delays.see(picture(f), v.clock.now(), 0)
		})
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		unit = nil
		n++
	}
}
