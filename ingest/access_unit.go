package ingest

import (
	"errors"
	"time"

	"millrace/internal/media"
)

// AccessUnit is one frame of a feed on the feed's own clock. It exists between
// a protocol and its Session only; read-only once written.
type AccessUnit struct {
	Track *media.Track // a change of parameters is a new pointer with the same ID
	// PTS and DTS are on the source's clock, unwrapped: they never jump where
	// the wire's counter wraps.
	PTS, DTS time.Duration
	Key      bool
	// Wait is how long it was held back for what came with it: containers put
	// several access units into one packet, and send that with the last. Not
	// positive where it was not.
	Wait time.Duration
	// Received is when the first of it came in, with its monotonic reading; zero
	// where that is not known.
	Received time.Time
	// Captured is when it was captured by the sender's own clock, which all
	// tracks of the publisher share, since that clock's epoch; 0: unknown.
	Captured time.Duration
	Data     []byte // as media.Packet.Data
}

// Session is the connection of one publisher to its source. Write is called
// from one goroutine and never blocks; Close ends the session with the reason
// (nil: the publisher said goodbye) and may come from any goroutine, twice.
type Session interface {
	Write(AccessUnit)
	Close(reason error)
}

// Why a publisher is refused. A protocol translates each into the code or
// sentence that its clients show (contract §4 point 11).
var (
	ErrSyntax        = errors.New("not a valid publish request")
	ErrBadKey        = errors.New("wrong or missing key")
	ErrForbidden     = errors.New("publishing is not allowed here")
	ErrUnknownSource = errors.New("no such source")
	ErrBusy          = errors.New("the source has a publisher already")
	ErrOverload      = errors.New("too many connections")
	ErrDown          = errors.New("the server is going down")
)

// Revocable is what a Session that its source can end also implements: an
// operator's kick, a rotated key, the node going down. A protocol that sees
// Revoked closed drops the connection, saying Reason.
type Revocable interface {
	Revoked() <-chan struct{}
	Reason() error // valid once Revoked is closed
}

// Size is how many pixels a source's picture is shown with at most; zero where
// nobody said.
type Size struct{ Width, Height int }

// Sized is what a Session also implements whose publisher may send more than
// one size: it says which is needed now. It is asked often and must not wait.
type Sized interface{ Wanted() Size }

// Keyed is what a Session also implements whose publisher may be asked for
// keyframes: it says, once, that somebody who watches needs one. It is asked
// often and must not wait; a protocol that never asks it has no way to ask.
type Keyed interface{ KeyWanted() bool }

// Describable is what a Session also implements that tells of its end: the
// attributes, as slog takes them, are added to the line that Close logs.
type Describable interface {
	Describe(attributes ...any)
}
