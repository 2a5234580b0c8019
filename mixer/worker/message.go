package worker

import (
	"time"

	"millrace/internal/child/sandbox"
	"millrace/internal/delay"
	"millrace/internal/media"
	"millrace/mixer/scene"
)

// Version of the protocol. Server and worker are one binary, so a difference
// is a fault, not something to negotiate.
const Version = 3

// Message is what crosses the worker socket, one per frame of child.Conn.
//
// The order of a session: Hello to the worker; Ready from it; TrackChange,
// StreamPacket and Gone may follow; Start to the worker; from then on
// StreamPackets from it, whose stream is the rendition's index in Ready.
type Message interface{ kind() byte }

// Hello is the server's first message.
type Hello struct {
	Version   int         `json:"version"`
	Show      Show        `json:"show"`
	Clock     ClockAnchor `json:"clock"`
	Device    string      `json:"device"`    // gpu.Open's name: "auto", "cpu", "cuda:0"
	Driver    string      `json:"driver"`    // gpu.OpenWith's library; empty is NVIDIA's driver
	GOPFrames int64       `json:"gopFrames"` // frame n is an IDR in every rendition when n%GOPFrames == 0
	Filler    bool        `json:"filler"`    // Ready shall carry filler; false when the server has it from an earlier worker
	LogLevel  string      `json:"logLevel"`  // slog's names
	// Sets is, by rung, the avcC, hvcC or av1C of the channel's init section once there
	// is one: whatever encodes from now on uses parameter sets that stand there. A rung
	// of the show that is not in it was withdrawn from the first worker on.
	Sets map[string][]byte `json:"sets,omitempty"`
}

// Ready says that encoders and devices are open. Renditions are the ladder's
// rungs in order (the first worker leaves out what it withdraws), then the audio rendition, then the program's Opus, then a
// return for each source of the show that asks for one.
type Ready struct {
	Renditions []Rendition
	// Multiview is the track of the pictures that a worker sends while the
	// multiview is watched, as stream MultiviewStream. They begin with an IDR, are
	// in order, and may miss some.
	Multiview *media.Track
	Encoder   EncoderInfo
	Sandbox   []sandbox.Layer
}

// Rendition is one encoded output of the channel.
type Rendition struct {
	ID string
	// Track.ID equals ID. Config is an avcC with the parameter sets of every
	// encoder that may carry the rendition, an hvcC or av1C of the only one, an
	// AudioSpecificConfig, or the payload of a dOps box.
	Track   *media.Track
	Bitrate int // bits per second, nominal
	// Return is the source whose own sound is left out. Empty for the program's
	// renditions, which last as long as the channel; returns come and go.
	Return string
	// Filler stands in for the worker while it is replaced. Video: two
	// variants of one GOP each, IDR first, of H.264 the IDRs' idr_pic_id differing.
	// Audio: one variant, access units of silence that may be repeated
	// endlessly. Empty when Hello.Filler was false, and always for returns, which
	// share the silence of the program's Opus.
	Filler []Filler
}

// Filler is a run of access units in decoding order, as media.Packet.Data.
type Filler [][]byte

// EncoderInfo says what encodes the channel and why.
type EncoderInfo struct {
	Device string `json:"device"` // "cpu", "cuda:0"
	Codec  string `json:"codec"`  // "libx264", "h264_nvenc"
	Reason string `json:"reason"` // why no better one; empty when it is the best
	// Withdrawn is, by rung, why this worker encodes it not: it gets filler, or, where
	// the first worker withdraws it, is not there at all.
	Withdrawn map[string]string `json:"withdrawn,omitempty"`
}

// Start tells a ready worker its first frame. Tick Frame is the first that it
// composes; every rung begins there with an IDR and every rendition of sound
// with access unit First(rate, Frame) of its grid. If Frame is due already, the
// worker catches up: it never skips a tick.
type Start struct {
	Frame int64 `json:"frame"`
}

