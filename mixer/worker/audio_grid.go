package worker

import "millrace/internal/media"

// AudioHz is the sample rate of every channel's audio.
const AudioHz = 48000

// AudioGrid cuts a channel's sound into access units of so many samples: unit
// i covers samples [i*g, (i+1)*g) since the epoch.
type AudioGrid int64

// The grids of the codecs that a worker encodes sound with.
const (
	AACGrid  AudioGrid = 1024
	OpusGrid AudioGrid = 960 // 20 ms
)

// GridOf is the grid of a codec; false where it has none.
func GridOf(codec media.Codec) (AudioGrid, bool) {
	switch codec {
	case media.AAC:
		return AACGrid, true
	case media.Opus:
		return OpusGrid, true
	}
	return 0, false
}

// At is when access unit i starts.
func (g AudioGrid) At(i int64) media.Time { return media.TimeOfTicks(i*int64(g), AudioHz) }

// Number is the access unit that starts at t; false where none does.
func (g AudioGrid) Number(t media.Time) (i int64, exact bool) {
	i = t.Ticks(AudioHz) / int64(g)
	return i, g.At(i) == t
}

// First is the first access unit of a rendition that begins with a frame: the
// first that starts with or after that frame's samples.
func (g AudioGrid) First(rate media.Rate, frame int64) int64 {
	samples := rate.Samples(frame, AudioHz)
	return (samples + int64(g) - 1) / int64(g)
}
