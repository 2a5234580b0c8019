package media

import "time"

// Kind says what a track carries.
type Kind uint8

// The kinds of elementary stream.
const (
	Video Kind = iota + 1
	Audio
)

// String is "video" or "audio".
func (k Kind) String() string {
	switch k {
	case Video:
		return "video"
	case Audio:
		return "audio"
	}
	return "unknown"
}

// Codec names a compression format, not a profile of it.
type Codec string

// The codecs that sources and outputs may carry.
const (
	H264    Codec = "h264"
	HEVC    Codec = "hevc"
	AV1     Codec = "av1"
	VP8     Codec = "vp8"
	VP9     Codec = "vp9"
	MPEG2   Codec = "mpeg2"
	AAC     Codec = "aac"
	AACLATM Codec = "aac_latm"
	Opus    Codec = "opus"
	MP2     Codec = "mp2"
	MP3     Codec = "mp3"
	AC3     Codec = "ac3"
	EAC3    Codec = "eac3"
)

// Track describes one elementary stream. It is immutable: a change of
// parameters is a new pointer, carried in band by the first packet that needs it.
type Track struct {
	ID     string // unique within its source or channel
	Kind   Kind
	Codec  Codec
	MIME   string // RFC 6381, "avc1.64001f"; empty while unknown
	Config []byte // avcC, hvcC, av1C, AudioSpecificConfig or dOps payload; empty where packets carry their own

	Width, Height int  // coded picture as shown, pixels; 0 while unknown
	Rate          Rate // nominal; zero while unknown

	SampleRate int // Hz
	Channels   int
}

// Packet is one access unit on the channel timeline. It is read-only once
// written and shared by any number of sinks.
type Packet struct {
	Track    *Track
	PTS, DTS Time
	Duration time.Duration // 0 while unknown
	Key      bool          // decoding can begin here
	Stamp    Time          // when it was handed on, for measuring; 0: unknown
	Filler   bool          // stands in for a lost worker's output (CMAF brand slat)
	// Data holds H.264 and HEVC as NAL units behind 4-byte lengths, AV1 as a
	// temporal unit of OBUs without temporal delimiters, AAC as a raw access
	// unit without ADTS, everything else as the codec's own frame.
	Data []byte
}

// Sink takes packets in decoding order per track. Write never blocks and never
// fails: a sink that cannot keep up drops by its own policy and reports it
// from its own Run.
type Sink interface {
	Write(*Packet)
}
