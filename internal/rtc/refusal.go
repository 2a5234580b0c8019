package rtc

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Refusal is an error that says with which status a request is answered.
type Refusal struct {
	Status     int
	Detail     string
	RetryAfter time.Duration // 0: not said
}

func (r *Refusal) Error() string { return r.Detail }

// Refuse makes a Refusal.
func Refuse(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Later says when the client may try again.
func (r *Refusal) Later(d time.Duration) *Refusal {
	r.RetryAfter = d
	return r
}

var errFull = Refuse(http.StatusServiceUnavailable, "too many sessions").Later(5 * time.Second)

// refusalOf is how an error is answered.
func refusalOf(err error) *Refusal {
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, ErrDown):
		return Refuse(http.StatusServiceUnavailable, "%v", err).Later(5 * time.Second)
	}
	return Refuse(http.StatusInternalServerError, "the session could not be made")
}

func malformed(format string, args ...any) error {
	return Refuse(http.StatusBadRequest, format, args...)
}

func unprocessable(format string, args ...any) error {
	return Refuse(http.StatusUnprocessableEntity, format, args...)
}