// TrackChange announces an elementary stream of a source, or its new
// parameters, before the first packet that needs them.
type TrackChange struct {
	Stream uint32 // unique in this session; one per source and track id
	Source string
	Track  *media.Track
}

// StreamPacket is one access unit. To the worker: of the stream that a
// TrackChange announced; Packet.Track is nil after decoding. From the worker:
// Stream is the rendition's index in Ready, PTS = DTS = rate.At(n) for video
// frame n and At(i) of the codec's AudioGrid for access unit i of sound.
type StreamPacket struct {
	Stream uint32
	Packet *media.Packet
}

// Begin announces a return that begins on air, before its first packet.
type Begin struct {
	Stream    uint32 // of its packets; of no other rendition of this session
	First     int64  // access unit
	Rendition Rendition
}

// End says that a return is over: no packets of it follow.
type End struct {
	Stream uint32 `json:"stream"`
}

// MultiviewStream is the stream number of the multiview's packets.
const MultiviewStream uint32 = 1 << 31

// KeyFrame asks for an IDR. On a rung it comes with the first frame of a part,
// at most one a second and none within 400 ms of a scheduled one, which then
// is the answer; on MultiviewID it comes with the next picture.
type KeyFrame struct {
	Rung string `json:"rung"`
}

// Gone says that a source's publisher ended: hold, then slate.
type Gone struct {
	Source string `json:"source"`
}

// Fault says that the worker's device failed it, just before the worker ends.
type Fault struct {
	Device string `json:"device"`
	Cause  string `json:"cause"` // FaultLost and those below
	Error  string `json:"error"` // a sentence
}

// Why a device is given up.
const (
	FaultLost    = "lost"    // the card or its context is gone
	FaultMemory  = "memory"  // nothing is left of the card's memory
	FaultSilent  = "silent"  // the card, or the worker on it, did not answer
	FaultEncoder = "encoder" // the card's encoder was refused or stopped
	FaultRefused = "refused" // the device could not be opened
	FaultFailed  = "failed"  // something else went wrong on it
	FaultCrashed = "crashed" // workers died on it, one after the other
)

// Quit asks the worker to finish what it holds and exit with code 0.
type Quit struct{}

// Command changes what is on air. What it holds is applied on one tick, in the
// order Show, Preview, Cut or Bar, Black, Overlays.
type Command struct {
	ID      uint64  `json:"id"`                // assigned by the Host
	At      int64   `json:"at,omitempty"`      // exactly on this frame; 0 is the next tick
	Cut     *string `json:"cut,omitempty"`     // scene to put on program; "" takes the preview
	Preview *string `json:"preview,omitempty"` // scene to put on preview
	Show    *Show   `json:"show,omitempty"`    // new sources, scenes, audio; its Program, Preview, Black and OverlaysOn are ignored
	// With is how the scene of Cut comes on air, or that of Bar; nil cuts. The
	// scene is program from the first frame that shows something of it.
	With *scene.Transition `json:"with,omitempty"`
	// Bar moves the T-bar: how much of the preview, or of the scene of Cut, is on
	// air, 0..1. At 1 that scene is program, at 0 nothing of it is left.
	Bar   *float64 `json:"bar,omitempty"`
	Black *Black   `json:"black,omitempty"`
	// Overlays brings overlays on air (true) and takes them off.
	Overlays map[string]bool `json:"overlays,omitempty"`
	Expect   *string         `json:"expect,omitempty"` // refuse unless this scene is on program
}

// Black fades all of the program, its sound too, to black or back.
type Black struct {
	On         bool `json:"on"`
	DurationMs int  `json:"durationMs"`
}

// Ack answers a Command once it took effect or was refused.
type Ack struct {
	ID      uint64 `json:"id"`
	Frame   int64  `json:"frame"` // the tick of effect
	Program string `json:"program"`
	Preview string `json:"preview"`
	// Transition is what is under way on that frame; nil at rest.
	Transition *Progress `json:"transition,omitempty"`
	Code       string    `json:"code,omitempty"`  // AckMoved and so on; empty when done
	Error      string    `json:"error,omitempty"` // a sentence; empty when done
}

