package record

import (
	"encoding/json"
	"errors"
	"fmt"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// Layout says which renditions a run of the channel writes. It is immutable
// once given to a store.
type Layout struct {
	Grid       cmaf.Grid
	Renditions []*cmaf.Rendition

	// changes is how often the init section of a rendition has changed from one
	// layout of the store to the next: EXT-X-DISCONTINUITY-SEQUENCE.
	changes int64
}

// ErrLayout says that a layout cannot be stored.
var ErrLayout = errors.New("bad layout")

const maxRenditions = 256

func (l *Layout) validate() error {
	if len(l.Renditions) == 0 || len(l.Renditions) > maxRenditions {
		return fmt.Errorf("%w: %d renditions", ErrLayout, len(l.Renditions))
	}
	if l.Grid.Rate.Num <= 0 || l.Grid.Rate.Den <= 0 || l.Grid.PartFrames <= 0 ||
		l.Grid.SegmentFrames < l.Grid.PartFrames || l.Grid.SegmentFrames > 1<<12 {
		return fmt.Errorf("%w: grid %+v", ErrLayout, l.Grid)
	}
	seen := map[string]bool{}
	for _, r := range l.Renditions {
		if r == nil || r.ID == "" || r.Track == nil || r.Timescale() == 0 || seen[r.ID] {
			return fmt.Errorf("%w: a rendition is nil, unnamed, without timescale or listed twice", ErrLayout)
		}
		seen[r.ID] = true
	}
	return nil
}

// follows counts the changes of init sections from older on. It says whether
// segments of both can stand in one listing: the grid and every timescale are
// the same.
func (l *Layout) follows(older *Layout) bool {
	if older == nil {
		return true
	}
	changed := false
	for _, r := range l.Renditions {
		i, ok := older.index(r.ID)
		if !ok {
			continue
		}
		was := older.Renditions[i]
		if was.Track.Kind != r.Track.Kind || was.Timescale() != r.Timescale() {
			return false
		}
		changed = changed || was.InitName != r.InitName
	}
	l.changes = older.changes
	if changed {
		l.changes++
	}
	return l.Grid == older.Grid
}

// index is the number of a rendition in records of this layout.
func (l *Layout) index(rendition string) (int, bool) {
	for i, r := range l.Renditions {
		if r.ID == rendition {
			return i, true
		}
	}
	return 0, false
}

// covers says that segment k of the grid and a decode time of a rendition lie
// where the arithmetic of the grid is defined.
func (l *Layout) covers(k int64, rendition *cmaf.Rendition, start int64) bool {
	rate := l.Grid.Rate
	seconds := float64(k+1) * float64(l.Grid.SegmentFrames) * float64(rate.Den) / float64(rate.Num)
	return k >= 0 && k <= maxSegment && seconds < maxSeconds &&
		start >= 0 && float64(start)/float64(rendition.Timescale()) < maxSeconds
}

// The JSON of a layout record: FORMAT.md, "Layout".
type storedLayout struct {
	Rate          media.Rate        `json:"rate"`
	PartFrames    int64             `json:"partFrames"`
	SegmentFrames int64             `json:"segmentFrames"`
	Changes       int64             `json:"changes"`
	Renditions    []storedRendition `json:"renditions"`
}

type storedRendition struct {
	ID               string      `json:"id"`
	Track            storedTrack `json:"track"`
	Timescale        uint32      `json:"timescale"`
	Codec            string      `json:"codec"`
	Width            int         `json:"width,omitempty"`
	Height           int         `json:"height,omitempty"`
	Bandwidth        int         `json:"bandwidth"`
	AverageBandwidth int         `json:"averageBandwidth"`
	Language         string      `json:"language,omitempty"`
	Name             string      `json:"name,omitempty"`
	Group            string      `json:"group,omitempty"`
	InitName         string      `json:"initName"`
	Init             []byte      `json:"init"`
}

type storedTrack struct {
	ID         string      `json:"id"`
	Kind       string      `json:"kind"`
	Codec      string      `json:"codec"`
	MIME       string      `json:"mime,omitempty"`
	Config     []byte      `json:"config,omitempty"`
	Width      int         `json:"width,omitempty"`
	Height     int         `json:"height,omitempty"`
	Rate       *media.Rate `json:"rate,omitempty"`
	SampleRate int         `json:"sampleRate,omitempty"`
	Channels   int         `json:"channels,omitempty"`
}

// marshal is the payload of a layout record.
func (l *Layout) marshal() ([]byte, error) {
	out := storedLayout{Rate: l.Grid.Rate, PartFrames: l.Grid.PartFrames, SegmentFrames: l.Grid.SegmentFrames, Changes: l.changes}
	for _, r := range l.Renditions {
		t := storedTrack{
			ID: r.Track.ID, Kind: r.Track.Kind.String(), Codec: string(r.Track.Codec), MIME: r.Track.MIME,
			Config: r.Track.Config, Width: r.Track.Width, Height: r.Track.Height,
			SampleRate: r.Track.SampleRate, Channels: r.Track.Channels,
		}
		if rate := r.Track.Rate; rate.Num > 0 {
			t.Rate = &rate
		}
		out.Renditions = append(out.Renditions, storedRendition{
			ID: r.ID, Track: t, Timescale: r.Timescale(), Codec: r.Codec, Width: r.Width, Height: r.Height,
			Bandwidth: r.Bandwidth, AverageBandwidth: r.AverageBandwidth,
			Language: r.Language, Name: r.Name, Group: r.Group, InitName: r.InitName, Init: r.Init,
		})
	}
	payload, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("marshal layout: %w", err)
	}
	if len(payload) > maxPayload {
		return nil, fmt.Errorf("%w: %d bytes", ErrLayout, len(payload))
	}
	return payload, nil
}

// parseLayout reads what marshal wrote.
func parseLayout(payload []byte) (*Layout, error) {
	var in storedLayout
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLayout, err)
	}
	l := &Layout{Grid: cmaf.Grid{Rate: in.Rate, PartFrames: in.PartFrames, SegmentFrames: in.SegmentFrames}, changes: in.Changes}
	for _, r := range in.Renditions {
		t := &media.Track{
			ID: r.Track.ID, Codec: media.Codec(r.Track.Codec), MIME: r.Track.MIME, Config: r.Track.Config,
			Width: r.Track.Width, Height: r.Track.Height, SampleRate: r.Track.SampleRate, Channels: r.Track.Channels,
		}
		switch r.Track.Kind {
		case media.Video.String():
			t.Kind = media.Video
		case media.Audio.String():
			t.Kind = media.Audio
		default:
			return nil, fmt.Errorf("%w: track kind %q", ErrLayout, r.Track.Kind)
		}
		if r.Track.Rate != nil {
			t.Rate = *r.Track.Rate
		}
		l.Renditions = append(l.Renditions, &cmaf.Rendition{
			ID: r.ID, Grid: l.Grid, Track: t, Codec: r.Codec, Width: r.Width, Height: r.Height,
			Bandwidth: r.Bandwidth, AverageBandwidth: r.AverageBandwidth,
			Language: r.Language, Name: r.Name, Group: r.Group, InitName: r.InitName, Init: r.Init,
		})
	}
	if err := l.validate(); err != nil {
		return nil, err
	}
	for i, r := range l.Renditions {
		if r.Timescale() != in.Renditions[i].Timescale {
			return nil, fmt.Errorf("%w: timescale %d of rendition %q", ErrLayout, in.Renditions[i].Timescale, r.ID)
		}
	}
	return l, nil
}
