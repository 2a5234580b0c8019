package api

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sort"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/labstack/echo/v4"
)

//go:embed openapi.yaml
var openapiYAML []byte

const (
	maxBody = 1 << 20 // bytes; the largest channel is about 300 kB
	// Looking for every fault of a body, and telling them, takes much more of
	// everything than the body: of larger ones only the first is told.
	maxThorough = 128 << 10 // bytes
	maxFaults   = 100
)

// contract is the OpenAPI document, loaded: what requests are held against.
type contract struct {
	document *openapi3.T
	json     []byte
	router   routers.Router
	// validated is the document under a version for which the validator uses its
	// own rules: what it has for 3.1 compiles a schema anew for every parameter of
	// every request, and tells faults as text only.
	validated *openapi3.T
}

func loadContract() (*contract, error) {
	document, err := openapi3.NewLoader().LoadFromData(openapiYAML)
	if err != nil {
		return nil, fmt.Errorf("load OpenAPI document: %w", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate OpenAPI document: %w", err)
	}
	text, err := document.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode OpenAPI document: %w", err)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, fmt.Errorf("route OpenAPI document: %w", err)
	}
	validated := *document
	validated.OpenAPI = "3.0.3"
	return &contract{document, text, router, &validated}, nil
}

// route finds the operation of a request, or ok false.
func (c *contract) route(r *http.Request) (route *routers.Route, params map[string]string, ok bool) {
	found, params, err := c.router.FindRoute(r)
	if err != nil {
		return nil, nil, false
	}
	own := *found
	own.Spec = c.validated
	return &own, params, true
}

// methods are those that the document has for the path of a request.
func (c *contract) methods(r *http.Request) []string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, _, ok := c.route(other); ok {
			allowed = append(allowed, method)
		}
	}
	return allowed
}

// checkRequest is middleware that holds every request against the document and
// answers with all faults at once. It fills in the defaults of the body.
func (s *Server) checkRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		route, params, ok := s.contract.route(r)
		if !ok {
			r.Body = http.MaxBytesReader(c.Response(), r.Body, maxBody)
			return next(c) // echo answers 404 or 405
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, bodyLimit(route.Operation))
		raw := isRaw(route.Operation)
		text, err := readBody(r, route.Operation.RequestBody != nil && !raw)
		if err != nil {
			return err
		}
		err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
			Request: r, PathParams: params, Route: route,
			Options: &openapi3filter.Options{ExcludeRequestBody: raw, MultiError: len(text) <= maxThorough, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
		})
		if err != nil {
			return s.alsoWrong(refusal(err), route.Operation.OperationID, text)
		}
		return next(c)
	}
}

// isRaw says of an operation that its body is a file, which it reads itself.
func isRaw(operation *openapi3.Operation) bool { return operation.Extensions["x-raw-body"] == true }

// bodyLimit is how many bytes an operation takes: its x-max-body, if it has one.
func bodyLimit(operation *openapi3.Operation) int64 {
	if isRaw(operation) {
		return AssetBytes
	}
	if limit, ok := operation.Extensions["x-max-body"].(float64); ok {
		return int64(limit)
	}
	return maxBody
}

// alsoWrong adds to a refusal by the schema what only the appliance sees, such
// as a source that does not exist, so that one answer names every fault.
func (s *Server) alsoWrong(p *Problem, operation string, text []byte) *Problem {
	var channel Channel
	if len(text) > maxThorough {
		return p
	}
	if operation != "createChannel" && operation != "putChannel" || json.Unmarshal(text, &channel) != nil {
		return p
	}
	known := map[string]bool{}
	for _, fault := range p.Errors {
		known[fault.Pointer] = true
	}
	for _, fault := range s.backend.ChannelFaults(channel) {
		if !known[fault.Pointer] && len(p.Errors) < maxFaults {
			p.Errors = append(p.Errors, fault)
		}
	}
	return p
}

// readBody reads a bounded body whole and refuses what is not JSON. A live
// action may come without a body; it means {}.
func readBody(r *http.Request, expected bool) (text []byte, err error) {
	if !expected {
		return nil, nil
	}
	text, err = io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, problem(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit), "")
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "bad-request", "The body could not be read.", "")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}")
		r.Header.Set("Content-Type", "application/json")
	}
	if !isJSON(r.Header.Get("Content-Type"), text) {
		return nil, problem(http.StatusUnsupportedMediaType, "media-type", "The body must be application/json.", "Send the header Content-Type: application/json.")
	}
	var value any
	var number *json.UnmarshalTypeError
	if err := json.Unmarshal(text, &value); errors.As(err, &number) {
		return nil, problem(http.StatusBadRequest, "bad-json", fmt.Sprintf("The body holds a %.40s, which is too large.", number.Value), "")
	} else if err != nil {
		return nil, problem(http.StatusBadRequest, "bad-json", "The body is not JSON: "+err.Error(), "")
	}
	// The handlers bind one type; what a merge patch is they know by the route.
	r.Header.Set("Content-Type", "application/json")
	r.Body = io.NopCloser(bytes.NewReader(text))
	r.ContentLength = int64(len(text))
	return text, nil
}

// isJSON accepts the types of the document, and curl's default with a JSON
// object behind it: that is what people type.
func isJSON(contentType string, text []byte) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return false
	case mediaType == "application/json", mediaType == "application/merge-patch+json":
		return true
	}
	return mediaType == "application/x-www-form-urlencoded" && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{"))
}

// validate holds a value against a schema of the document, with defaults set.
func (s *Server) validate(schema string, value map[string]any) error {
	ref := s.contract.document.Components.Schemas[schema]
	err := ref.Value.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest(), openapi3.DefaultsSet(func() {}))
	if err != nil {
		return refusal(err)
	}
	return nil
}

// refusal turns the validator's errors into one problem.
func refusal(err error) *Problem {
	var faults []Fault
	collectFaults(err, "", &faults)
	sort.SliceStable(faults, func(i, j int) bool { return faults[i].Pointer < faults[j].Pointer })
	return Invalid(faults...)
}

func collectFaults(err error, where string, faults *[]Fault) {
	if len(*faults) >= maxFaults {
		return
	}
	var many openapi3.MultiError
	var schema *openapi3.SchemaError
	var request *openapi3filter.RequestError
	switch {
	case asMulti(err, &many):
		for _, inner := range many {
			collectFaults(inner, where, faults)
		}
	case asRequest(err, &request):
		if request.Parameter != nil {
			where = "#" + request.Parameter.In + "/" + request.Parameter.Name
			if words, ok := explainParameter(request); ok {
				*faults = append(*faults, Fault{Pointer: where, Detail: words})
				return
			}
		}
		if request.Err == nil {
			*faults = append(*faults, Fault{Pointer: where, Detail: request.Reason})
			return
		}
		collectFaults(request.Err, where, faults)
	case errors.As(err, &schema):
		detail, member := explain(schema)
		pointer := where
		for _, name := range append(schema.JSONPointer(), member) {
			if name != "" {
				pointer += "/" + name
			}
		}
		*faults = append(*faults, Fault{Pointer: pointer, Detail: detail})
	default:
		*faults = append(*faults, Fault{Pointer: where, Detail: err.Error()})
	}
}

// asMulti and asRequest look at the error itself only: errors.As would reach
// through a MultiError into its first member.
func asMulti(err error, target *openapi3.MultiError) bool {
	many, ok := err.(openapi3.MultiError)
	*target = many
	return ok
}

func asRequest(err error, target **openapi3filter.RequestError) bool {
	request, ok := err.(*openapi3filter.RequestError)
	*target = request
	return ok
}
