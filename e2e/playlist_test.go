package e2e

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// playlist is a live media playlist as a player reads it.
type playlist struct {
	sequence int64
	init     string
	segments []playlistSegment // whole ones, gaps included
	open     []string          // parts of the segment in progress
	hint     string
	dated    []int64 // numbers of segments with a PROGRAM-DATE-TIME
	text     string
}

type playlistSegment struct {
	number int64
	uri    string
	gap    bool
	parts  []string // listed near the live edge only
}

// next is the number of the segment after the whole ones.
func (p *playlist) next() int64 { return p.sequence + int64(len(p.segments)) }

func (p *playlist) gaps() (numbers []int64) {
	for _, s := range p.segments {
		if s.gap {
			numbers = append(numbers, s.number)
		}
	}
	return numbers
}

// uris is everything that the playlist says can be had, in order of time.
func (p *playlist) uris() (all []string) {
	all = append(all, p.init)
	for _, s := range p.segments {
		if !s.gap {
			all = append(all, s.parts...)
			all = append(all, s.uri)
		}
	}
	return append(all, p.open...)
}

// attribute is the value of one attribute of a tag, without its quotes.
func attribute(line, name string) string {
	_, list, _ := strings.Cut(line, ":")
	_, value, found := strings.Cut(","+list, ","+name+"=")
	if !found {
		return ""
	}
	if quoted, ok := strings.CutPrefix(value, `"`); ok {
		value, _, _ = strings.Cut(quoted, `"`)
		return value
	}
	value, _, _ = strings.Cut(value, ",")
	return value
}

func parsePlaylist(t *testing.T, text string) *playlist {
	t.Helper()
	require.True(t, strings.HasPrefix(text, "#EXTM3U\n"), text)
	p := &playlist{text: text}
	gap := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "#EXT-X-MEDIA-SEQUENCE:"):
			n, err := strconv.ParseInt(line[len("#EXT-X-MEDIA-SEQUENCE:"):], 10, 64)
			require.NoError(t, err)
			p.sequence = n
		case strings.HasPrefix(line, "#EXT-X-MAP:"):
			p.init = attribute(line, "URI")
		case strings.HasPrefix(line, "#EXT-X-PROGRAM-DATE-TIME:"):
			p.dated = append(p.dated, p.next())
		case strings.HasPrefix(line, "#EXT-X-PART:"):
			p.open = append(p.open, attribute(line, "URI"))
		case strings.HasPrefix(line, "#EXT-X-PRELOAD-HINT:"):
			p.hint = attribute(line, "URI")
		case line == "#EXT-X-GAP":
			gap = true
		case line != "" && line[0] != '#':
			p.segments = append(p.segments, playlistSegment{p.next(), line, gap, p.open})
			p.open, gap = nil, false
		}
	}
	return p
}

// playlist fetches the media playlist of a rendition of the channel "main".
func (a *appliance) playlist(rendition, directives string) *playlist {
	a.t.Helper()
	var text []byte
	a.eventually(10*time.Second, "there is a playlist", func() bool {
		status, body, err := get(context.Background(), a.renditionURL(rendition, "index.m3u8"+directives))
		require.NoError(a.t, err)
		require.Contains(a.t, []int{http.StatusOK, http.StatusServiceUnavailable}, status, "%s", body)
		text = body
		return status == http.StatusOK
	})
	return parsePlaylist(a.t, string(text))
}

// renditionURL is where a playlist's URI of a rendition leads.
func (a *appliance) renditionURL(rendition, uri string) string {
	return a.mediaURL("/live/main/" + rendition + "/" + uri)
}
