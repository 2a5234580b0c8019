package appliance

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"millrace/api"
	"millrace/internal/rtc"
	"millrace/output/whep"
)

// sourcePrefix begins the names under which sources are watched over WHEP.
const sourcePrefix = "source/"

// previewScopes are those with which one may look at a source that is not on
// air.
func previewScopes() []api.Scope { return []api.Scope{api.ScopePlayback, api.ScopeOperate} }

// mayWatch judges who asks for what over WHEP.
func (n *Node) mayWatch(r rtc.Request) error {
	parts := strings.Split(r.Resource, "/")
	switch {
	case len(parts) == 2 && parts[0]+"/" == sourcePrefix:
		return n.mayPreview(r, parts[1])
	case len(parts) == 1, len(parts) == 3 && parts[1] == "return":
		return nil
	case len(parts) == 2 && parts[1] == "multiview":
		return n.mayLook(r)
	}
	return rtc.Refuse(http.StatusNotFound, "no such endpoint: /whep/CHANNEL, /whep/CHANNEL/multiview, /whep/CHANNEL/return/SOURCE and /whep/source/SOURCE are")
}

// mayLook judges who asks for what is not on air: operators may have it, and who
// has a key for playback.
func (n *Node) mayLook(r rtc.Request) error {
	if n.config.Auth.Mode == "off" || r.Trusted {
		return nil
	}
	holder, ok := n.access.KeyHolder(r.Token)
	switch {
	case !ok:
		return rtc.Refuse(http.StatusUnauthorized, "a key is needed: Authorization: Bearer KEY, with a key from: millrace token create --scope playback")
	case !api.Covers(holder.Scopes, previewScopes()...):
		return rtc.Refuse(http.StatusForbidden, "this needs a key with the scope playback or operate")
	}
	return nil
}

// mayPreview judges who asks for a source's own packets.
func (n *Node) mayPreview(r rtc.Request, source string) error {
	if err := n.mayLook(r); err != nil {
		return err
	}
	document, known := n.sources.document(source)
	switch {
	case !known:
		return rtc.Refuse(http.StatusNotFound, "there is no source %q", source)
	case n.sources.feed(source) == nil:
		return rtc.Refuse(http.StatusNotFound, "a %s source is drawn by the mixer and has no packets of its own", document.Kind)
	}
	return nil
}

// controlHandler is what the control listener answers: the API, the control
// room, and WHEP for its pages, whose session is their key.
func (n *Node) controlHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.webrtc == nil || !strings.HasPrefix(r.URL.Path, "/whep/") {
			n.handler.ServeHTTP(w, r)
			return
		}
		if r.Method == http.MethodPost && n.handler.Admit(r, previewScopes()...) == nil {
			r = rtc.Trust(r)
		}
		n.webrtc.whep.ServeHTTP(w, r)
	})
}

// preview shows a source's own packets over WHEP until the context ends.
func (s *sources) preview(ctx context.Context, viewers *whep.Server, entry *source) {
	shown := viewers.NewFeed(sourcePrefix+entry.feed.ID(), entry.feed.RequestKey)
	cancel := entry.feed.Subscribe(shown)
	defer cancel()
	if err := shown.Run(ctx); err != nil {
		s.log.Error("show source over WebRTC", "source", entry.feed.ID(), "err", err)
	}
}

// watch keeps a source's feed running, and showing where there are viewers.
func (s *sources) watch(entry *source) {
	entry.running = begin(s.ctx, func(ctx context.Context) {
		var showing sync.WaitGroup
		defer showing.Wait()
		if s.viewers != nil {
			showing.Go(func() { s.preview(ctx, s.viewers, entry) })
		}
		if entry.player != nil {
			showing.Go(func() { s.play(ctx, entry) })
		}
		if entry.puller != nil {
			showing.Go(func() { s.pull(ctx, entry) })
		}
		if err := entry.feed.Run(ctx); err != nil {
			s.log.Error("watch source", "source", entry.feed.ID(), "err", err)
		}
	})
}
