package events

import "strings"

// Filter says which types of event a reader wants. Nil is all of them.
type Filter []string

// ParseFilter reads types as they stand in a query: separated by commas, each a
// type or the beginning of one with a trailing "*".
func ParseFilter(text string) Filter {
	var filter Filter
	for pattern := range strings.SplitSeq(text, ",") {
		if pattern = strings.TrimSpace(pattern); pattern != "" {
			filter = append(filter, pattern)
		}
	}
	return filter
}

// Matches reports whether a type passes.
func (f Filter) Matches(kind string) bool {
	if len(f) == 0 {
		return true
	}
	for _, pattern := range f {
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(kind, prefix) || pattern == kind {
			return true
		}
	}
	return false
}
