package rtc

import (
	"crypto/subtle"
	"io"
	"net/http"
	"strings"
	"time"
)

// serveSession answers for one session's URL.
func (x exchange) serveSession(id string) {
	const allowed = "OPTIONS, GET, HEAD, PATCH, DELETE"
	if x.r.Method == http.MethodOptions {
		x.w.Header().Set("Accept-Patch", fragmentType)
		x.preflight(allowed)
		return
	}
	l := x.endpoint.find(id)
	if l == nil || l.request.Resource != x.resource {
		x.refuse(Refuse(http.StatusNotFound, "no such session"))
		return
	}
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		x.w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodPatch, http.MethodDelete:
	default:
		x.notAllowed(allowed)
		return
	}
	// The URL is a secret of its own; a token that comes with it must be right.
	if x.r.Header.Get("Authorization") != "" && subtle.ConstantTimeCompare([]byte(x.token()), []byte(l.request.Token)) != 1 {
		x.refuse(Refuse(http.StatusUnauthorized, "not the key of this session"))
		return
	}
	if x.r.Method == http.MethodDelete {
		x.delete(id, l)
		return
	}
	if err := x.patch(l); err != nil {
		x.refuse(err)
	}
}

// delete ends a session; what it occupied is free when the answer comes.
func (x exchange) delete(id string, l *live) {
	x.endpoint.forget(id)
	l.end(ErrLeft)
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case <-l.ended:
	case <-timer.C:
	}
	x.w.WriteHeader(http.StatusOK)
}

// patch takes candidates, or restarts ICE (RFC 9725 §4.3).
func (x exchange) patch(l *live) error {
	body, err := x.body(fragmentType, maxFragment)
	if err != nil {
		return err
	}
	f, err := parseFragment(string(body))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch match := strings.TrimSpace(x.r.Header.Get("If-Match")); {
	case match == "":
		return Refuse(http.StatusPreconditionRequired, "If-Match is needed: the session's ETag, or * for an ICE restart")
	case match != "*" && !matches(match, l.etag):
		return Refuse(http.StatusPreconditionFailed, "this ETag is not the session's")
	}
	answer, err := l.session.Peer().apply(f)
	if err != nil {
		return err
	}
	if answer == "" {
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	l.etag = newETag()
	x.w.Header().Set("Content-Type", fragmentType)
	x.w.Header().Set("ETag", l.etag)
	x.w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(x.w, answer) // the client is gone
	return nil
}

// matches compares strongly (RFC 9110 §13.1.1).
func matches(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(tag) == etag {
			return true
		}
	}
	return false
}
