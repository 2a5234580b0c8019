package worker

import (
	"slices"

	"millrace/internal/media"
	"millrace/mixer/scene"
)

// Show is everything a worker needs to run one channel: what is mixed, how it
// is laid out and what it is encoded to. Immutable; a change is a new Show in
// a Command. Canvas, Ladder and the audio rendition never change in the life
// of a channel.
type Show struct {
	Channel      string          `json:"channel"`
	Canvas       Canvas          `json:"canvas"`
	Sources      []Source        `json:"sources"`
	Scenes       []scene.Scene   `json:"scenes"`
	Program      string          `json:"program"`              // scene id
	Preview      string          `json:"preview,omitempty"`    // scene id; empty while none was set
	Overlays     []scene.Overlay `json:"overlays,omitempty"`   // the first one lowest
	OverlaysOn   []string        `json:"overlaysOn,omitempty"` // ids of those on air when the worker begins
	Black        bool            `json:"black,omitempty"`      // faded to black
	Ladder       []Rung          `json:"ladder"`
	AudioID      string          `json:"audioId"`      // id of the audio rendition, "audio"
	AudioBitrate int             `json:"audioBitrate"` // bits per second
	Master       Master          `json:"master,omitzero"`
	Loudness     Loudness        `json:"loudness,omitzero"`
	Slate        string          `json:"slate,omitempty"` // asset that stands in for a source without pictures; empty is the built-in one
}

// Assets are the pictures that a show needs, in order of first use; its slate
// comes first, for a worker that makes filler of it.
func (s Show) Assets() []string {
	var ids []string
	add := func(asset string) {
		if asset != "" && !slices.Contains(ids, asset) {
			ids = append(ids, asset)
		}
	}
	add(s.Slate)
	for _, source := range s.Sources {
		add(source.Still)
	}
	for _, asset := range scene.Assets(s.Scenes, s.Overlays) {
		add(asset)
	}
	return ids
}

// The program's sound as Opus, which browsers play: a rendition beside the
// audio rendition, for the channel's life.
const (
	OpusID      = "opus"
	OpusBitrate = 96_000 // bits per second
)

// MultiviewID is the track of the multiview, which is no rendition: it is there
// while it is watched.
const MultiviewID = "multiview"

// The size of its pictures, in pixels.
const (
	MultiviewWidth  = 960
	MultiviewHeight = 540
)

// ReturnID is the rendition of a source's return: Opus as OpusID is.
func ReturnID(source string) string { return "return-" + source }

// Canvas is the picture that scenes are composed on.
type Canvas struct {
	Width  int        `json:"width"`  // pixels
	Height int        `json:"height"` // pixels
	Rate   media.Rate `json:"rate"`
}

// SourceKind says where a source's pictures come from.
type SourceKind string

// The kinds of source that this version mixes.
const (
	Push  SourceKind = "push"  // packets arrive over the worker socket
	Test  SourceKind = "test"  // the worker draws it
	Still SourceKind = "still" // a picture that the server gives
)

// Source is one input of the channel.
type Source struct {
	ID     string        `json:"id"`
	Name   string        `json:"name,omitempty"`
	Kind   SourceKind    `json:"kind"`
	HoldMs int           `json:"holdMs"` // how long the last picture stays after the input is lost; then the slate
	Test   *TestPattern  `json:"test,omitempty"`
	Still  string        `json:"still,omitempty"` // asset of a still
	Audio  AudioSettings `json:"audio"`
	Return bool          `json:"return,omitempty"` // asks for the program's sound without its own, as rendition ReturnID
}

// TestPattern says which built-in moving picture and tone a test source has.
type TestPattern struct {
	Pattern int `json:"pattern"` // 0-based
	ToneHz  int `json:"toneHz"`  // 0 is silence
}

// AudioMode says when a source is heard.
type AudioMode string

// The audio modes. An empty mode is AudioFollow.
const (
	AudioFollow AudioMode = "follow" // while it is in the program scene
	AudioOn     AudioMode = "on"
	AudioOff    AudioMode = "off"
)

// AudioSettings is one source's strip on the audio bus.
type AudioSettings struct {
	GainDB  float64   `json:"gainDb"`
	Pan     float64   `json:"pan,omitempty"` // -1 left to 1 right
	Mute    bool      `json:"mute"`
	Solo    bool      `json:"solo,omitempty"` // while any source has it, only those with it are heard
	Mode    AudioMode `json:"mode,omitempty"`
	DelayMs int       `json:"delayMs"`
	Duck    *Duck     `json:"duck,omitempty"` // nil: it makes way for nobody
}

// Duck is how a source makes way for others.
type Duck struct {
	Keys        []string `json:"keys"`        // sources that it makes way for, while they are heard
	ThresholdDB float64  `json:"thresholdDb"` // of their peaks, dBFS
	Ratio       float64  `json:"ratio"`
	AttackMs    int      `json:"attackMs"`
	ReleaseMs   int      `json:"releaseMs"`
}

// Master is the sum's fader.
type Master struct {
	GainDB float64 `json:"gainDb,omitempty"`
	Mute   bool    `json:"mute,omitempty"`
}

// Loudness is what the program's sound is brought to. The zero value limits to
// -1 dBTP and does no more.
type Loudness struct {
	TargetLUFS  float64 `json:"targetLufs,omitempty"`  // 0 leaves the loudness as it is
	LimiterDBTP float64 `json:"limiterDbtp,omitempty"` // the most, true peak; -1 when 0
}

// Ceiling is the limiter's, in dBTP.
func (l Loudness) Ceiling() float64 {
	if l.LimiterDBTP == 0 {
		return -1
	}
	return l.LimiterDBTP
}

// Rung is one video rendition of the ladder.
type Rung struct {
	ID      string      `json:"id"`
	Width   int         `json:"width"`   // pixels
	Height  int         `json:"height"`  // pixels
	Bitrate int         `json:"bitrate"` // bits per second
	Codec   media.Codec `json:"codec"`
}
