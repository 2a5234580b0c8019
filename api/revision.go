package api

import (
	"net/http"
	"strconv"
	"strings"
)

// etag shows a revision as a strong entity tag.
func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// parseMatch reads If-Match: required for every change of a stored thing, so
// that two operators never overwrite each other unawares.
func parseMatch(header string) (Match, error) {
	switch header = strings.TrimSpace(header); {
	case header == "":
		return Match{}, problem(http.StatusPreconditionRequired, "if-match-required", "The header If-Match is missing.",
			"Send the ETag of your last read, or * to change whatever is there.")
	case header == "*":
		return Match{Any: true}, nil
	}
	revision, err := strconv.ParseUint(strings.Trim(header, `"`), 10, 64)
	if err != nil || revision == 0 {
		return Match{}, Stale() // no tag of ours can look like that
	}
	return Match{Revision: revision}, nil
}