// Why a command is refused.
const (
	AckMoved   = "moved"   // Expect does not hold
	AckPast    = "past"    // At is over
	AckUnknown = "unknown" // no such scene
	AckInvalid = "invalid" // the command contradicts itself or the channel
	AckOnAir   = "on-air"  // the new show lacks the scene on program
)

// Report is the worker's account of itself, once a second and on every change
// of a source's state. Counters run since the worker's start.
type Report struct {
	Frame       int64                   `json:"frame"`    // newest tick composed
	Late        uint64                  `json:"late"`     // ticks completed after the next was due
	Repeated    uint64                  `json:"repeated"` // frames encoded again because a rung was behind
	Program     string                  `json:"program"`
	Preview     string                  `json:"preview"`
	Transition  *Progress               `json:"transition,omitempty"` // nil at rest
	Black       float64                 `json:"black,omitempty"`      // how much of the program is faded to black, 0..1
	Sources     map[string]SourceReport `json:"sources"`
	Phases      Phases                  `json:"phases"`
	Composed    delay.Spread            `json:"composed"`    // from a tick being due to its picture being composed
	Rungs       map[string]delay.Spread `json:"rungs"`       // by rung: from a tick being due to its packet going out
	Outstanding int                     `json:"outstanding"` // pictures held
}

// Progress is a transition under way, on the frame of its report.
type Progress struct {
	From     string               `json:"from"` // scene
	To       string               `json:"to"`   // scene
	Type     scene.TransitionType `json:"type"`
	Position float64              `json:"position"`         // 0..1
	End      int64                `json:"end,omitempty"`    // the frame on which To is alone; 0 under a hand on the T-bar
	Frames   int64                `json:"frames,omitempty"` // until End, from the first
}

// SourceState is what the mixer shows of a source.
type SourceState string

// The states of a source in the mixer.
const (
	Idle     SourceState = "idle"     // nothing yet
	Live     SourceState = "live"     // current pictures
	Degraded SourceState = "degraded" // decode errors, or the last picture held
	Lost     SourceState = "lost"     // slate
)

// SourceReport is one source as the mixer sees it. Counters run since the
// worker's start.
type SourceReport struct {
	State        SourceState `json:"state"`
	Held         bool        `json:"held"`         // the last picture is repeated
	Slate        bool        `json:"slate"`        // the slate stands in
	Frames       uint64      `json:"frames"`       // pictures decoded
	Dropped      uint64      `json:"dropped"`      // packets or pictures that came too late or too many
	DecodeErrors uint64      `json:"decodeErrors"` // access units that did not decode
	Width        int         `json:"width"`        // pixels of the newest picture
	Height       int         `json:"height"`
	PeakDB       float64     `json:"peakDb"` // audio since the last report, dBFS; -120 is silence
	Way          Way         `json:"way"`
}

// Way is how long the pictures of a source took in the last 10 s, from stage to
// stage.
type Way struct {
	Socket delay.Spread `json:"socket"` // from being handed on by the server to the worker
	Decode delay.Spread `json:"decode"` // from there to the decoded picture
	Wait   delay.Spread `json:"wait"`   // from there to the tick that composes it first
	Total  delay.Spread `json:"total"`  // all of it
}

// Phases is where the time of a tick went, since the last report.
type Phases struct {
	Interval time.Duration `json:"interval"` // nanoseconds, as all of them; the tick's budget
	Decode   Phase         `json:"decode"`
	Compose  Phase         `json:"compose"`
	Encode   Phase         `json:"encode"`
	Audio    Phase         `json:"audio"`
}

// Phase is one part of the work of a tick.
type Phase struct {
	Mean time.Duration `json:"mean"` // nanoseconds
	Max  time.Duration `json:"max"`  // nanoseconds
}
