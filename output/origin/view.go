package origin

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"millrace/output/cmaf"
	"millrace/record"
)

// view is a row of segments of one Edge, with documents of its own.
type view struct {
	*documents
	from, to int64 // segments [from, to), all of them whole
	ended    bool  // nothing will be added
	kind     cmaf.PlaylistType
	latency  time.Duration // behind live where the view follows it; 0 for a span
	origin   int64         // segment with which a span's time begins while it grows
	path     string        // from beside the multivariant playlist to the channel's media
	drawn    bool          // it has thumbnails, counted from its first segment
}

// pages is a view of any kind.
type pages interface {
	available() int
	stored() string
	document(name string) *document
	ageing() ages
}

func (v view) ageing() ages { return v.ages }

// serveView answers for a document of a view. They are built for each request, a
// few at a time.
func (h *Handler) serveView(w http.ResponseWriter, r *http.Request, v pages, name string) {
	if !h.building(w, r) {
		return
	}
	defer h.built()
	if status := v.available(); status != http.StatusOK {
		explain(w, r, status, v.ageing().plainError, http.StatusText(status)+": "+v.stored())
		return
	}
	document := v.document(name)
	if document == nil {
		refuse(w, r, http.StatusNotFound, v.ageing().plainError)
		return
	}
	document.serve(w, r, v.ageing().plain)
}

// building waits for a place among those who build; else it has answered.
func (h *Handler) building(w http.ResponseWriter, r *http.Request) bool {
	select {
	case h.builders <- struct{}{}:
		return true
	case <-r.Context().Done():
		starting(w, r)
		return false
	}
}

func (h *Handler) built() { <-h.builders }

// rows are the segments of a rendition in the view.
func (v view) rows(r *cmaf.Rendition) []*record.Segment {
	if l := v.edge.Listing(r.ID); l != nil {
		return l.Range(v.from, v.to)
	}
	return nil
}

// last is the newest segment that is whole in every rendition.
func (v view) last() int64 {
	last := int64(math.MaxInt64)
	for _, r := range v.edge.Layout.Renditions {
		l := v.edge.Listing(r.ID)
		if l == nil {
			return -1
		}
		newest, _ := l.Newest()
		if l.Open() != nil {
			newest--
		}
		last = min(last, newest)
	}
	return last
}

// available is 200, 404 for what is not there yet or never was, or 410.
func (v view) available() int {
	status := http.StatusNotFound
	for _, l := range v.edge.Listings() {
		switch {
		case len(l.Range(v.from, v.to)) > 0:
			return http.StatusOK
		case v.to <= l.First() && v.to > v.edge.Born:
			status = http.StatusGone
		}
	}
	return status
}

// stored says of when there is something.
func (v view) stored() string {
	grid := v.edge.Layout.Grid
	first, last := int64(math.MaxInt64), v.last()
	for _, l := range v.edge.Listings() {
		if !l.Empty() {
			first = min(first, l.First())
		}
	}
	if first > last {
		return "nothing is stored yet."
	}
	at := func(k int64) string { return grid.SegmentTime(k).UTC().Format("2006-01-02T15:04:05.000Z") }
	return fmt.Sprintf("nothing of that time is stored; from %s to %s there is.", at(first), at(last+1))
}

// document is what a name beside the multivariant playlist says, or nil.
func (v view) document(name string) *document {
	switch name {
	case "index.m3u8":
		m := cmaf.Multivariant{Renditions: v.renditions(), IFrames: true}
		text := m.Marshal()
		if v.drawn {
			text = v.nameThumbnails(text)
		}
		return newDocument(typePlaylist, text)
	case "thumbnails.vtt", "thumbnails.m3u8":
		if !v.drawn {
			return nil
		}
		return v.thumbnailTrack(name)
	case "manifest.mpd":
		return v.manifest()
	}
	id, name, _ := strings.Cut(name, "/")
	if r := v.find(id); r != nil {
		return v.rendition(r, name)
	}
	return nil
}

// rendition is a document of one rendition.
func (v view) rendition(r *cmaf.Rendition, name string) *document {
	m := v.mediaPlaylist(r)
	switch {
	case len(m.Segments) == 0:
		return nil
	case name == "index.m3u8":
		return newDocument(typePlaylist, m.Append(nil))
	case name == "iframes.m3u8" && r.Width > 0:
		frames := cmaf.IFramePlaylist{MediaPlaylist: m}
		return newDocument(typePlaylist, frames.Append(nil))
	}
	return nil
}

func (v view) mediaPlaylist(r *cmaf.Rendition) cmaf.MediaPlaylist {
	rows := v.rows(r)
	m := cmaf.MediaPlaylist{
		Rendition: r, Segments: v.whole(segments(rows, r)), Ended: v.ended, Type: v.kind, PartHoldBack: v.holdBack,
		Base: "../" + v.path + r.ID + "/",
	}
	if len(rows) > 0 {
		m.DiscontinuitySequence = rows[0].Changes
	}
	return m
}

func (v view) manifest() *document {
	m := cmaf.MPD{TimeURL: v.timeURL, Base: v.path, Static: v.ended, Latency: v.latency}
	if v.drawn {
		m.Thumbnails = v.thumbnailSet()
	}
	for _, r := range v.renditions() {
		rows := v.rows(r)
		if v.latency > 0 {
			m.Windows = append(m.Windows, cmaf.Window{Rendition: r, Segments: segments(rows, r)})
		} else {
			m.Windows = append(m.Windows, v.runs(r.ID, rows)...)
		}
		m.PublishTime = max(m.PublishTime, end(r, rows))
		m.Depth = max(m.Depth, m.PublishTime.Sub(r.Grid.SegmentTime(rows[0].Number)))
	}
	if v.latency == 0 {
		m.Origin = v.begins()
	}
	text, err := m.Marshal()
	if err != nil { // no segments
		return nil
	}
	return newDocument(typeManifest, text)
}
