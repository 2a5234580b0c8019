package appliance

import (
	"context"
	"encoding/json"

	"millrace/internal/events"
	"millrace/internal/state"
)

// observed is a store that tells the bus of every document that was made,
// changed or deleted, after it is on disk.
type observed struct {
	state.Store
	bus *events.Bus
}

// told are the kinds of document that the bus hears of, under their own name.
// What is on air has events of its own, keys and sessions have none.
func told(kind string) bool {
	switch kind {
	case kindSource, kindChannel, kindRecording, kindClip, kindAsset:
		return true
	}
	return false
}

// documentEvent is the data of created, changed and deleted.
type documentEvent struct {
	ID       string `json:"id"`
	Channel  string `json:"channel,omitempty"` // that it belongs to
	Name     string `json:"name,omitempty"`
	Revision uint64 `json:"revision,omitempty"` // as its ETag
}

func (o observed) tell(kind, id, what string, value []byte, revision state.Revision) {
	if !told(kind) {
		return
	}
	event := documentEvent{ID: id, Revision: uint64(revision)}
	if value != nil {
		// Documents without these fields leave them empty.
		_ = json.Unmarshal(value, &event)
		event.ID, event.Revision = id, uint64(revision)
	}
	o.bus.Publish(kind+"."+what, event)
}

// Create implements state.Store.
func (o observed) Create(ctx context.Context, kind, id string, value []byte) (state.Revision, error) {
	revision, err := o.Store.Create(ctx, kind, id, value)
	if err == nil {
		o.tell(kind, id, "created", value, revision)
	}
	return revision, err
}

// Put implements state.Store.
func (o observed) Put(ctx context.Context, kind, id string, value []byte, at state.Revision) (state.Revision, error) {
	revision, err := o.Store.Put(ctx, kind, id, value, at)
	if err == nil {
		o.tell(kind, id, "changed", value, revision)
	}
	return revision, err
}

// Delete implements state.Store.
func (o observed) Delete(ctx context.Context, kind, id string, at state.Revision) error {
	err := o.Store.Delete(ctx, kind, id, at)
	if err == nil {
		o.tell(kind, id, "deleted", nil, 0)
	}
	return err
}
