package whip

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"millrace/internal/media"
)

const (
	opusRate     = 48000 // Hz
	opusPreSkip  = 312   // samples that libopus' encoder is behind
	opusLongest  = 120 * opusRate / 1000
	opusChannels = 2
)

// opusFormat is RFC 7587: a packet is an access unit. The track has two
// channels always, which a decoder makes of one too, and so stays the same
// when the publisher changes between mono and stereo.
type opusFormat struct{ track *media.Track }

func newOpusFormat() *opusFormat {
	return &opusFormat{&media.Track{
		ID: audioID, Kind: media.Audio, Codec: media.Opus, MIME: "opus", SampleRate: opusRate, Channels: opusChannels,
		// dOps without its box (Encapsulation of Opus in ISOBMFF §4.3.2).
		Config: []byte{0, opusChannels, opusPreSkip >> 8, opusPreSkip & 0xff, 0, 0, opusRate >> 8, opusRate & 0xff, 0, 0, 0},
	}}
}

func (f *opusFormat) begins([]byte) bool { return true }

func (f *opusFormat) unit(payloads [][]byte) (u unit, err error) {
	packet := payloads[len(payloads)-1]
	if n := opus.PacketDuration2(packet); n <= 0 || n > opusLongest {
		return u, fmt.Errorf("%w: Opus packet of %d samples", errMalformed, n)
	}
	return unit{track: f.track, key: true, data: packet}, nil
}
