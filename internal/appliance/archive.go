package appliance

import (
	"context"

	"millrace/api"
	"millrace/internal/media"
	"millrace/internal/state"
	"millrace/record"
)

const (
	kindRecording = "recording"
	kindClip      = "clip"
)

// archive is the truth about recordings and clips: which segments of which
// channel they keep. Their media lie in the channels' stores.
type archive struct {
	recordings *shelf[storedRecording]
	clips      *shelf[storedClip]
}

// storedRecording is the document of a recording. To is record.Forever while
// it is made.
type storedRecording struct {
	ID      string     `json:"id"`
	Channel string     `json:"channel"`
	Name    string     `json:"name,omitempty"`
	Tags    []string   `json:"tags,omitempty"`
	Start   media.Time `json:"start"`
	Stop    media.Time `json:"stop,omitempty"`
	From    int64      `json:"from"` // segment
	To      int64      `json:"to"`   // segment after the last

	ISO       []string `json:"iso,omitempty"` // sources that are recorded as they come
	Automatic bool     `json:"automatic,omitempty"`
}

func (r storedRecording) running() bool { return r.To == record.Forever }

func (r storedRecording) titles() api.Titles { return api.Titles{Name: r.Name, Tags: r.Tags} }

// storedClip is the document of a clip.
type storedClip struct {
	ID      string     `json:"id"`
	Channel string     `json:"channel"`
	Name    string     `json:"name,omitempty"`
	Tags    []string   `json:"tags,omitempty"`
	Mode    string     `json:"mode"`
	Created media.Time `json:"created"`
	Start   media.Time `json:"start"`
	End     media.Time `json:"end"`
	From    int64      `json:"from"` // segment
	To      int64      `json:"to"`   // segment after the last

	Job     string `json:"job,omitempty"`     // ULID, where it was not ready at once
	Made    bool   `json:"made,omitempty"`    // it became ready: stored and, where exact, its beginning encoded
	Failure string `json:"failure,omitempty"` // why that could not be done
}

func (clip storedClip) exact() bool { return clip.Mode == string(api.ClipModeExact) }

func (clip storedClip) titles() api.Titles { return api.Titles{Name: clip.Name, Tags: clip.Tags} }

// kept are the segments that a clip needs: an exact one the access unit of sound
// before its first too, which may lie in the segment before.
func (clip storedClip) kept() record.Pin {
	if clip.exact() {
		return record.Pin{From: clip.From - 1, To: clip.To}
	}
	return record.Pin{From: clip.From, To: clip.To}
}

func openArchive(ctx context.Context, store state.Store) (*archive, error) {
	recordings, err := openShelf[storedRecording](ctx, store, kindRecording)
	if err != nil {
		return nil, err
	}
	clips, err := openShelf[storedClip](ctx, store, kindClip)
	return &archive{recordings, clips}, err
}

// pins are the segments of a channel that must not expire.
func (a *archive) pins(channel string) (pins []record.Pin) {
	for _, r := range a.recordings.all() {
		if r.Value.Channel == channel {
			pins = append(pins, record.Pin{From: r.Value.From, To: r.Value.To})
		}
	}
	for _, c := range a.clips.all() {
		if c.Value.Channel == channel {
			pins = append(pins, c.Value.kept())
		}
	}
	return pins
}

// running are the recordings of a channel that go on.
func (a *archive) running(channel string) (ids []string) {
	for _, r := range a.recordings.all() {
		if r.Value.Channel == channel && r.Value.running() {
			ids = append(ids, r.Value.ID)
		}
	}
	return ids
}

// holding is how much the archive keeps of a channel.
func (a *archive) holding(channel string) (n int) { return len(a.pins(channel)) }
