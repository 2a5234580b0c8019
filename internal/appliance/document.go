package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"millrace/api"
	"millrace/internal/state"
)

// The kinds of stored document.
const (
	kindSource  = "source"
	kindChannel = "channel"
	kindAir     = "air" // what is on a channel's air: changes live, apart from its settings
	kindKey     = "key"
	kindSession = "session"
	kindNode    = "node"
)

// loadAll reads every document of a kind.
func loadAll[T any](ctx context.Context, store state.Store, kind string) (map[string]api.Stored[T], error) {
	documents, err := store.List(ctx, kind)
	if err != nil {
		return nil, err
	}
	all := make(map[string]api.Stored[T], len(documents))
	for _, document := range documents {
		var value T
		if err := json.Unmarshal(document.Value, &value); err != nil {
			return nil, fmt.Errorf("decode %s %q: %w", kind, document.ID, err)
		}
		all[document.ID] = api.Stored[T]{Value: value, Revision: uint64(document.Revision)}
	}
	return all, nil
}

// writeLimit is how long a write may take on a slow disk.
const writeLimit = 10 * time.Second

// lasting is a context for a write that was begun: it does not end with who
// asked for it, or memory and store would part over an answer nobody reads.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
}

// create stores a new document.
func create[T any](ctx context.Context, store state.Store, kind, id string, value T) (api.Stored[T], error) {
	text, err := json.Marshal(value)
	if err != nil {
		return api.Stored[T]{}, fmt.Errorf("encode %s %q: %w", kind, id, err)
	}
	ctx, done := lasting(ctx)
	defer done()
	revision, err := store.Create(ctx, kind, id, text)
	if errors.Is(err, state.ErrExists) {
		return api.Stored[T]{}, api.Exists(kind, id)
	}
	err = refusal(err)
	return api.Stored[T]{Value: value, Revision: uint64(revision)}, err
}

// put replaces a document at the revision it was read.
func put[T any](ctx context.Context, store state.Store, kind, id string, value T, at uint64) (api.Stored[T], error) {
	text, err := json.Marshal(value)
	if err != nil {
		return api.Stored[T]{}, fmt.Errorf("encode %s %q: %w", kind, id, err)
	}
	ctx, done := lasting(ctx)
	defer done()
	revision, err := store.Put(ctx, kind, id, text, state.Revision(at))
	if errors.Is(err, state.ErrStale) {
		return api.Stored[T]{}, api.Stale()
	}
	return api.Stored[T]{Value: value, Revision: uint64(revision)}, refusal(err)
}

// refusal is the answer to a change that finds no room.
func refusal(err error) error {
	if errors.Is(err, state.ErrFull) {
		return fmt.Errorf("%w: %w", api.Full(), err)
	}
	return err
}

// remove deletes a document at the revision it was read.
func remove(ctx context.Context, store state.Store, kind, id string, at uint64) error {
	ctx, done := lasting(ctx)
	defer done()
	err := store.Delete(ctx, kind, id, state.Revision(at))
	if errors.Is(err, state.ErrStale) {
		return api.Stale()
	}
	return refusal(err)
}
