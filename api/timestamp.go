package api

import (
	"fmt"
	"time"
)

// Timestamp is an instant as the API shows it: RFC 3339, UTC, milliseconds.
type Timestamp struct{ time.Time }

const timestampFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(timestampFormat) + `"`), nil
}

// UnmarshalJSON reads any RFC 3339 instant.
func (t *Timestamp) UnmarshalJSON(text []byte) error {
	parsed, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(text))
	if err != nil {
		return fmt.Errorf("read timestamp: %w", err)
	}
	t.Time = parsed
	return nil
}
