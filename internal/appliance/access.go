package appliance

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"millrace/api"
	"millrace/internal/state"
)

// storedKey is an API key as it is stored: its hash, never itself.
type storedKey struct {
	ID        string        `json:"id"`
	Name      string        `json:"name,omitempty"`
	Scopes    []api.Scope   `json:"scopes"`
	CreatedAt api.Timestamp `json:"createdAt"`
	Hash      string        `json:"hash"`
}

const linkLife = 24 * time.Hour // of the one-time link that the start-up block prints

// access keeps API keys, users and sessions. It implements api.Access and
// api.Users.
type access struct {
	store state.Store
	gate  gate

	mu       sync.RWMutex
	keys     map[string]api.Stored[storedKey] // by id
	byHash   map[string]string                // key hash -> id
	users    map[string]api.Stored[storedUser]
	sessions map[string]api.Stored[storedSession] // by hash of the cookie
	links    map[string]time.Time                 // hash of a one-time token -> when it expires
}

func openAccess(ctx context.Context, store state.Store) (*access, error) {
	keys, err := loadAll[storedKey](ctx, store, kindKey)
	if err != nil {
		return nil, err
	}
	users, err := loadAll[storedUser](ctx, store, kindUser)
	if err != nil {
		return nil, err
	}
	sessions, err := loadAll[storedSession](ctx, store, kindSession)
	if err != nil {
		return nil, err
	}
	a := &access{store: store, gate: newGate(), keys: keys, users: users, sessions: sessions, byHash: map[string]string{}, links: map[string]time.Time{}}
	for id, key := range keys {
		a.byHash[key.Value.Hash] = id
	}
	return a, nil
}

func (k storedKey) view() api.KeyView {
	return api.KeyView{Id: k.ID, Name: k.Name, Scopes: k.Scopes, CreatedAt: k.CreatedAt}
}

// ListKeys implements api.Access.
func (a *access) ListKeys() []api.Stored[api.KeyView] {
	a.mu.RLock()
	defer a.mu.RUnlock()
	list := make([]api.Stored[api.KeyView], 0, len(a.keys))
	for _, key := range a.keys {
		list = append(list, api.Stored[api.KeyView]{Value: key.Value.view(), Revision: key.Revision})
	}
	slices.SortFunc(list, func(x, y api.Stored[api.KeyView]) int { return cmp.Compare(x.Value.Id, y.Value.Id) })
	return list
}

// GetKey implements api.Access.
func (a *access) GetKey(id string) (api.Stored[api.KeyView], error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	key, ok := a.keys[id]
	if !ok {
		return api.Stored[api.KeyView]{}, api.NotFound("key", id)
	}
	return api.Stored[api.KeyView]{Value: key.Value.view(), Revision: key.Revision}, nil
}

// CreateKey implements api.Access.
func (a *access) CreateKey(ctx context.Context, request api.KeyRequest) (api.Stored[api.KeyView], error) {
	secret := newKey()
	key := storedKey{
		ID: ulid.Make().String(), Name: request.Name, Scopes: distinct(request.Scopes),
		CreatedAt: api.Timestamp{Time: time.Now()}, Hash: hashKey(secret),
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	stored, err := create(ctx, a.store, kindKey, key.ID, key)
	if err != nil {
		return api.Stored[api.KeyView]{}, err
	}
	a.keys[key.ID] = stored
	a.byHash[key.Hash] = key.ID
	view := key.view()
	view.Key = secret
	return api.Stored[api.KeyView]{Value: view, Revision: stored.Revision}, nil
}

func distinct(scopes []api.Scope) []api.Scope {
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// DeleteKey implements api.Access.
func (a *access) DeleteKey(ctx context.Context, id string, match api.Match) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, ok := a.keys[id]
	if !ok {
		return api.NotFound("key", id)
	}
	if !match.Holds(key.Revision) {
		return api.Stale()
	}
	if err := remove(ctx, a.store, kindKey, id, key.Revision); err != nil {
		return err
	}
	delete(a.keys, id)
	delete(a.byHash, key.Value.Hash)
	return nil
}

// KeyHolder implements api.Access.
func (a *access) KeyHolder(key string) (api.Identity, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	id, ok := a.byHash[hashKey(key)]
	if !ok {
		return api.Identity{}, false
	}
	return a.keys[id].Value.holder(), true
}

func (k storedKey) holder() api.Identity {
	return api.Identity{Kind: api.ByKey, ID: k.ID, Name: k.Name, Scopes: k.Scopes}
}

// newLink is a token that opens one session with every scope.
func (a *access) newLink() string {
	token := newKey()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.links[hashKey(token)] = time.Now().Add(linkLife)
	return token
}
