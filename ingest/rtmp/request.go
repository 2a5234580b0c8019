package rtmp

import (
	"fmt"
	"net/netip"
	"strings"

	"millrace/ingest"
	"millrace/internal/rtmp"
)

// Request is what a publisher asks for; it is judged before the client is told
// to start. The key is a secret: log neither it nor what it came in.
type Request struct {
	Source string // as named by the client; empty where the key alone says it
	Key    string
	Remote netip.AddrPort
}

const usage = `use server rtmp://HOST/live with the stream key, or rtmp://HOST/live/SOURCE?key=KEY`

// parseRequest understands the URLs of contract §2:
//
//	app live, name KEY                 the key names the source
//	app live, name SOURCE?key=KEY      also with the query in the app
//	app live/SOURCE, name KEY          also app live, name SOURCE/KEY
func parseRequest(p rtmp.Publish) (Request, error) {
	app, appQuery, _ := strings.Cut(p.App, "?")
	name, query, _ := strings.Cut(p.Stream, "?")
	_, urlQuery, _ := strings.Cut(p.TCURL, "?")
	app, rest, _ := strings.Cut(strings.Trim(app, "/"), "/")
	if app != "live" {
		return Request{}, fmt.Errorf("%w: unknown application; %s", ingest.ErrSyntax, usage)
	}
	name = strings.Trim(rest+"/"+name, "/")
	var r Request
	for _, q := range []string{query, appQuery, urlQuery} {
		if r.Key == "" {
			r.Key = queryKey(q)
		}
	}
	if r.Key != "" {
		r.Source = name
	} else if source, key, named := strings.Cut(name, "/"); named {
		r.Source, r.Key = source, key
	} else {
		r.Key = name
	}
	if r.Key == "" {
		return Request{}, fmt.Errorf("%w: no stream key; %s", ingest.ErrBadKey, usage)
	}
	if strings.Contains(r.Source, "/") || strings.Contains(r.Key, "/") {
		return Request{}, fmt.Errorf("%w: too many parts in the address; %s", ingest.ErrSyntax, usage)
	}
	return r, nil
}

// queryKey is the value of key. Keys need no percent-decoding (contract §4
// point 4), and some clients would not encode.
func queryKey(query string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if key, ok := strings.CutPrefix(pair, "key="); ok {
			return key
		}
	}
	return ""
}
