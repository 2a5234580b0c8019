package appliance

import (
	"cmp"
	"context"
	"slices"
	"sync"

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
	state state.Store

	mu         sync.RWMutex
	recordings map[string]api.Stored[storedRecording]
	clips      map[string]api.Stored[storedClip]
}

// storedRecording is the document of a recording. To is record.Forever while
// it is made.
type storedRecording struct {
	ID      string     `json:"id"`
	Channel string     `json:"channel"`
	Name    string     `json:"name,omitempty"`
	Start   media.Time `json:"start"`
	Stop    media.Time `json:"stop,omitempty"`
	From    int64      `json:"from"` // segment
	To      int64      `json:"to"`   // segment after the last
}

func (r storedRecording) running() bool { return r.To == record.Forever }

// storedClip is the document of a clip.
type storedClip struct {
	ID      string     `json:"id"`
	Channel string     `json:"channel"`
	Name    string     `json:"name,omitempty"`
	Mode    string     `json:"mode"`
	Created media.Time `json:"created"`
	Start   media.Time `json:"start"`
	End     media.Time `json:"end"`
	From    int64      `json:"from"` // segment
	To      int64      `json:"to"`   // segment after the last
}

func openArchive(ctx context.Context, store state.Store) (*archive, error) {
	a := &archive{state: store}
	var err error
	if a.recordings, err = loadAll[storedRecording](ctx, store, kindRecording); err != nil {
		return nil, err
	}
	a.clips, err = loadAll[storedClip](ctx, store, kindClip)
	return a, err
}

// pins are the segments of a channel that must not expire.
func (a *archive) pins(channel string) (pins []record.Pin) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, r := range a.recordings {
		if r.Value.Channel == channel {
			pins = append(pins, record.Pin{From: r.Value.From, To: r.Value.To})
		}
	}
	for _, c := range a.clips {
		if c.Value.Channel == channel {
			pins = append(pins, record.Pin{From: c.Value.From, To: c.Value.To})
		}
	}
	return pins
}

// running are the recordings of a channel that go on.
func (a *archive) running(channel string) (ids []string) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for id, r := range a.recordings {
		if r.Value.Channel == channel && r.Value.running() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// holding is how much the archive keeps of a channel.
func (a *archive) holding(channel string) (n int) { return len(a.pins(channel)) }

// listOf are the documents of a channel, or of all, by id, which is by age.
func listOf[T, V any](documents map[string]api.Stored[T], channel string, of func(T) string, view func(T) V) []api.Stored[V] {
	ids := make([]string, 0, len(documents))
	for id, d := range documents {
		if channel == "" || of(d.Value) == channel {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, cmp.Compare[string])
	list := make([]api.Stored[V], len(ids))
	for i, id := range ids {
		list[i] = api.Stored[V]{Value: view(documents[id].Value), Revision: documents[id].Revision}
	}
	return list
}
