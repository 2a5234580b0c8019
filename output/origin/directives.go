package origin

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// directives are the delivery directives of a playlist request
// (draft-pantos-hls-rfc8216bis-22 §6.2.5).
type directives struct {
	segment int64 // _HLS_msn; below 0 when absent
	part    int64 // _HLS_part; below 0 when absent
	skip    bool  // _HLS_skip
}

var errDirective = errors.New("bad delivery directive")

// maxQuery bounds what is parsed of a request.
const maxQuery = 4096

// parseDirectives reads a raw query. Parameters of others are ignored; an
// _HLS_ one that is repeated, not a plain number or without what it needs is an
// error (H20, H28).
func parseDirectives(query string) (directives, error) {
	d := directives{segment: -1, part: -1}
	if len(query) > maxQuery {
		return d, errDirective
	}
	var seen [3]bool
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(pair, "%+") {
			var err error
			if name, err = url.QueryUnescape(name); err != nil {
				continue
			}
			if value, err = url.QueryUnescape(value); err != nil {
				value = "%" // fails below where it matters
			}
		}
		which := -1
		var err error
		switch name {
		case "_HLS_msn":
			which = 0
			d.segment, err = parseNumber(value)
		case "_HLS_part":
			which = 1
			d.part, err = parseNumber(value)
		case "_HLS_skip":
			which = 2
			if d.skip = value == "YES" || value == "v2"; !d.skip {
				err = errDirective
			}
		default:
			continue
		}
		if err != nil || seen[which] {
			return d, errDirective
		}
		seen[which] = true
	}
	if d.part >= 0 && d.segment < 0 {
		return d, errDirective
	}
	return d, nil
}

// parseNumber reads a decimal-integer that fits 62 bits, digits only.
func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 62)
	if err != nil || s[0] == '+' {
		return -1, errDirective
	}
	return int64(n), nil
}
