package api

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// audit is middleware that writes down what was changed, and what was shown
// that is secret: who, what, when and from where. What was refused changed
// nothing, and is not written down.
func (s *Server) audit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		route, params, ok := s.contract.route(r)
		changes := !safeMethod(r.Method) && r.URL.Query().Get("dryRun") != "true"
		if !ok || !changes && route.Operation.Extensions["x-audit"] != true {
			return next(c)
		}
		if err := next(c); err != nil {
			return err
		}
		status := c.Response().Status
		if status >= http.StatusBadRequest {
			return nil
		}
		who := Who(c.Request().Context())
		entry := AuditEntry{
			Action: route.Operation.OperationID, Path: r.URL.Path, Status: status, From: s.from(r),
			Who: AuditWho{Kind: AuditWhoKind(who.Kind), Id: who.ID, Name: who.Name},
		}
		entry.Subject = params["id"]
		s.backend.Record(entry)
		return nil
	}
}

// from is the address of who asks.
func (s *Server) from(r *http.Request) string {
	if s.local {
		return "local"
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// ListAudit answers GET /v1/audit.
func (s *Server) ListAudit(_ context.Context, r ListAuditRequestObject) (ListAuditResponseObject, error) {
	limit := r.Params.Limit
	if limit == 0 {
		limit = defaultPage
	}
	items := s.backend.ListAudit(r.Params.Cursor, limit+1, func(e AuditEntry) bool {
		return (r.Params.Who == "" || e.Who.Id == r.Params.Who || e.Who.Name == r.Params.Who) &&
			(r.Params.Action == "" || strings.EqualFold(e.Action, r.Params.Action)) &&
			(r.Params.Subject == "" || e.Subject == r.Params.Subject)
	})
	list := ListAudit200JSONResponse{Items: items}
	if len(items) > limit {
		list.Items, list.NextCursor = items[:limit], items[limit-1].Id
	}
	return list, nil
}
