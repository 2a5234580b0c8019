package origin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/internal/media"
	"millrace/output/cmaf"
)

// Config is what all channels share.
type Config struct {
	Clock *media.Clock // the timeline that GET /time tells
	// TimeURL stands in manifests as the place to ask for the time; "/time" when empty.
	TimeURL string
	// Expected says of a channel that is not served now that it will be: it is
	// answered 503, never 404. nil: none is.
	Expected func(id string) bool
	// Recording gives the recording of an id; nil where there are none.
	Recording func(id string) (Recording, bool)
	// Clip gives the clip of an id; nil where there are none.
	Clip func(id string) (Clip, bool)
	// Draw makes one JPEG of a sheet; nil: there are no thumbnails.
	Draw func(context.Context, Sheet) ([]byte, error)
	Log  *slog.Logger
}

// ErrForbidden is what Authorize gives for a caller that is known and refused.
var ErrForbidden = errors.New("playback not allowed")

// Handler serves registered channels under /live/ and /dvr/, recordings of them
// under /vod/, clips under /clips/, and the time under /time.
// All methods may be called from any goroutine.
type Handler struct {
	config   Config
	waiting  atomic.Int64
	movies   movies
	sheets   sheets
	builders chan struct{} // places for those who build documents of their own

	mu       sync.Mutex // of changes to channels
	channels atomic.Pointer[map[string]*channel]
}

// New is a handler without channels.
func New(config Config) *Handler {
	if config.TimeURL == "" {
		config.TimeURL = "/time"
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Clock == nil {
		config.Clock = media.StartClock()
	}
	h := &Handler{config: config, builders: make(chan struct{}, runtime.GOMAXPROCS(0))}
	h.sheets.drawing = make(chan struct{}, 1)
	h.channels.Store(&map[string]*channel{})
	return h
}

// Add serves a channel, in the place of an older one of the same id.
func (h *Handler) Add(id string, c Channel) {
	h.change(id, &channel{Channel: c, id: id, removed: make(chan struct{})})
}

// Remove ends serving a channel; requests that wait for it are answered 404.
func (h *Handler) Remove(id string) { h.change(id, nil) }

func (h *Handler) change(id string, c *channel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := *h.channels.Load()
	channels := make(map[string]*channel, len(old)+1)
	for k, v := range old {
		channels[k] = v
	}
	delete(channels, id)
	if c != nil {
		channels[id] = c
	}
	h.channels.Store(&channels)
	if was := old[id]; was != nil {
		close(was.removed)
	}
}

// Waiting is how many requests wait for something to be listed.
func (h *Handler) Waiting() int64 { return h.waiting.Load() }

// ServeHTTP answers GET, HEAD and OPTIONS. Every answer carries CORS headers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	crossOrigin(header)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		header["Access-Control-Allow-Methods"] = allowMethods
		header["Access-Control-Allow-Headers"] = allowHeaders
		header["Access-Control-Max-Age"] = preflightAge
		header["Allow"] = allowMethods
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		header["Allow"] = allowMethods
		refuse(w, r, http.StatusMethodNotAllowed, noStore)
		return
	}
	if r.URL.Path == "/time" {
		h.serveTime(w, r)
		return
	}
	tree, id, rest := split(r)
	switch tree {
	case "vod":
		h.serveVOD(w, r, id, rest)
		return
	case "clips":
		h.serveClip(w, r, id, rest)
		return
	}
	c := (*h.channels.Load())[id]
	if c == nil && h.config.Expected != nil && h.config.Expected(id) {
		starting(w, r)
		return
	}
	switch {
	case tree != "live" && tree != "dvr":
		refuse(w, r, http.StatusNotFound, shortly)
		return
	case c == nil:
		explain(w, r, http.StatusNotFound, shortly, "Not Found: there is no such channel.")
		return
	}
	if !c.admit(w, r) {
		return
	}
	if tree == "dvr" {
		h.serveDVR(w, r, c, rest)
		return
	}
	h.serveLive(w, r, c, rest)
}

