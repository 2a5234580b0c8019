package audio

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asticode/go-astiav"

	"millrace/internal/media"
)

// packetPadding is what decoders may read past the end of a packet.
const packetPadding = 64

// unitDecoder turns the access units of one track into FFmpeg frames. One
// goroutine.
type unitDecoder interface {
	// hole is how much of the time before an access unit decode fills too.
	hole(p *media.Packet) time.Duration
	// decode shows every frame that became ready, valid during the call only.
	decode(p *media.Packet, show func(*astiav.Frame) error) error
	close()
}

// newDecoder opens the decoder for a track.
func newDecoder(track *media.Track) (unitDecoder, error) {
	if plainOpus(track) {
		return newOpusDecoder(track.Channels)
	}
	return newFFmpegDecoder(track)
}

// decoder is a unitDecoder of FFmpeg's. The frames' PTS is channel time in
// nanoseconds. One goroutine.
type decoder struct {
	context *astiav.CodecContext
	packet  *astiav.Packet
	frame   *astiav.Frame
	padded  []byte
}

func decoderName(codec media.Codec) string {
	switch codec {
	case media.AAC:
		return "aac"
	case media.AACLATM:
		return "aac_latm"
	case media.Opus:
		return "libopus"
	case media.MP2:
		return "mp2float"
	case media.MP3:
		return "mp3float"
	case media.AC3:
		return "ac3"
	case media.EAC3:
		return "eac3"
	}
	return ""
}

func newFFmpegDecoder(track *media.Track) (*decoder, error) {
	codec := astiav.FindDecoderByName(decoderName(track.Codec))
	if codec == nil {
		return nil, fmt.Errorf("open audio decoder for %q: no such decoder", track.Codec)
	}
	d := &decoder{context: astiav.AllocCodecContext(codec), packet: astiav.AllocPacket(), frame: astiav.AllocFrame()}
	d.context.SetThreadCount(1)
	d.context.SetTimeBase(astiav.NewRational(1, 1e9))
	if track.SampleRate > 0 {
		d.context.SetSampleRate(track.SampleRate)
	}
	switch track.Channels {
	case 1:
		d.context.SetChannelLayout(astiav.ChannelLayoutMono)
	case 2:
		d.context.SetChannelLayout(astiav.ChannelLayoutStereo)
	}
	err := d.context.SetExtraData(extraData(track))
	if err == nil {
		err = d.context.Open(codec, nil)
	}
	if err != nil {
		d.close()
		return nil, fmt.Errorf("open audio decoder for %q: %w", track.Codec, err)
	}
	return d, nil
}

// extraData is the track's config in the form that FFmpeg's decoder reads.
func extraData(track *media.Track) []byte {
	if track.Codec == media.Opus && !slices.Equal(track.Config[:min(len(track.Config), 8)], []byte("OpusHead")) {
		return nil // a dOps box: the decoder needs only rate and channels, which the track names
	}
	return track.Config
}

func (d *decoder) hole(*media.Packet) time.Duration { return 0 }

// decode takes one access unit and shows every frame that became ready. A
// frame is valid during the call only.
func (d *decoder) decode(p *media.Packet, show func(*astiav.Frame) error) error {
	d.padded = append(append(d.padded[:0], p.Data...), make([]byte, packetPadding)...)
	d.packet.Unref()
	if err := d.packet.FromData(d.padded); err != nil {
		return fmt.Errorf("hand packet to audio decoder: %w", err)
	}
	d.packet.SetSize(len(p.Data))
	d.packet.SetPts(int64(p.PTS))
	d.packet.SetDts(int64(p.PTS))
	if err := d.context.SendPacket(d.packet); err != nil {
		return fmt.Errorf("decode audio: %w", err)
	}
	for {
		d.frame.Unref()
		if err := d.context.ReceiveFrame(d.frame); errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		} else if err != nil {
			return fmt.Errorf("decode audio: %w", err)
		}
		if err := show(d.frame); err != nil {
			return err
		}
	}
}

func (d *decoder) close() {
	d.frame.Free()
	d.packet.Free()
	d.context.Free()
}
