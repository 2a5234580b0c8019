package api

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// later are the keys and values of the public contract that this version
// refuses by name, so that nobody takes a planned feature for a typing error.
var laterKeys = map[string]bool{
	"backup": true, "slate": true, "loudness": true, "transition": true, "durationMs": true,
	"solo": true, "pan": true, "label": true, "url": true, "asset": true, "s3": true, "iso": true,
}

// laterValues are refused likewise.
var laterValues = map[string]bool{"pull": true, "file": true, "still": true, "token": true, "exact": true}

var unsupportedProperty = regexp.MustCompile(`property "([^"]+)" is unsupported`)

// explain words a schema violation for the person who reads the answer.
func explain(e *openapi3.SchemaError) string {
	if match := unsupportedProperty.FindStringSubmatch(e.Reason); match != nil {
		if laterKeys[match[1]] {
			return fmt.Sprintf("this version does not do %q yet", match[1])
		}
		return fmt.Sprintf("unknown field %q", match[1])
	}
	if value, ok := e.Value.(string); ok && e.SchemaField == "enum" && laterValues[value] {
		return fmt.Sprintf("this version does not do %q yet", value)
	}
	return strings.TrimSuffix(e.Reason, " at the moment")
}
