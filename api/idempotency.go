package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
// client that lost the answer may ask again, also after a restart of the node.
type answers struct {
	memory Memory

	mu    sync.Mutex
	byKey map[string]*answer
	order []string // oldest first
}

// keptAnswer is an answer as Memory has it.
type keptAnswer struct {
	Request [sha256.Size]byte
	Status  int
	Header  http.Header
	Body    []byte
}

type answer struct {
	id      string
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
	fresh := &answer{id: id(key), request: request, at: time.Now()}
	fresh.recall(a.memory)
	a.byKey[key] = fresh
	a.order = append(a.order, key)
	return fresh
}

// id is under which name Memory keeps the answer of a key.
func id(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// recall fills in an answer of before the node's start.
func (e *answer) recall(memory Memory) {
	text, ok := memory.Recall(e.id)
	if !ok {
		return
	}
	var kept keptAnswer
	if err := json.Unmarshal(text, &kept); err != nil {
		return // of another version
	}
	e.request, e.done, e.status, e.header, e.body = kept.Request, true, kept.Status, kept.Header, kept.Body
}

// idempotent is middleware that answers a repeated create as the first time.
func (s *Server) idempotent(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		key := r.Header.Get("Idempotency-Key")
		if route, _, ok := s.contract.route(r); key == "" || r.Method != http.MethodPost || ok && isRaw(route.Operation) {
			return next(c)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return problem(http.StatusBadRequest, "bad-request", "The body could not be read.", "")
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		request := sha256.Sum256(append([]byte(r.URL.Path+"\n"), body...))
		who := Who(r.Context())
		entry := s.answers.claim(string(who.Kind)+"\n"+who.ID+"\n"+key, request)
		entry.mu.Lock()
		defer entry.mu.Unlock()
		if entry.request != request {
			return problem(http.StatusUnprocessableEntity, "idempotency-key-reused", "This Idempotency-Key came with another request before.", "Use a new key for a new request.")
		}
		if entry.done {
			return entry.replay(c)
		}
		return entry.record(c, next, s.answers.memory)
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

// record runs the request and keeps its answer when it made something. The
// answer goes out when it is kept.
func (e *answer) record(c echo.Context, next echo.HandlerFunc, memory Memory) error {
	held := &holdBack{ResponseWriter: c.Response().Writer, status: http.StatusOK}
	c.Response().Writer = held
	err := next(c)
	c.Response().Writer = held.ResponseWriter
	if err != nil {
		return err
	}
	if status := c.Response().Status; status/100 == 2 {
		e.done, e.status, e.header, e.body = true, status, c.Response().Header().Clone(), held.body.Bytes()
		text, err := json.Marshal(keptAnswer{e.request, e.status, e.header, e.body})
		if err == nil {
			err = memory.Remember(c.Request().Context(), e.id, text)
		}
		if err != nil {
			// What was made is made. Its answer is known until a restart.
			c.Logger().Error(err)
		}
	}
	held.ResponseWriter.WriteHeader(held.status)
	_, err = held.ResponseWriter.Write(held.body.Bytes())
	return err
}

// holdBack keeps an answer until it may go out.
type holdBack struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *holdBack) WriteHeader(status int)      { h.status = status }
func (h *holdBack) Write(p []byte) (int, error) { return h.body.Write(p) }
