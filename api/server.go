package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"millrace/internal/events"
)

// cookieLife is as long as browsers allow: the node ends a session that was not
// used for long, and never one that is in use.
const cookieLife = 400 * 24 * time.Hour

// Config is what a Server is made of.
type Config struct {
	Backend Backend
	Events  *events.Bus
	Now     func() time.Time // the timeline's
	Metrics http.Handler     // GET /metrics
	Ready   func() error     // nil when the store, listeners and workers are ready
	Pages   http.Handler     // everything outside the API: the control room
	Open    bool             // auth: {mode: off}; the listener is bound to loopback
	Local   bool             // the listener is a socket that only the node's owner can open
	Secure  bool             // the listener speaks TLS: session cookies travel there only
	Log     *slog.Logger
}

// Server answers the control listener.
type Server struct {
	backend  Backend
	bus      *events.Bus
	now      func() time.Time
	contract *contract
	answers  answers
	open     bool
	local    bool
	secure   bool
	log      *slog.Logger
	echo     *echo.Echo
}

var _ StrictServerInterface = (*Server)(nil)

// New makes the handler of the control listener.
func New(cfg Config) (*Server, error) {
	contract, err := loadContract()
	if err != nil {
		return nil, fmt.Errorf("make API: %w", err)
	}
	s := &Server{backend: cfg.Backend, bus: cfg.Events, now: cfg.Now, contract: contract, open: cfg.Open, local: cfg.Local, secure: cfg.Secure, log: cfg.Log, echo: echo.New()}
	s.answers.byKey, s.answers.memory = map[string]*answer{}, cfg.Backend
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.HTTPErrorHandler = s.handleError
	s.echo.Use(s.recoverPanic, s.protect, s.authenticate, s.rememberSession, s.audit, s.checkRequest, s.idempotent)
	RegisterHandlers(s.echo, NewStrictHandler(s, nil))
	s.streams()
	s.publicRoutes(cfg)
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// streams are the routes of the document that are no single answer.
func (s *Server) streams() {
	s.echo.GET("/v1/events", s.streamEvents)
	s.echo.GET("/v1/ws", s.openSocket)
	s.echo.POST("/v1/assets", s.uploadAsset)
	s.echo.GET("/v1/assets/:id/content", s.downloadAsset)
}

func (s *Server) publicRoutes(cfg Config) {
	s.echo.GET("/openapi.json", func(c echo.Context) error {
		return c.JSONBlob(http.StatusOK, s.contract.json)
	})
	s.echo.GET("/livez", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	s.echo.GET("/readyz", func(c echo.Context) error {
		if err := cfg.Ready(); err != nil {
			return c.String(http.StatusServiceUnavailable, err.Error()+"\n")
		}
		return c.String(http.StatusOK, "ok\n")
	})
	s.echo.GET("/metrics", func(c echo.Context) error {
		if !s.open {
			holder, err := s.holder(c.Request())
			if err != nil {
				return err
			}
			if !allows(holder.Scopes, ScopeView) {
				return problem(http.StatusForbidden, "forbidden", "This needs a key with the scope view.", "")
			}
		}
		cfg.Metrics.ServeHTTP(c.Response(), c.Request())
		return nil
	})
	s.echo.GET("/docs", s.docs)
	s.echo.GET("/*", echo.WrapHandler(cfg.Pages))
	s.echo.Any("/v1/*", s.unknownRoute)
}

// protect sets the headers that every answer of this listener carries.
func (s *Server) protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; form-action 'self'; worker-src 'self' blob:; media-src 'self' blob: http: https:; connect-src 'self' http: https: ws: wss:; img-src 'self' data: blob: http: https:; frame-ancestors 'none'; base-uri 'none'")
		return next(c)
	}
}

// recoverPanic turns a panic into a 500, so that one request never ends the node.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if r := recover(); r != nil && r != http.ErrAbortHandler {
				err = fmt.Errorf("panic: %v", r)
			} else if r != nil {
				panic(r)
			}
		}()
		return next(c)
	}
}

type sessionKey struct{}

// rememberSession hands the session cookie to the handlers, which see no
// headers but those of the document.
func (s *Server) rememberSession(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if cookie, err := c.Cookie(sessionCookie); err == nil {
			r := c.Request()
			c.SetRequest(r.WithContext(context.WithValue(r.Context(), sessionKey{}, cookie.Value)))
		}
		return next(c)
	}
}
