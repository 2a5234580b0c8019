package rtmp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/ingest"
	"millrace/internal/rtmp"
)

func TestParseRequest(t *testing.T) {
	for name, c := range map[string]struct {
		publish     rtmp.Publish
		source, key string
		err         error
	}{
		"key alone":            {publish: rtmp.Publish{App: "live", Stream: "KEY"}, key: "KEY"},
		"slashes around":       {publish: rtmp.Publish{App: "/live/", Stream: "/KEY"}, key: "KEY"},
		"source and query":     {publish: rtmp.Publish{App: "live", Stream: "cam1?key=KEY"}, source: "cam1", key: "KEY"},
		"more in the query":    {publish: rtmp.Publish{App: "live", Stream: "cam1?a=b&key=K~.%41&c"}, source: "cam1", key: "K~.%41"},
		"query in the app":     {publish: rtmp.Publish{App: "live?key=KEY", Stream: "cam1"}, source: "cam1", key: "KEY"},
		"query in the tcUrl":   {publish: rtmp.Publish{App: "live", TCURL: "rtmp://h/live?key=KEY", Stream: "cam1"}, source: "cam1", key: "KEY"},
		"source in the app":    {publish: rtmp.Publish{App: "live/cam1", Stream: "KEY"}, source: "cam1", key: "KEY"},
		"source in the name":   {publish: rtmp.Publish{App: "live", Stream: "cam1/KEY"}, source: "cam1", key: "KEY"},
		"all in the app":       {publish: rtmp.Publish{App: "live/cam1?key=KEY", Stream: ""}, source: "cam1", key: "KEY"},
		"key as a query only":  {publish: rtmp.Publish{App: "live", Stream: "?key=KEY"}, key: "KEY"},
		"another query":        {publish: rtmp.Publish{App: "live", Stream: "KEY?backup=1"}, key: "KEY"},
		"no key":               {publish: rtmp.Publish{App: "live"}, err: ingest.ErrBadKey},
		"empty key":            {publish: rtmp.Publish{App: "live", Stream: "cam1/?key="}, key: "cam1"},
		"unknown application":  {publish: rtmp.Publish{App: "app", Stream: "KEY"}, err: ingest.ErrSyntax},
		"no application":       {publish: rtmp.Publish{Stream: "live/KEY"}, err: ingest.ErrSyntax},
		"too many parts":       {publish: rtmp.Publish{App: "live/a/b", Stream: "KEY"}, err: ingest.ErrSyntax},
		"too many, with query": {publish: rtmp.Publish{App: "live/a", Stream: "b?key=KEY"}, err: ingest.ErrSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := parseRequest(c.publish)
			require.ErrorIs(t, err, c.err)
			if c.err == nil {
				require.Equal(t, Request{Source: c.source, Key: c.key}, r)
			}
		})
	}
}
