package api

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// mergePatch applies an RFC 7396 merge patch to a document and returns a new
// one; neither argument is written to.
func mergePatch(document, patch map[string]any) map[string]any {
	merged := make(map[string]any, len(document)+len(patch))
	for name, value := range document {
		merged[name] = value
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(merged, name)
		case map[string]any:
			inner, _ := merged[name].(map[string]any)
			merged[name] = mergePatch(inner, value)
		default:
			merged[name] = value
		}
	}
	return merged
}

// patched is a change function that merges patch into a T and validates the
// result against the document's schema of that name.
func patched[T any](s *Server, schema string, patch map[string]any) func(T) (T, error) {
	return func(present T) (changed T, err error) {
		text, err := json.Marshal(present)
		if err != nil {
			return changed, fmt.Errorf("encode %s: %w", schema, err)
		}
		var document map[string]any
		if err := json.Unmarshal(text, &document); err != nil {
			return changed, fmt.Errorf("decode %s: %w", schema, err)
		}
		merged := mergePatch(document, patch)
		if err := s.validate(schema, merged); err != nil {
			return changed, err
		}
		if text, err = json.Marshal(merged); err != nil {
			return changed, fmt.Errorf("encode %s: %w", schema, err)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&changed); err != nil {
			return changed, Invalid(Fault{Detail: err.Error()})
		}
		return changed, nil
	}
}
