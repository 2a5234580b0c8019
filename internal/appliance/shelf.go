package appliance

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"

	"millrace/api"
	"millrace/internal/state"
)

// shelf is the stored documents of one kind that have ULIDs, in memory too. Its
// methods may be called from any goroutine; change and view functions that are
// given to them must not call it.
type shelf[T any] struct {
	kind  string
	state state.Store

	mu   sync.RWMutex
	byID map[string]api.Stored[T]
}

func openShelf[T any](ctx context.Context, store state.Store, kind string) (*shelf[T], error) {
	all, err := loadAll[T](ctx, store, kind)
	return &shelf[T]{kind: kind, state: store, byID: all}, err
}

func (s *shelf[T]) add(ctx context.Context, id string, value T) (api.Stored[T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := create(ctx, s.state, s.kind, id, value)
	if err == nil {
		s.byID[id] = stored
	}
	return stored, err
}

func (s *shelf[T]) get(id string) (api.Stored[T], error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, ok := s.byID[id]
	if !ok {
		return found, api.NotFound(s.kind, id)
	}
	return found, nil
}

// change stores what edit makes of a document, where it makes a difference.
func (s *shelf[T]) change(ctx context.Context, id string, match api.Match, edit func(*T) error) (api.Stored[T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.matching(id, match)
	if err != nil {
		return found, err
	}
	changed := found.Value
	if err := edit(&changed); err != nil || reflect.DeepEqual(changed, found.Value) {
		return found, err
	}
	stored, err := put(ctx, s.state, s.kind, id, changed, found.Revision)
	if err == nil {
		s.byID[id] = stored
	}
	return stored, err
}

// discard removes a document and gives what it was.
func (s *shelf[T]) discard(ctx context.Context, id string, match api.Match) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.matching(id, match)
	if err == nil {
		err = remove(ctx, s.state, s.kind, id, found.Revision)
	}
	if err == nil {
		delete(s.byID, id)
	}
	return found.Value, err
}

// matching is the document at the revision that is asked for; the lock is held.
func (s *shelf[T]) matching(id string, match api.Match) (api.Stored[T], error) {
	found, ok := s.byID[id]
	switch {
	case !ok:
		return found, api.NotFound(s.kind, id)
	case !match.Holds(found.Revision):
		return found, api.Stale()
	}
	return found, nil
}

// all are the documents by id, which is by age.
func (s *shelf[T]) all() []api.Stored[T] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]api.Stored[T], 0, len(s.byID))
	for _, id := range slices.SortedFunc(maps.Keys(s.byID), cmp.Compare[string]) {
		list = append(list, s.byID[id])
	}
	return list
}

// viewsOf are those documents that pass, as the API shows them.
func viewsOf[T, V any](s *shelf[T], pass func(T) bool, view func(T) V) []api.Stored[V] {
	list := []api.Stored[V]{}
	for _, d := range s.all() {
		if pass(d.Value) {
			list = append(list, api.Stored[V]{Value: view(d.Value), Revision: d.Revision})
		}
	}
	return list
}

// viewed is a document, or the lack of it, as the API shows it.
func viewed[T, V any](d api.Stored[T], err error, view func(T) V) (api.Stored[V], error) {
	if err != nil {
		return api.Stored[V]{}, err
	}
	return api.Stored[V]{Value: view(d.Value), Revision: d.Revision}, nil
}
