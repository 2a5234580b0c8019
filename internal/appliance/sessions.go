package appliance

import (
	"context"
	"net/http"
	"strings"
	"time"

	"millrace/api"
)

// storedSession is a browser's session; its id is the hash of the cookie. It was
// opened with a key, as a user, or with a one-time link, and ends with those.
type storedSession struct {
	Expires api.Timestamp `json:"expires"`
	Key     string        `json:"key,omitempty"`
	User    string        `json:"user,omitempty"`
	Secret  string        `json:"secret,omitempty"` // which password of the user: its hash's salt
}

const (
	// sessionLife is how long a session lasts that nobody uses. One in use never
	// ends, so that none ends during a show.
	sessionLife = 30 * 24 * time.Hour
	// renewAfter is how old its last renewal may be.
	renewAfter = 24 * time.Hour
)

// OpenSession implements api.Access.
func (a *access) OpenSession(ctx context.Context, request api.SessionRequest) (string, api.Identity, error) {
	var session storedSession
	var holder api.Identity
	var err error
	switch {
	case request.Token != "" && request.User == "" && request.Password == "":
		session, holder, err = a.spend(request.Token)
	case request.Token == "" && request.User != "" && request.Password != "":
		session, holder, err = a.signIn(ctx, request.User, request.Password)
	default:
		err = api.Invalid(api.Fault{Pointer: "", Detail: "send either token, or user and password"})
	}
	if err != nil {
		return "", holder, err
	}
	secret := newKey()
	session.Expires = api.Timestamp{Time: time.Now().Add(sessionLife)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.expireSessions(ctx); err != nil {
		return "", holder, err
	}
	stored, err := create(ctx, a.store, kindSession, hashKey(secret), session)
	if err != nil {
		return "", holder, err
	}
	a.sessions[hashKey(secret)] = stored
	return secret, holder, nil
}

// byLink is who opened the one-time link: the node's owner.
func byLink() api.Identity {
	return api.Identity{Kind: api.ByLink, Scopes: []api.Scope{api.ScopeManage}}
}

// spend uses up a one-time token, or looks a key up.
func (a *access) spend(token string) (storedSession, api.Identity, error) {
	token = strings.TrimSpace(token)
	if holder, ok := a.KeyHolder(token); ok {
		return storedSession{Key: holder.ID}, holder, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	expires, ok := a.links[hashKey(token)]
	delete(a.links, hashKey(token))
	if !ok || time.Now().After(expires) {
		return storedSession{}, api.Identity{}, &api.Problem{
			Title: http.StatusText(http.StatusUnauthorized), Status: http.StatusUnauthorized, Code: "unauthorized",
			Detail: "This token is not valid: a link works once, for a day.",
			Hint:   "Make a key with: millrace token create --scope manage",
		}
	}
	return storedSession{}, byLink(), nil
}

// expireSessions forgets sessions that are over; the caller holds mu.
func (a *access) expireSessions(ctx context.Context) error {
	for id, session := range a.sessions {
		_, lives := a.sessionHolder(session.Value)
		if lives && time.Now().Before(session.Value.Expires.Time) {
			continue
		}
		if err := remove(ctx, a.store, kindSession, id, session.Revision); err != nil {
			return err
		}
		delete(a.sessions, id)
	}
	return nil
}

// sessionHolder is who a session belongs to, while that one is there; the caller
// holds mu.
func (a *access) sessionHolder(session storedSession) (api.Identity, bool) {
	switch {
	case session.Key != "":
		key, ok := a.keys[session.Key]
		return key.Value.holder(), ok
	case session.User != "":
		user, ok := a.users[session.User]
		return user.Value.holder(), ok && user.Value.Password.Salt == session.Secret
	}
	return byLink(), true
}

// SessionHolder implements api.Access.
func (a *access) SessionHolder(secret string) (api.Identity, bool) {
	id := hashKey(secret)
	a.mu.RLock()
	session, ok := a.sessions[id]
	holder, lives := a.sessionHolder(session.Value)
	a.mu.RUnlock()
	left := time.Until(session.Value.Expires.Time)
	if !ok || !lives || left <= 0 {
		return api.Identity{}, false
	}
	if left < sessionLife-renewAfter {
		a.renew(id)
	}
	return holder, true
}

// renew lets a session that is used go on. Where the disk does not take it, the
// session goes on until the node is started again.
func (a *access) renew(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	session, ok := a.sessions[id]
	if !ok {
		return
	}
	session.Value.Expires = api.Timestamp{Time: time.Now().Add(sessionLife)}
	if stored, err := put(context.Background(), a.store, kindSession, id, session.Value, session.Revision); err == nil {
		session = stored
	}
	a.sessions[id] = session
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
