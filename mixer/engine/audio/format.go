package audio

import "millrace/internal/media"

// Format is a codec that an Encoder makes and how it cuts the grid. Access
// unit i of a channel covers samples [i*Unit, (i+1)*Unit).
type Format struct {
	Codec   media.Codec
	Unit    int64 // samples
	Bitrate int   // bits per second

	encoder string            // FFmpeg's name
	options map[string]string // FFmpeg's names
	mime    string            // RFC 6381
	packed  bool              // the encoder takes left and right in turns, not one after the other
	preroll int64             // samples before the slot of its first access unit that the encoder is given
}

// The lengths of access units, in samples.
const (
	AACUnit  = 1024
	OpusUnit = 960 // 20 ms
)

// AAC is AAC-LC.
func AAC(bitrate int) Format {
	return Format{Codec: media.AAC, Unit: AACUnit, Bitrate: bitrate, encoder: "aac", mime: "mp4a.40.2", preroll: AACUnit}
}

// opusLookahead is how far the sound of an Opus packet lies behind what went
// in with it, in samples: libopus' delay at 48 kHz for all its modes.
const opusLookahead = 312

// opusOptions are libopus' settings, by FFmpeg's names. A packet loss of 2 %
// makes it code what is surely speech so that each packet also carries a coarse
// copy of the one before; music has all bits for itself, as CELT knows no such
// copy. 7 is the lowest complexity that tells speech from music.
func opusOptions() map[string]string {
	return map[string]string{
		"application": "audio", "frame_duration": "20", "vbr": "constrained",
		"fec": "1", "packet_loss": "2", "compression_level": "7",
	}
}

// Opus is what browsers play: 20 ms a packet, with in-band FEC. Access unit i
// decodes to slot i, because the encoder is fed opusLookahead samples ahead of
// the grid: nothing is to be skipped, not even at the beginning. (What libopus
// codes as speech sounds 2 or 3 samples early; that is how it joins its modes.)
func Opus(bitrate int) Format {
	return Format{
		Codec: media.Opus, Unit: OpusUnit, Bitrate: bitrate, encoder: "libopus", mime: "opus", packed: true,
		options: opusOptions(), preroll: 2*OpusUnit - opusLookahead,
	}
}

// opusConfig is the payload of a dOps box (Opus in ISOBMFF 4.3.2): version 0,
// 2 channels, a PreSkip of 0 because packets stand where they sound, 48 kHz
// input, no gain, mapping family 0.
func opusConfig() []byte { return []byte{0, 2, 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 0} }
