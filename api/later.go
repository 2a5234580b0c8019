package api

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

// later are the keys and values of the public contract that this version
// refuses by name, so that nobody takes a planned feature for a typing error.
var laterKeys = map[string]bool{
	"backup": true, "url": true, "s3": true,
}

// laterValues are refused likewise.
var laterValues = map[string]bool{"pull": true, "file": true, "token": true}

var unsupportedProperty = regexp.MustCompile(`property "([^"]+)" is unsupported`)

// forms are what the document's patterns mean, in words.
var forms = map[string]string{
	"^[a-z0-9][a-z0-9-]{0,39}$":          "must be 1 to 40 of a-z, 0-9 and -, beginning with a letter or digit",
	"^([a-z0-9][a-z0-9-]{0,39})?$":       "must be a source's id, or empty",
	"^#[0-9a-fA-F]{6}$":                  "must be a colour as #rrggbb",
	"^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$": "must be a colour as #rrggbb or #rrggbbaa",
	"^[0-9A-HJKMNP-TV-Z]{26}$":           "must be a ULID",
}

// explain words a schema violation for the person who reads the answer. member
// is the name of an unknown field, "" where the fault is the value itself.
func explain(e *openapi3.SchemaError) (detail, member string) {
	if match := unsupportedProperty.FindStringSubmatch(e.Reason); match != nil {
		if laterKeys[match[1]] {
			return notYet(match[1]), match[1]
		}
		return fmt.Sprintf("unknown field %q", match[1]), match[1]
	}
	if e.Schema == nil {
		return e.Reason, ""
	}
	switch e.SchemaField {
	case "enum":
		if value, ok := e.Value.(string); ok && laterValues[value] {
			return notYet(value), ""
		}
	case "pattern":
		if form, ok := forms[e.Schema.Pattern]; ok {
			return form, ""
		}
	case "maximum":
		if e.Schema.Max != nil {
			return "must be at most " + strconv.FormatFloat(*e.Schema.Max, 'f', -1, 64), ""
		}
	case "minimum":
		if e.Schema.Min != nil {
			return "must be at least " + strconv.FormatFloat(*e.Schema.Min, 'f', -1, 64), ""
		}
	}
	return strings.TrimSuffix(e.Reason, " at the moment"), ""
}

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
