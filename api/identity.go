package api

import (
	"context"
	"net/http"
)

// Identity is who asks.
type Identity struct {
	Kind   IdentityKind
	ID     string // of the key or the user; empty for what has none
	Name   string
	Scopes []Scope
}

// IdentityKind says how somebody proved who he is.
type IdentityKind string

// The kinds of identity.
const (
	ByKey   IdentityKind = "key"
	ByUser  IdentityKind = "user"
	ByLink  IdentityKind = "link"  // the one-time link of the start-up block
	ByLocal IdentityKind = "local" // the socket that only the node's owner can open
	ByNone  IdentityKind = "none"  // auth is off
)

type identityKey struct{}

// Who is behind a request that a handler sees; the zero Identity is nobody.
func Who(ctx context.Context) Identity {
	if identity, ok := ctx.Value(identityKey{}).(*Identity); ok {
		return *identity
	}
	return Identity{}
}

// become says who is behind a request that began without a key.
func become(ctx context.Context, identity Identity) {
	if present, ok := ctx.Value(identityKey{}).(*Identity); ok {
		*present = identity
	}
}

func remember(r *http.Request, identity Identity) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), identityKey{}, &identity))
}
