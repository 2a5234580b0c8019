package api

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	rememberFor  = 24 * time.Hour
	rememberMost = 1000 // answers
)

// answers remembers what creates with an Idempotency-Key answered, so that a
// client that lost the answer may ask again. It lives in memory: answers hold
// keys that are stored nowhere else in the clear.
type answers struct {
	mu    sync.Mutex
	byKey map[string]*answer
	order []string // oldest first
}

type answer struct {
	mu      sync.Mutex // held while the first request runs
	request [sha256.Size]byte
	at      time.Time
	done    bool
	status  int
	header  http.Header
	body    []byte
}

// claim finds or makes the entry of a key and evicts what is old.
func (a *answers) claim(key string, request [sha256.Size]byte) *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.order) > 0 && (len(a.order) >= rememberMost || time.Since(a.byKey[a.order[0]].at) > rememberFor) {
		delete(a.byKey, a.order[0])
		a.order = a.order[1:]
	}
	if known := a.byKey[key]; known != nil {
		return known
	}
	fresh := &answer{request: request, at: time.Now()}
	a.byKey[key] = fresh
	a.order = append(a.order, key)
	return fresh
}

// idempotent is middleware that answers a repeated create as the first time.
func (s *Server) idempotent(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		key := r.Header.Get("Idempotency-Key")
		if key == "" || r.Method != http.MethodPost {
			return next(c)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return problem(http.StatusBadRequest, "bad-request", "The body could not be read.", "")
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		request := sha256.Sum256(append([]byte(r.URL.Path+"\n"), body...))
		entry := s.answers.claim(r.Header.Get("Authorization")+"\n"+key, request)
		entry.mu.Lock()
		defer entry.mu.Unlock()
		if entry.request != request {
			return problem(http.StatusUnprocessableEntity, "idempotency-key-reused", "This Idempotency-Key came with another request before.", "Use a new key for a new request.")
		}
		if entry.done {
			return entry.replay(c)
		}
		return entry.record(c, next)
	}
}

func (e *answer) replay(c echo.Context) error {
	for name, values := range e.header {
		c.Response().Header()[name] = values
	}
	c.Response().WriteHeader(e.status)
	_, err := c.Response().Write(e.body)
	return err
}

// record runs the request and keeps its answer when it made something.
func (e *answer) record(c echo.Context, next echo.HandlerFunc) error {
	tee := &tee{ResponseWriter: c.Response().Writer}
	c.Response().Writer = tee
	if err := next(c); err != nil {
		return err
	}
	if c.Response().Status == http.StatusCreated {
		e.done, e.status, e.header, e.body = true, c.Response().Status, c.Response().Header().Clone(), tee.body.Bytes()
	}
	return nil
}

// tee keeps a copy of the body that passes through.
type tee struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (t *tee) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}
