package origin

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"millrace/output/cmaf"
	"millrace/record"
)

// Channel is what the origin serves of one channel.
type Channel struct {
	Store *record.Store
	// Authorize judges each request but OPTIONS; nil lets everyone in. An error
	// is answered with 401, or 403 where it is ErrForbidden.
	Authorize func(*http.Request) error
	// LiveWindow is how much live playlists and manifests list; 0 is a minute.
	LiveWindow time.Duration
	// Ended says that nothing will be added.
	Ended bool
	// Off says that the channel does not run: what is stored of it is served, its
	// live playlists are not.
	Off bool
	// Withdrawn says why a rendition is not encoded at present, only kept going with
	// filler; empty for all others. It is not offered to players, and those who play
	// it are sent away, to the others. nil: none ever is.
	Withdrawn func(rendition string) string
	// Starting says that the channel is about to run: what is stored is served,
	// live playlists are not there yet.
	Starting bool
}

// withdrawn says why a rendition is not offered; empty when it is.
func (c *Channel) withdrawn(rendition string) string {
	if c.Withdrawn == nil {
		return ""
	}
	return c.Withdrawn(rendition)
}

// over says that nothing is being added.
func (c *Channel) over() bool { return c.Ended || c.Off }

const (
	defaultWindow = time.Minute
	leastSegments = 8 // in a live window: six (A12), and what CAN-SKIP-UNTIL spans
)

// channel is a registered Channel.
type channel struct {
	Channel
	id      string
	removed chan struct{} // closed when the channel is no longer served

	mu     sync.Mutex
	newest *documents
}

// admit asks Authorize; where it refuses, it has answered.
func (c *channel) admit(w http.ResponseWriter, r *http.Request) bool {
	if c.Authorize == nil {
		return true
	}
	err := c.Authorize(r)
	if err != nil {
		deny(w, r, err)
	}
	return err == nil
}

// documents are those of the store's present Edge.
func (c *channel) documents(timeURL string) *documents {
	edge := c.Store.Edge()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.newest == nil || c.newest.edge != edge && c.newest.edge.Version < edge.Version {
		c.newest = newDocuments(c, edge, timeURL)
	}
	return c.newest
}

// documents are everything that one Edge says in words. Each is built by the
// first who asks for it; the others wait for that one.
type documents struct {
	edge     *record.Edge
	channel  *channel
	timeURL  string
	holdBack int64 // PART-HOLD-BACK, microseconds
	ages     ages

	multivariant func() *document
	manifest     func() *document
	playlists    map[string]*playlists
}

// playlists are the media playlists of one rendition in one Edge.
type playlists struct {
	rendition *cmaf.Rendition
	listing   *record.Listing
	urgency   []string

	full, delta           func() *document
	iframes, iframesDelta func() *document // nil for audio
	window                func() []*record.Segment
}

// newDocuments prepares what the layout names; without a layout there is nothing.
func newDocuments(c *channel, edge *record.Edge, timeURL string) *documents {
	d := &documents{edge: edge, channel: c, timeURL: timeURL, playlists: map[string]*playlists{}}
	if edge.Layout == nil {
		return d
	}
	d.holdBack = cmaf.PartHoldBack(edge.Layout.Renditions)
	d.ages = agesOf(edge.Layout.Grid.TargetDuration())
	d.multivariant = sync.OnceValue(d.buildMultivariant)
	d.manifest = sync.OnceValue(d.buildManifest)
	for _, r := range edge.Layout.Renditions {
		listing := edge.Listing(r.ID)
		if listing == nil || listing.Last() < listing.First() {
			continue // hls.js takes a playlist without a whole segment for an error
		}
		d.playlists[r.ID] = d.newPlaylists(r, listing)
	}
	return d
}

// ready says that every rendition of the layout has a whole segment listed.
func (d *documents) ready() bool {
	return d.edge.Layout != nil && len(d.playlists) == len(d.edge.Layout.Renditions)
}

// offered are the renditions that players are told of.
func (d *documents) offered() (offered []*cmaf.Rendition) {
	for _, r := range d.edge.Layout.Renditions {
		if d.channel.withdrawn(r.ID) == "" {
			offered = append(offered, r)
		}
	}
	return offered
}

func (d *documents) layoutHas(rendition string) bool {
	return slices.ContainsFunc(d.edge.Layout.Renditions, func(r *cmaf.Rendition) bool { return r.ID == rendition })
}
