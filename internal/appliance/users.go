package appliance

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"millrace/api"
)

const kindUser = "user"

// storedUser is somebody who signs in with a name and a password.
type storedUser struct {
	ID        string        `json:"id"`
	Name      string        `json:"name,omitempty"`
	Role      api.Role      `json:"role"`
	CreatedAt api.Timestamp `json:"createdAt"`
	Password  password      `json:"password"`
}

// scopes are what a role may.
func scopes(role api.Role) []api.Scope {
	switch role {
	case api.Admin:
		return []api.Scope{api.ScopeManage}
	case api.Operator:
		return []api.Scope{api.ScopeOperate}
	}
	return []api.Scope{api.ScopeView}
}

func (u storedUser) holder() api.Identity {
	return api.Identity{Kind: api.ByUser, ID: u.ID, Name: cmp.Or(u.Name, u.ID), Scopes: scopes(u.Role)}
}

// view is how a user is shown; the caller holds mu.
func (a *access) viewUser(u api.Stored[storedUser]) api.Stored[api.UserView] {
	view := api.UserView{Id: u.Value.ID, Name: u.Value.Name, Role: u.Value.Role, CreatedAt: u.Value.CreatedAt}
	for _, session := range a.sessions {
		if session.Value.User == u.Value.ID {
			view.Sessions++
		}
	}
	return api.Stored[api.UserView]{Value: view, Revision: u.Revision}
}

// ListUsers implements api.Users.
func (a *access) ListUsers() []api.Stored[api.UserView] {
	a.mu.RLock()
	defer a.mu.RUnlock()
	list := make([]api.Stored[api.UserView], 0, len(a.users))
	for _, user := range a.users {
		list = append(list, a.viewUser(user))
	}
	slices.SortFunc(list, func(x, y api.Stored[api.UserView]) int { return cmp.Compare(x.Value.Id, y.Value.Id) })
	return list
}

// GetUser implements api.Users.
func (a *access) GetUser(id string) (api.Stored[api.UserView], error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	user, ok := a.users[id]
	if !ok {
		return api.Stored[api.UserView]{}, api.NotFound("user", id)
	}
	return a.viewUser(user), nil
}

// CreateUser implements api.Users.
func (a *access) CreateUser(ctx context.Context, user api.User) (api.Stored[api.UserView], error) {
	if user.Password == "" {
		return api.Stored[api.UserView]{}, api.Invalid(api.Fault{Pointer: "/password", Detail: "a new user needs one"})
	}
	made := storedUser{ID: user.Id, Name: user.Name, Role: user.Role, CreatedAt: api.Timestamp{Time: time.Now()}, Password: newPassword(user.Password)}
	a.mu.Lock()
	defer a.mu.Unlock()
	stored, err := create(ctx, a.store, kindUser, made.ID, made)
	if err != nil {
		return api.Stored[api.UserView]{}, err
	}
	a.users[made.ID] = stored
	return a.viewUser(stored), nil
}

// UpdateUser implements api.Users.
func (a *access) UpdateUser(ctx context.Context, id string, match api.Match, change func(api.User) (api.User, error)) (api.Stored[api.UserView], error) {
	none := api.Stored[api.UserView]{}
	a.mu.Lock()
	defer a.mu.Unlock()
	present, ok := a.users[id]
	switch {
	case !ok:
		return none, api.NotFound("user", id)
	case !match.Holds(present.Revision):
		return none, api.Stale()
	}
	changed, err := change(api.User{Id: id, Name: present.Value.Name, Role: present.Value.Role})
	if err != nil {
		return none, err
	}
	user := present.Value
	user.Name, user.Role = changed.Name, changed.Role
	if changed.Password != "" {
		user.Password = newPassword(changed.Password)
	}
	stored, err := put(ctx, a.store, kindUser, id, user, present.Revision)
	if err != nil {
		return none, err
	}
	a.users[id] = stored
	return a.viewUser(stored), a.expireSessions(ctx)
}

// DeleteUser implements api.Users.
func (a *access) DeleteUser(ctx context.Context, id string, match api.Match) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	user, ok := a.users[id]
	switch {
	case !ok:
		return api.NotFound("user", id)
	case !match.Holds(user.Revision):
		return api.Stale()
	}
	if err := remove(ctx, a.store, kindUser, id, user.Revision); err != nil {
		return err
	}
	delete(a.users, id)
	return a.expireSessions(ctx)
}

// signIn judges a password. A name that nobody has takes as long as a wrong
// password, so that names cannot be told.
func (a *access) signIn(ctx context.Context, id, text string) (storedSession, api.Identity, error) {
	if err := a.gate.closed(id, time.Now()); err != nil {
		return storedSession{}, api.Identity{}, err
	}
	a.mu.RLock()
	user, known := a.users[id]
	a.mu.RUnlock()
	try := user.Value.Password
	if !known {
		try = password{Salt: "AAAAAAAAAAAAAAAAAAAAAA==", Time: argonTime, Memory: argonMemory}
	}
	if matches := a.gate.hashing.do(ctx, func() bool { return try.matches(text) }); !matches || !known {
		a.gate.failed(id, time.Now())
		return storedSession{}, api.Identity{}, &api.Problem{
			Title: http.StatusText(http.StatusUnauthorized), Status: http.StatusUnauthorized, Code: "unauthorized",
			Detail: "There is no user with this name and password.", Hint: "Whoever manages the node can set a new password.",
		}
	}
	return storedSession{User: id, Secret: try.Salt}, user.Value.holder(), nil
}
