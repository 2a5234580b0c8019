package appliance

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"millrace/ingest"
	"millrace/ingest/pull"
)

// pullFault says why a feed cannot be pulled from an address; "" where it can, and
// where there is none.
func pullFault(address string) string {
	if address == "" {
		return ""
	}
	if strings.Contains(address, "…") {
		return "is the address without its secrets; send all of it, or leave it out of a PATCH"
	}
	if at, err := url.Parse(address); err == nil {
		switch at.Scheme {
		case "srt", "rtsp", "rtsps":
			return fmt.Sprintf("this version does not do %q yet", at.Scheme)
		}
	}
	if _, err := pull.Parse(address); err != nil {
		return err.Error()
	}
	return ""
}

// newPuller makes what fetches the feed of a pull source.
func (s *sources) newPuller(entry *source) *pull.Puller {
	id := entry.feed.ID()
	return pull.New(pull.Config{
		Address: func() string {
			s.mu.RLock()
			defer s.mu.RUnlock()
			return entry.url
		},
		Connect: func(protocol, remote string) (ingest.Session, error) { return entry.feed.Connect(protocol, remote) },
		Failed:  func(reason error) { entry.feed.Lose(reason) },
		Dialer:  s.dialer, Log: s.log.With("source", id),
	})
}

// pull keeps a feed coming until the context ends.
func (s *sources) pull(ctx context.Context, entry *source) {
	if err := entry.puller.Run(ctx); err != nil {
		s.log.Error("pull source", "source", entry.feed.ID(), "err", err)
	}
}
