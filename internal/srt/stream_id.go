package srt

import (
	"errors"
	"strings"
	"unicode/utf8"
)

const streamIDLimit = 512 // characters (SRT access control guidelines)

// Why a stream ID is refused before its key is looked at.
var (
	ErrSyntax = errors.New("not a valid stream ID")
	ErrMode   = errors.New("only m=publish is served here")
	ErrType   = errors.New("only t=stream is served here")
)

// StreamID is what a caller asks for.
type StreamID struct {
	Source string // empty: the one that the key belongs to
	Key    string
}

// ParseStreamID reads the three forms of contract §2:
// "#!::r=SOURCE,m=publish,s=KEY", "publish:SOURCE:KEY" and a bare "KEY".
func ParseStreamID(text string) (StreamID, error) {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > streamIDLimit || strings.ContainsFunc(text, control) {
		return StreamID{}, ErrSyntax
	}
	if rest, ok := strings.CutPrefix(text, "#!::"); ok {
		return parsePairs(rest)
	}
	if strings.HasPrefix(text, "#") {
		return StreamID{}, ErrSyntax
	}
	mode, rest, ok := strings.Cut(text, ":")
	if !ok {
		if strings.ContainsAny(text, " ,=/?&") {
			return StreamID{}, ErrSyntax
		}
		return StreamID{Key: text}, nil
	}
	if mode != "publish" {
		if mode == "read" || mode == "request" || mode == "play" {
			return StreamID{}, ErrMode
		}
		return StreamID{}, ErrSyntax
	}
	source, key, _ := strings.Cut(rest, ":")
	if source == "" {
		return StreamID{}, ErrSyntax
	}
	return StreamID{Source: source, Key: key}, nil
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }

// parsePairs reads "k=v,k=v". Keys of more than one letter are the sender's
// own and mean nothing here.
func parsePairs(text string) (StreamID, error) {
	var id StreamID
	mode, kind := "request", "stream" // as the guidelines default them
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || seen[name] {
			return StreamID{}, ErrSyntax
		}
		seen[name] = true
		switch name {
		case "r":
			id.Source = value
		case "s":
			id.Key = value
		case "m":
			mode = value
		case "t":
			kind = value
		case "u", "h": // whose and where: one key says it all
		default:
			if len(name) == 1 {
				return StreamID{}, ErrSyntax
			}
		}
	}
	switch {
	case mode != "publish":
		return StreamID{}, ErrMode
	case kind != "stream":
		return StreamID{}, ErrType
	}
	return id, nil
}
