package api

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

const sessionCookie = "millrace_session"

// authenticate is middleware that knows who asks and refuses who may not.
// Routes outside the document are public.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		route, _, ok := s.contract.route(c.Request())
		if !ok && strings.HasPrefix(c.Request().URL.Path, "/v1/") {
			// The router of the handlers takes more than the document has.
			return s.unknownRoute(c)
		}
		if s.open && !s.local && !fromHere(c.Request()) {
			return problem(http.StatusForbidden, "cross-origin", "Without keys, only this machine's own pages and tools may ask.", "Set auth.mode to on.")
		}
		c.SetRequest(remember(c.Request(), s.keyless()))
		if !ok || s.open || isPublic(route.Operation) {
			return next(c)
		}
		holder, err := s.holder(c.Request())
		if err != nil {
			return err
		}
		c.SetRequest(remember(c.Request(), holder))
		if need := scopeOf(c.Request().Method, route.Operation); !allows(holder.Scopes, need) {
			return problem(http.StatusForbidden, "forbidden", "This needs a key with the scope "+string(need)+".",
				"Make one with: millrace token create --scope "+string(need))
		}
		return next(c)
	}
}

// keyless is who asks where no key is asked for.
func (s *Server) keyless() Identity {
	switch {
	case s.local:
		return Identity{Kind: ByLocal, Scopes: []Scope{ScopeManage}}
	case s.open:
		return Identity{Kind: ByNone, Scopes: []Scope{ScopeManage}}
	}
	return Identity{Kind: ByNone}
}

// fromHere holds for requests that no page of another site can have caused:
// their host is this machine's, and their origin, if any, the same.
func fromHere(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return false
	}
	return safeMethod(r.Method) || r.Header.Get("Origin") == "" || sameOrigin(r)
}

func isPublic(operation *openapi3.Operation) bool {
	return operation.Security != nil && len(*operation.Security) == 0
}

// holder is who holds the request's key or session.
func (s *Server) holder(r *http.Request) (Identity, error) {
	none := Identity{}
	unauthorized := problem(http.StatusUnauthorized, "unauthorized", "A valid key is missing.",
		"Send the header Authorization: Bearer KEY, with a key from: millrace token create --scope view")
	if header := r.Header.Get("Authorization"); header != "" {
		key, ok := strings.CutPrefix(header, "Bearer ")
		if !ok {
			return none, unauthorized
		}
		if holder, ok := s.backend.KeyHolder(strings.TrimSpace(key)); ok {
			return holder, nil
		}
		return none, unauthorized
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return none, unauthorized
	}
	holder, ok := s.backend.SessionHolder(cookie.Value)
	if !ok {
		return none, unauthorized
	}
	if !safeMethod(r.Method) && !sameOrigin(r) {
		return none, problem(http.StatusForbidden, "cross-origin", "A session acts only from the node's own pages.", "")
	}
	return holder, nil
}

func safeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// sameOrigin holds when the browser says that the request comes from a page of
// this very host and port.
func sameOrigin(r *http.Request) bool {
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && origin.Host == r.Host
}

// scopeOf is what an operation needs: its x-scope, else view to read and
// manage to change.
func scopeOf(method string, operation *openapi3.Operation) Scope {
	if scope, ok := operation.Extensions["x-scope"].(string); ok {
		return Scope(scope)
	}
	if safeMethod(method) {
		return ScopeView
	}
	return ScopeManage
}

// allows holds when a set of scopes contains the one needed: manage contains
// operate, and operate contains view.
func allows(have []Scope, need Scope) bool {
	ladder := []Scope{ScopeView, ScopeOperate, ScopeManage}
	want := slices.Index(ladder, need)
	for _, scope := range have {
		if scope == need || want >= 0 && slices.Index(ladder, scope) >= want {
			return true
		}
	}
	return false
}
