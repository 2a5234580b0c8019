package latency

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/pattern"
)

const clockRate = 90_000 // Hz, of RTP

// publisher encodes one picture with the time in it and sends it as every
// guest.
type publisher struct {
	device gpu.Device
	clock  clock
	base   string // of the media listener
	keys   []string
	key    atomic.Bool // a keyframe was asked for
}

// Run publishes until the context ends.
func (p *publisher) Run(ctx context.Context) error {
	var tracks []*webrtc.TrackLocalStaticRTP
	for i, key := range p.keys {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: clockRate}, "video", "guest")
		if err != nil {
			return fmt.Errorf("make track: %w", err)
		}
		pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			return fmt.Errorf("make peer: %w", err)
		}
		defer pc.GracefulClose()
		transceiver, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return fmt.Errorf("add track: %w", err)
		}
		go p.listen(transceiver.Sender()) // ends with the peer
		if err := offer(ctx, pc, fmt.Sprintf("%s/whip/guest%d", p.base, i+1), key); err != nil {
			return err
		}
		tracks = append(tracks, track)
	}
	return p.send(ctx, tracks)
}

// listen notes when keyframes are asked for.
func (p *publisher) listen(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, ok := packet.(*rtcp.PictureLossIndication); ok {
				p.key.Store(true)
			}
		}
	}
}

func (p *publisher) send(ctx context.Context, tracks []*webrtc.TrackLocalStaticRTP) error {
	size := gpu.Size{Width: width, Height: height}
	encoder, err := p.device.NewEncoder(gpu.EncoderConfig{ID: "guest", Size: size, Rate: media.Rate{Num: rate, Den: 1}, Bitrate: bitrate})
	if err != nil {
		return err
	}
	defer encoder.Close()
	sets, err := parameterSets(encoder.Track().Config)
	if err != nil {
		return err
	}
	packetizer := rtp.NewPacketizer(1200, 0, 0, &codecs.H264Payloader{}, rtp.NewRandomSequencer(), clockRate)
	ticker := time.NewTicker(time.Second / rate)
	defer ticker.Stop()
	stamped := p.clock.now()
	for n := int64(0); ; n++ {
		// As a camera's: a machine that stood still has lost pictures, not time.
		now := p.clock.now()
		packetizer.SkipSamples((now - stamped) * clockRate / 1000)
		stamped = now
		unit, err := p.encode(encoder, size, n)
		if err != nil {
			return err
		}
		data := startCodes(unit.Data)
		if unit.Key {
			data = append(sets[:len(sets):len(sets)], data...)
		}
		for _, packet := range packetizer.Packetize(data, 0) {
			for _, track := range tracks {
				if err := track.WriteRTP(packet); err != nil && !errors.Is(err, io.ErrClosedPipe) {
					return fmt.Errorf("publish: %w", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// encode draws what a camera would see now.
func (p *publisher) encode(encoder gpu.Encoder, size gpu.Size, n int64) (gpu.AccessUnit, error) {
	frame, err := p.device.NewFrame(size)
	if err != nil {
		return gpu.AccessUnit{}, err
	}
	defer frame.Release()
	into := picture(frame)
	for i := range 8 {
		x := (int(n)*4 + i*width/8) % width
		into.Fill(image.Rect(i*width/8, 0, (i+1)*width/8, height), pattern.Color{Y: uint8(40 + 20*i), U: 128, V: 128})
		into.Fill(image.Rect(x, height/4+i*20, min(x+60, width), height/4+i*20+14), pattern.Color{Y: uint8(200 - 15*i), U: uint8(90 + 10*i), V: 150})
	}
	pattern.DrawCounter(into, int64(p.clock.now()))
	return encoder.Encode(frame, n, n == 0 || p.key.Swap(false))
}

// startCodes puts start codes in place of 4-byte lengths.
func startCodes(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for len(data) > 4 {
		n := int(binary.BigEndian.Uint32(data))
		if n > len(data)-4 {
			break
		}
		out = append(append(out, 0, 0, 0, 1), data[4:4+n]...)
		data = data[4+n:]
	}
	return out
}

var errConfig = errors.New("no avcC")

// parameterSets are those of an avcC (ISO/IEC 14496-15 §5.3.3.1.2), behind
// start codes.
func parameterSets(config []byte) (sets []byte, err error) {
	if len(config) < 7 {
		return nil, errConfig
	}
	rest, count := config[6:], int(config[5]&0x1f)
	for range 2 { // SPS, then PPS
		for range count {
			if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
				return nil, errConfig
			}
			n := int(binary.BigEndian.Uint16(rest))
			sets = append(append(sets, 0, 0, 0, 1), rest[2:2+n]...)
			rest = rest[2+n:]
		}
		if len(rest) == 0 {
			break
		}
		count, rest = int(rest[0]), rest[1:]
	}
	return sets, nil
}

// offer makes a session by WHIP or WHEP.
func offer(ctx context.Context, pc *webrtc.PeerConnection, url, key string) error {
	gathered := webrtc.GatheringCompletePromise(pc)
	description, err := pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("make offer: %w", err)
	}
	if err := pc.SetLocalDescription(description); err != nil {
		return fmt.Errorf("make offer: %w", err)
	}
	<-gathered
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(pc.LocalDescription().SDP))
	if err != nil {
		return fmt.Errorf("offer to %s: %w", url, err)
	}
	request.Header.Set("Content-Type", "application/sdp")
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("offer to %s: %w", url, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusCreated {
		return fmt.Errorf("offer to %s: %s: %s", url, response.Status, answer)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}); err != nil {
		return fmt.Errorf("take answer of %s: %w", url, err)
	}
	return nil
}
