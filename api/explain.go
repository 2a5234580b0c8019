package api

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

var (
	unsupportedProperty = regexp.MustCompile(`property "([^"]+)" is unsupported`)
	missingProperty     = regexp.MustCompile(`property "([^"]+)" is missing`)
)

// forms are what the document's patterns mean, in words.
var forms = map[string]string{
	"^[a-z0-9][a-z0-9-]{0,39}$":          "must be 1 to 40 of a-z, 0-9 and -, beginning with a letter or digit",
	"^([a-z0-9][a-z0-9-]{0,39})?$":       "must be a source's id, or empty",
	"^#[0-9a-fA-F]{6}$":                  "must be a colour as #rrggbb",
	"^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$": "must be a colour as #rrggbb or #rrggbbaa",
	"^[0-9A-HJKMNP-TV-Z]{26}$":           "must be a ULID",
}

// types are what the document's types mean, in words.
var types = map[string]string{
	openapi3.TypeString: "text", openapi3.TypeInteger: "a whole number", openapi3.TypeNumber: "a number",
	openapi3.TypeBoolean: "true or false", openapi3.TypeArray: "a list", openapi3.TypeObject: "an object",
}

// explain words a schema violation for the person who reads the answer. member
// is the name of an unknown or missing field, "" where the fault is the value
// itself.
func explain(e *openapi3.SchemaError) (detail, member string) {
	if match := unsupportedProperty.FindStringSubmatch(e.Reason); match != nil {
		if laterKeys[match[1]] {
			return notYet(match[1]), match[1]
		}
		return fmt.Sprintf("unknown field %q", match[1]), match[1]
	}
	if match := missingProperty.FindStringSubmatch(e.Reason); match != nil {
		return fmt.Sprintf("%q is missing", match[1]), ""
	}
	if e.Schema == nil {
		return e.Reason, ""
	}
	if words := explainValue(e.Schema, e.SchemaField, e.Value); words != "" {
		return words, ""
	}
	return strings.TrimSuffix(e.Reason, " at the moment"), ""
}

// explainValue says what a field of a schema asks of a value, "" where it has no
// words.
func explainValue(schema *openapi3.Schema, field string, value any) string {
	switch field {
	case "type":
		return mustBe(schema)
	case "format":
		return "must be " + formatOf(schema)
	case "enum":
		if text, ok := value.(string); ok && laterValues[text] {
			return notYet(text)
		}
		return "must be one of " + strings.Trim(strings.ReplaceAll(fmt.Sprintf("%q", schema.Enum), " ", ", "), "[]")
	case "pattern":
		return forms[schema.Pattern]
	case "minLength":
		return fmt.Sprintf("must have at least %d characters", schema.MinLength)
	case "minItems":
		return fmt.Sprintf("must have at least %d entries", schema.MinItems)
	}
	switch {
	case field == "oneOf" && schema.Description != "":
		return "has none of the forms that it may have. " + schema.Description
	case field == "exclusiveMinimum" && schema.ExclusiveMin.Value != nil:
		return "must be more than " + strconv.FormatFloat(*schema.ExclusiveMin.Value, 'f', -1, 64)
	case field == "exclusiveMinimum" && schema.Min != nil:
		return "must be more than " + strconv.FormatFloat(*schema.Min, 'f', -1, 64)
	case field == "maximum" && schema.Max != nil:
		return "must be at most " + strconv.FormatFloat(*schema.Max, 'f', -1, 64)
	case field == "minimum" && schema.Min != nil:
		return "must be at least " + strconv.FormatFloat(*schema.Min, 'f', -1, 64)
	case field == "maxLength" && schema.MaxLength != nil:
		return fmt.Sprintf("must have at most %d characters", *schema.MaxLength)
	case field == "maxItems" && schema.MaxItems != nil:
		return fmt.Sprintf("must have at most %d entries", *schema.MaxItems)
	}
	return ""
}

// mustBe names the types of a schema.
func mustBe(schema *openapi3.Schema) string {
	if schema.Format != "" && schema.Type.Is(openapi3.TypeString) {
		return "must be " + formatOf(schema)
	}
	var names []string
	for _, name := range schema.Type.Slice() {
		if words := types[name]; words != "" {
			names = append(names, words)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "must be " + strings.Join(names, " or ")
}

func formatOf(schema *openapi3.Schema) string {
	if schema.Format == "date-time" {
		return "an instant like 2026-11-20T12:00:00.000Z (RFC 3339)"
	}
	return "of the form " + schema.Format
}

// explainParameter words what is wrong with a parameter of a request's line or
// header; ok false for what its schema says.
func explainParameter(e *openapi3filter.RequestError) (words string, ok bool) {
	var parse *openapi3filter.ParseError
	switch {
	case errors.Is(e.Err, openapi3filter.ErrInvalidRequired):
		return "is missing", true
	case errors.Is(e.Err, openapi3filter.ErrInvalidEmptyValue):
		return "must not be empty", true
	case errors.As(e.Err, &parse) && e.Parameter.Schema != nil:
		if words := mustBe(e.Parameter.Schema.Value); words != "" {
			return words, true
		}
	}
	return "", false
}
