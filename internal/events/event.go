package events

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is one thing that happened. It is read-only once it is published.
type Event struct {
	ID   string // ULID, in the order of publication; empty for a signal, which is not remembered
	Type string // "source.state"
	// Topic is what the readers of signals ask for, a channel's id; empty in
	// what is published.
	Topic string
	// Text is the JSON object {id, type, time, data}, encoded once.
	Text []byte
}

// envelope is the form of an event on every wire.
type envelope struct {
	ID   string `json:"id,omitempty"`
	Type string `json:"type"`
	Time string `json:"time"` // RFC 3339, UTC, milliseconds
	Data any    `json:"data,omitempty"`
}

const timeFormat = "2006-01-02T15:04:05.000Z"

func encode(id, kind string, at time.Time, data any) ([]byte, error) {
	text, err := json.Marshal(envelope{ID: id, Type: kind, Time: at.UTC().Format(timeFormat), Data: data})
	if err != nil {
		return nil, fmt.Errorf("encode event %q: %w", kind, err)
	}
	return text, nil
}
