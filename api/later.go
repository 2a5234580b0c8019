package api

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"
)

// later are the keys and values of the public contract that this version
// refuses by name, so that nobody takes a planned feature for a typing error.
var laterKeys = map[string]bool{
	"backup": true, "s3": true,
}

// laterValues are refused likewise.
var laterValues = map[string]bool{"token": true}

// notYet is the sentence with which planned things are refused.
func notYet(what string) string { return fmt.Sprintf("this version does not do %q yet", what) }

// laterRoutes are the routes of the public contract that this version has not.
var laterRoutes = regexp.MustCompile(`^/v1/channels/[^/]+/(timed-events|destinations)(/|$)`)

// unknownRoute answers what no route of the document answers.
func (s *Server) unknownRoute(c echo.Context) error {
	path := c.Request().URL.Path
	if laterRoutes.MatchString(path) {
		return problem(http.StatusNotImplemented, "not-yet", "Here "+notYet(path)+".", "See /docs for what it does.")
	}
	if allowed := s.contract.methods(c.Request()); len(allowed) > 0 {
		c.Response().Header().Set("Allow", strings.Join(allowed, ", "))
		return problem(http.StatusMethodNotAllowed, "method-not-allowed", "This route takes "+strings.Join(allowed, ", ")+".", "See /docs.")
	}
	return problem(http.StatusNotFound, "not-found", "There is no such route.", "See /docs.")
}
