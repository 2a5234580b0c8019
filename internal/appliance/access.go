package appliance

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
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

// storedSession is a browser's session; its id is the hash of the cookie.
type storedSession struct {
	Scopes  []api.Scope   `json:"scopes"`
	Expires api.Timestamp `json:"expires"`
	Key     string        `json:"key,omitempty"` // id of the key it was opened with; it ends with that
}

const (
	sessionLife = 30 * 24 * time.Hour
	linkLife    = 24 * time.Hour // of the one-time link that the start-up block prints
)

// access keeps API keys and sessions. It implements api.Access.
type access struct {
	store state.Store

	mu       sync.RWMutex
	keys     map[string]api.Stored[storedKey] // by id
	byHash   map[string]string                // key hash -> id
	sessions map[string]api.Stored[storedSession]
	links    map[string]time.Time // hash of a one-time token -> when it expires
}

func openAccess(ctx context.Context, store state.Store) (*access, error) {
	keys, err := loadAll[storedKey](ctx, store, kindKey)
	if err != nil {
		return nil, err
	}
	sessions, err := loadAll[storedSession](ctx, store, kindSession)
	if err != nil {
		return nil, err
	}
	a := &access{store: store, keys: keys, sessions: sessions, byHash: map[string]string{}, links: map[string]time.Time{}}
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

// KeyScopes implements api.Access.
func (a *access) KeyScopes(key string) ([]api.Scope, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	id, ok := a.byHash[hashKey(key)]
	if !ok {
		return nil, false
	}
	return a.keys[id].Value.Scopes, true
}

// newLink is a token that opens one session with every scope.
func (a *access) newLink() string {
	token := newKey()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.links[hashKey(token)] = time.Now().Add(linkLife)
	return token
}

// OpenSession implements api.Access.
func (a *access) OpenSession(ctx context.Context, token string) (string, []api.Scope, error) {
	scopes, key, ok := a.spend(token)
	if !ok {
		return "", nil, &api.Problem{
			Title: http.StatusText(http.StatusUnauthorized), Status: http.StatusUnauthorized, Code: "unauthorized",
			Detail: "This token is not valid: a link works once, for a day.",
			Hint:   "Make a key with: millrace token create --scope manage",
		}
	}
	secret := newKey()
	session := storedSession{Scopes: scopes, Key: key, Expires: api.Timestamp{Time: time.Now().Add(sessionLife)}}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.expireSessions(ctx); err != nil {
		return "", nil, err
	}
	stored, err := create(ctx, a.store, kindSession, hashKey(secret), session)
	if err != nil {
		return "", nil, err
	}
	a.sessions[hashKey(secret)] = stored
	return secret, scopes, nil
}

// spend uses up a one-time token, or looks a key up and gives its id.
func (a *access) spend(token string) (scopes []api.Scope, key string, ok bool) {
	token = strings.TrimSpace(token)
	if scopes, ok := a.KeyScopes(token); ok {
		a.mu.RLock()
		defer a.mu.RUnlock()
		return scopes, a.byHash[hashKey(token)], true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	expires, ok := a.links[hashKey(token)]
	delete(a.links, hashKey(token))
	return []api.Scope{api.ScopeManage}, "", ok && time.Now().Before(expires)
}

// expireSessions forgets sessions that are over; the caller holds mu.
func (a *access) expireSessions(ctx context.Context) error {
	for id, session := range a.sessions {
		if time.Now().Before(session.Value.Expires.Time) {
			continue
		}
		if err := remove(ctx, a.store, kindSession, id, session.Revision); err != nil {
			return err
		}
		delete(a.sessions, id)
	}
	return nil
}

// SessionScopes implements api.Access.
func (a *access) SessionScopes(secret string) ([]api.Scope, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	session, ok := a.sessions[hashKey(secret)]
	if !ok || time.Now().After(session.Value.Expires.Time) {
		return nil, false
	}
	if _, lives := a.keys[session.Value.Key]; session.Value.Key != "" && !lives {
		return nil, false
	}
	return session.Value.Scopes, true
}

// CloseSession implements api.Access.
func (a *access) CloseSession(ctx context.Context, secret string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := hashKey(secret)
	session, ok := a.sessions[id]
	if !ok {
		return nil
	}
	if err := remove(ctx, a.store, kindSession, id, session.Revision); err != nil {
		return err
	}
	delete(a.sessions, id)
	return nil
}
