// Package state is the control plane's truth: small JSON documents with
// revisions behind an interface of five calls. The implementation is a NATS
// JetStream key-value bucket, embedded in the process, without an open port and
// with an fsync before every acknowledgement.
package state

import (
	"context"
	"errors"
)

// Revision numbers the writes of a store; a later write has a higher one.
type Revision uint64

// AnyRevision matches whatever is stored.
const AnyRevision Revision = 0

// Document is one stored value.
type Document struct {
	Kind, ID string
	Revision Revision
	Value    []byte
}

// What callers branch on.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrStale    = errors.New("changed in the meantime")
	// ErrFull says that the disk has no room for a change.
	ErrFull = errors.New("no space left for the state")
	// ErrLocked says that another process owns the data directory.
	ErrLocked = errors.New("data directory is in use by another process")
)

// Store keeps documents by kind and id. Every method returns after the change
// is on disk; all are safe for concurrent use.
type Store interface {
	// Get reads one document, or ErrNotFound.
	Get(ctx context.Context, kind, id string) (Document, error)
	// List reads every document of a kind, ordered by id.
	List(ctx context.Context, kind string) ([]Document, error)
	// Create writes a document that must not exist, or ErrExists.
	Create(ctx context.Context, kind, id string, value []byte) (Revision, error)
	// Put replaces the document at the given revision, or ErrStale;
	// AnyRevision creates or replaces unconditionally.
	Put(ctx context.Context, kind, id string, value []byte, at Revision) (Revision, error)
	// Delete removes the document at the given revision, or ErrStale.
	Delete(ctx context.Context, kind, id string, at Revision) error
}