// shortly is for answers that belong to no channel.
var shortly = []string{"public, max-age=1"}

// split takes /TREE/CHANNEL/ off a path. A path that says the same in other
// characters is not accepted (T02).
func split(r *http.Request) (tree, channel, rest string) {
	path, absolute := strings.CutPrefix(r.URL.Path, "/")
	if r.URL.RawPath != "" || !absolute {
		return "", "", ""
	}
	tree, path, _ = strings.Cut(path, "/")
	channel, rest, _ = strings.Cut(path, "/")
	return tree, channel, rest
}

func (h *Handler) serveTime(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Content-Type"] = typeText
	header["Cache-Control"] = noStore
	s := newSender(w)
	defer s.done()
	s.expect(0)
	text := cmaf.TimeText(h.config.Clock.Now())
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write([]byte(text)) // the client is gone
}

// serveLive finds what a path below /live/CHANNEL/ names.
func (h *Handler) serveLive(w http.ResponseWriter, r *http.Request, c *channel, rest string) {
	d := c.documents(h.config.TimeURL)
	if d.edge.Layout == nil {
		starting(w, r)
		return
	}
	if c.Starting && !strings.HasSuffix(rest, ".m4s") && !strings.HasSuffix(rest, ".mp4") {
		starting(w, r)
		return
	}
	if c.Off && !strings.HasSuffix(rest, ".m4s") && !strings.HasSuffix(rest, ".mp4") {
		refuse(w, r, http.StatusNotFound, d.ages.plainError)
		return
	}
	if rest == "index.m3u8" || rest == "manifest.mpd" {
		if !d.ready() {
			starting(w, r)
			return
		}
		build := d.multivariant
		if rest == "manifest.mpd" {
			build = d.manifest
		}
		build().serve(w, r, d.ages.plain)
		return
	}
	rendition, name, ok := strings.Cut(rest, "/")
	if !ok {
		refuse(w, r, http.StatusNotFound, d.ages.plainError)
		return
	}
	if why := c.withdrawn(rendition); why != "" && strings.HasSuffix(name, ".m3u8") {
		explain(w, r, http.StatusGone, d.ages.plainError, "This rendition is not encoded at present: "+why+". The others are.")
		return
	}
	request := request{handler: h, channel: c, rendition: rendition, name: name, w: w, r: r}
	switch {
	case name == "index.m3u8":
		request.playlist(d, false)
	case name == "iframes.m3u8":
		request.playlist(d, true)
	case strings.HasSuffix(name, ".m4s"):
		request.media(d)
	default:
		request.init(d)
	}
}

// request is one GET or HEAD for something of a rendition.
type request struct {
	handler         *Handler
	channel         *channel
	rendition, name string
	w               http.ResponseWriter
	r               *http.Request
}

func (q *request) refuse(status int, cache []string) { refuse(q.w, q.r, status, cache) }

// refuse answers an error as a line of text.
func refuse(w http.ResponseWriter, r *http.Request, status int, cache []string) {
	explain(w, r, status, cache, http.StatusText(status))
}

// explain is refuse with a sentence for the person who made the address.
func explain(w http.ResponseWriter, r *http.Request, status int, cache []string, sentence string) {
	header := w.Header()
	header["Content-Type"] = typeText
	header["Cache-Control"] = cache
	s := newSender(w)
	defer s.done()
	s.expect(0)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(sentence + "\n"))
	}
}

// starting answers for what will be there soon, and overdue for what should be (K07).
func starting(w http.ResponseWriter, r *http.Request) {
	w.Header()["Retry-After"] = retryInSecond
	refuse(w, r, http.StatusServiceUnavailable, noStore)
}

func (q *request) overdue() { starting(q.w, q.r) }

func deny(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrForbidden) {
		refuse(w, r, http.StatusForbidden, noStore)
		return
	}
	w.Header()["Www-Authenticate"] = []string{"Bearer"}
	refuse(w, r, http.StatusUnauthorized, noStore)
}
