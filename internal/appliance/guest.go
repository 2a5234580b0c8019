package appliance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"millrace/api"
	"millrace/ingest"
)

// guestState is what a guest's page is told of itself.
type guestState struct {
	Source   string          `json:"source"`
	Name     string          `json:"name,omitempty"`
	State    api.SourceState `json:"state"`
	Channels []guestChannel  `json:"channels"`
}

// guestChannel is a channel that has the guest.
type guestChannel struct {
	ID      string                      `json:"id"`
	Name    string                      `json:"name,omitempty"`
	Tally   api.ChannelSourceStateTally `json:"tally"`
	Running bool                        `json:"running"`
}

const (
	guestLook    = 100 * time.Millisecond // between looks at the tally
	guestQuiet   = 5 * time.Second        // after which something is said even so
	guestWriting = 10 * time.Second       // for a page that does not read
	mostGuests   = 256                    // pages that are told at a time
)

// guests tells guests' pages what becomes of them.
type guests struct {
	node  *Node
	pages http.Handler
	told  atomic.Int32
}

// ServeHTTP answers /g/SOURCE, the page, and /g/SOURCE/state, what it is told.
func (g *guests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/g/"), "/state")
	if !ok {
		g.pages.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if status, err := g.judge(source, key); err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	defer g.told.Add(-1)
	if g.told.Add(1) > mostGuests {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many guests' pages are open", http.StatusServiceUnavailable)
		return
	}
	g.tell(w, r, source, key)
}

// judge says whether a key is the source's, and with which status that is told.
func (g *guests) judge(source, key string) (status int, err error) {
	switch err = g.node.sources.authorize(source, key); {
	case errors.Is(err, ingest.ErrUnknownSource):
		return http.StatusNotFound, err
	case errors.Is(err, ingest.ErrForbidden):
		return http.StatusForbidden, err
	case err != nil:
		return http.StatusUnauthorized, err
	}
	return http.StatusOK, nil
}

// tell sends the state whenever it changes, as server-sent events, until the
// page goes or its key is no longer good.
func (g *guests) tell(w http.ResponseWriter, r *http.Request, source, key string) {
	w.Header().Set("Content-Type", "text/event-stream")
	look := time.NewTicker(guestLook)
	defer look.Stop()
	var last string
	var said time.Time
	for {
		if _, err := g.judge(source, key); err != nil {
			return
		}
		state, err := json.Marshal(g.node.guestState(source))
		if err != nil {
			return
		}
		text := ""
		if string(state) != last {
			last, text = string(state), fmt.Sprintf("event: state\ndata: %s\n\n", state)
		} else if time.Since(said) > guestQuiet {
			text = ": still here\n\n"
		}
		if text != "" {
			said = time.Now()
			if g.write(w, text) != nil {
				return // the page is gone
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-look.C:
		}
	}
}

func (g *guests) write(w http.ResponseWriter, text string) error {
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(guestWriting)); err != nil {
		return err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return control.Flush()
}

// guestState is a push source at this instant, as its guest may know it.
func (n *Node) guestState(source string) guestState {
	state := guestState{Source: source, State: api.SourceStateIdle, Channels: n.channels.withGuest(source)}
	if document, ok := n.sources.document(source); ok {
		state.Name = document.Name
	}
	if feed := n.sources.feed(source); feed != nil {
		state.State = api.SourceState(feed.State().State)
	}
	return state
}

// withGuest lists the channels that have a source, in the order of their ids.
func (c *channels) withGuest(source string) []guestChannel {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := []guestChannel{}
	for id, p := range c.byID {
		document := p.stored.Value
		if !slices.Contains(document.Sources, source) {
			continue
		}
		list = append(list, guestChannel{
			ID: id, Name: document.Name, Running: p.run != nil,
			Tally: api.ChannelSourceStateTally(tally(document, p.onAir.Value, p.movement.progress(), source)),
		})
	}
	slices.SortFunc(list, func(a, b guestChannel) int { return strings.Compare(a.ID, b.ID) })
	return list
}
