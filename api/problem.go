package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// Fault is one thing that is wrong with a body and where it stands.
type Fault = struct {
	Detail string `json:"detail"`

	// Pointer JSON pointer into the body
	Pointer string `json:"pointer"`
}

// Error makes a problem an error: RFC 9457 is how every refusal travels.
func (p *Problem) Error() string {
	text := p.Title
	if p.Detail != "" {
		text = p.Detail
	}
	for _, fault := range p.Errors {
		text += fmt.Sprintf("; %s: %s", fault.Pointer, fault.Detail)
	}
	return text
}

func problem(status int, code, detail, hint string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Hint: hint}
}

// NotFound says that there is no such thing.
func NotFound(noun, id string) *Problem {
	return problem(http.StatusNotFound, "not-found", fmt.Sprintf("There is no %s %q.", noun, id),
		fmt.Sprintf("List the %ss to see which there are.", noun))
}

// Exists says that an id is taken.
func Exists(noun, id string) *Problem {
	return problem(http.StatusConflict, "exists", fmt.Sprintf("The %s %q exists already.", noun, id), "Choose another id, or change the one that exists.")
}

// Stale says that If-Match does not name the present revision.
func Stale() *Problem {
	return problem(http.StatusPreconditionFailed, "stale", "It was changed since you read it.", "Read it again and repeat your change with the new ETag.")
}

// Conflict says that the present state forbids the request.
func Conflict(code, detail, hint string) *Problem {
	return problem(http.StatusConflict, code, detail, hint)
}

// Unavailable says that the request may succeed later.
func Unavailable(code, detail, hint string) *Problem {
	return problem(http.StatusServiceUnavailable, code, detail, hint)
}

// Full says that the node has no room to store a change.
func Full() *Problem {
	return problem(http.StatusInsufficientStorage, "disk-full", "The disk with the node's own data (node.dataDir) is full.",
		"Free some space there and try again. What is on air goes on.")
}

// Invalid lists everything that is wrong with a body.
func Invalid(faults ...Fault) *Problem {
	p := problem(http.StatusUnprocessableEntity, "invalid", "The body does not describe something that can be made.", "")
	p.Errors = faults
	return p
}

// within words an error of a whole document for who changed the part of it at a
// pointer: faults of that part are named as they stand in it.
func within(err error, part string) error {
	var p *Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return err
	}
	own := *p
	own.Errors = make([]Fault, len(p.Errors))
	for i, fault := range p.Errors {
		if rest, inside := strings.CutPrefix(fault.Pointer, part); inside && (rest == "" || rest[0] == '/') {
			fault.Pointer = rest
		} else {
			fault.Pointer, fault.Detail = "", "of the channel, "+fault.Pointer+": "+fault.Detail
		}
		own.Errors[i] = fault
	}
	return &own
}

// handleError writes any error that a route ended with as a problem.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var p *Problem
	var httpError *echo.HTTPError
	switch {
	case errors.As(err, &p):
	case errors.Is(err, context.Canceled):
		p = Unavailable("stopping", "The node is stopping, or you went away.", "Try again in a moment.")
	case errors.As(err, &httpError):
		p = problem(httpError.Code, codeOf(httpError.Code), fmt.Sprint(httpError.Message), "")
	default:
		s.log.Error("answer request", "method", c.Request().Method, "path", c.Path(), "err", err)
		p = problem(http.StatusInternalServerError, "internal", "The appliance failed to do this.", "The log of the node says why.")
	}
	writeProblem(c, p)
}

func codeOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return "not-found"
	case http.StatusMethodNotAllowed:
		return "method-not-allowed"
	case http.StatusRequestEntityTooLarge:
		return "too-large"
	case http.StatusUnsupportedMediaType:
		return "media-type"
	}
	return "bad-request"
}

func writeProblem(c echo.Context, p *Problem) {
	header := c.Response().Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="millrace"`)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	}
	c.Response().WriteHeader(p.Status)
	if c.Request().Method != http.MethodHead {
		// An error here is the client's connection; nobody is left to tell.
		_ = json.NewEncoder(c.Response()).Encode(p)
	}
}
