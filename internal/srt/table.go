package srt

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"
)

// Reject is a code that a refused caller reads (SRT access control
// guidelines; contract §4 point 11).
type Reject int

// The codes in use.
const (
	RejectSyntax    Reject = 1400
	RejectKey       Reject = 1401
	RejectOverload  Reject = 1402
	RejectForbidden Reject = 1403
	RejectUnknown   Reject = 1404
	RejectMode      Reject = 1405
	RejectBusy      Reject = 1409
	RejectType      Reject = 1415
	RejectDown      Reject = 1503
)

var rejects = map[Reject]string{
	RejectSyntax: "not a valid stream ID", RejectKey: "wrong or missing key", RejectOverload: "too many connections",
	RejectForbidden: "publishing is not allowed here", RejectUnknown: "no such source", RejectMode: "only m=publish is served here",
	RejectBusy: "the source has a publisher already", RejectType: "only t=stream is served here", RejectDown: "the server is going down",
}

// String says why in words.
func (r Reject) String() string { return rejects[r] }

// Hash is what the srt process knows of a key.
type Hash [sha256.Size]byte

// HashKey is the hash of a source's key.
func HashKey(key string) Hash { return sha256.Sum256([]byte(key)) }

// Entry says who may publish to one source.
type Entry struct {
	Source     string
	Keys       []Hash
	Passphrase string // empty: the stream must not be encrypted
	Busy       bool   // it has a publisher, of whatever protocol
	Forbidden  bool   // it takes no publisher: a pull, a file, one that is switched off
}

// Table is everything by which the srt process judges a caller. It is
// immutable once it is in use: libsrt's receiving thread reads it.
type Table struct {
	Entries     []Entry
	Connections int  // at most so many at a time; 0: no limit
	Down        bool // nobody new is let in
}

// Judge decides on a caller while so many are connected. A code of 0 lets it
// in to the entry, which is set whenever the key was right.
func (t *Table) Judge(streamID string, connected int) (Entry, Reject) {
	id, err := ParseStreamID(streamID)
	switch {
	case errors.Is(err, ErrMode):
		return Entry{}, RejectMode
	case errors.Is(err, ErrType):
		return Entry{}, RejectType
	case err != nil:
		return Entry{}, RejectSyntax
	case t.Down:
		return Entry{}, RejectDown
	}
	entry, reject := t.find(id)
	switch {
	case reject != 0:
		return Entry{}, reject
	case entry.Forbidden:
		return entry, RejectForbidden
	case entry.Busy:
		return entry, RejectBusy
	case t.Connections > 0 && connected >= t.Connections:
		return entry, RejectOverload
	}
	return entry, 0
}

// find is the entry that the stream ID names and whose key it has.
func (t *Table) find(id StreamID) (Entry, Reject) {
	if id.Source == "" && id.Key == "" {
		return Entry{}, RejectKey
	}
	hash := HashKey(id.Key)
	reject := RejectUnknown
	if id.Source == "" {
		reject = RejectKey
	}
	for _, entry := range t.Entries {
		if id.Source != "" && entry.Source != id.Source {
			continue
		}
		for _, key := range entry.Keys {
			if id.Key != "" && subtle.ConstantTimeCompare(key[:], hash[:]) == 1 {
				return entry, 0
			}
		}
		reject = RejectKey
	}
	return Entry{}, reject
}

const nameLimit = 64 // bytes of a name that is told

// Named is the source that a stream ID speaks of, for logs: empty where it
// names none, and where a key stands in its place.
func (t *Table) Named(streamID string) string {
	id, err := ParseStreamID(streamID)
	if err != nil {
		return ""
	}
	if id.Source == "" {
		entry, _ := t.find(id)
		return entry.Source
	}
	hash := HashKey(id.Source)
	for _, entry := range t.Entries {
		for _, key := range entry.Keys {
			if subtle.ConstantTimeCompare(key[:], hash[:]) == 1 {
				return ""
			}
		}
	}
	return strings.ToValidUTF8(id.Source[:min(len(id.Source), nameLimit)], "")
}
