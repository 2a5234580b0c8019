package origin

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

// span is what a /dvr/ URL asks for of a channel.
type span struct {
	start, end media.Time
	open       bool // END is "now": it goes on with the channel
	rewind     time.Duration
}

// maxRewind bounds rewind-SECONDS; no store goes back so far.
const maxRewind = 366 * 24 * time.Hour

// parseSpan reads START-END, START-now and rewind-SECONDS; times are Unix
// seconds with an optional fraction.
func parseSpan(s string) (span, bool) {
	if text, ok := strings.CutPrefix(s, "rewind-"); ok {
		d, ok := parseSeconds(text)
		return span{rewind: time.Duration(d)}, ok && d > 0 && time.Duration(d) <= maxRewind
	}
	from, to, ok := strings.Cut(s, "-")
	start, startOK := parseSeconds(from)
	if !ok || !startOK {
		return span{}, false
	}
	if to == "now" {
		return span{start: start, open: true}, true
	}
	end, ok := parseSeconds(to)
	return span{start: start, end: end}, ok && end > start
}

// parseSeconds reads digits with at most nine more behind a point, exactly.
func parseSeconds(s string) (media.Time, bool) {
	whole, fraction, pointed := strings.Cut(s, ".")
	seconds, err := parseNumber(whole)
	if err != nil || seconds > math.MaxInt64/int64(2*time.Second) || pointed && (fraction == "" || len(fraction) > 9) {
		return 0, false
	}
	var nanos int64
	if pointed {
		if nanos, err = strconv.ParseInt(fraction+strings.Repeat("0", 9-len(fraction)), 10, 64); err != nil || fraction[0] == '-' || fraction[0] == '+' {
			return 0, false
		}
	}
	return media.Time(seconds*int64(time.Second) + nanos), true
}

// numbers are the segments [from, to) of the grid that a span covers as the
// channel stands; ended says that nothing will be added.
func (s span) numbers(d *documents, newest int64) (from, to int64, ended bool) {
	grid := d.edge.Layout.Grid
	switch {
	case s.rewind > 0:
		to = newest - int64((s.rewind+grid.SegmentDuration()-1)/grid.SegmentDuration()) + 1
		return to - d.windowSegments(), to, false
	case s.open:
		return grid.SegmentAt(s.start), newest + 1, d.channel.Ended
	}
	to = grid.SegmentAt(s.end-1) + 1
	return grid.SegmentAt(s.start), min(to, newest+1), to <= newest+1 || d.channel.Ended
}

// serveDVR answers for /dvr/CHANNEL/SPAN/...: the same segments as live, listed
// for another time. Documents are built for each request, a few at a time.
func (h *Handler) serveDVR(w http.ResponseWriter, r *http.Request, c *channel, rest string) {
	text, name, _ := strings.Cut(rest, "/")
	d := c.documents(h.config.TimeURL)
	s, ok := parseSpan(text)
	switch {
	case !d.ready():
		starting(w, r)
		return
	case !ok:
		refuse(w, r, http.StatusNotFound, d.ages.plainError)
		return
	}
	select {
	case h.builders <- struct{}{}:
		defer func() { <-h.builders }()
	case <-r.Context().Done():
		starting(w, r)
		return
	}
	v := view{documents: d, span: s}
	if status := v.available(); status != http.StatusOK {
		refuse(w, r, status, d.ages.plainError)
		return
	}
	document := v.document(name, c.id)
	if document == nil {
		refuse(w, r, http.StatusNotFound, d.ages.plainError)
		return
	}
	document.serve(w, r, d.ages.plain)
}

// view is a span of one Edge.
type view struct {
	*documents
	span span
}

// rows are the whole segments of a rendition in the view.
func (v view) rows(p *playlists) (rows []*record.Segment, ended bool) {
	from, to, ended := v.span.numbers(v.documents, v.last())
	return p.listing.Range(from, to), ended
}

// last is the newest segment that is whole in every rendition.
func (v view) last() int64 {
	last := int64(math.MaxInt64)
	for _, p := range v.playlists {
		last = min(last, p.listing.Last())
	}
	return last
}

// available is 200, 404 for what is not there yet or never was, or 410.
func (v view) available() int {
	from, to, _ := v.span.numbers(v.documents, v.last())
	status := http.StatusNotFound
	for _, p := range v.playlists {
		switch {
		case len(p.listing.Range(from, to)) > 0:
			return http.StatusOK
		case to <= p.listing.First() && to > v.edge.Born:
			status = http.StatusGone
		}
	}
	return status
}

// document is what a name below /dvr/CHANNEL/SPAN/ says, or nil.
func (v view) document(name, channel string) *document {
	switch name {
	case "index.m3u8":
		m := cmaf.Multivariant{Renditions: v.edge.Layout.Renditions, IFrames: true}
		return newDocument(typePlaylist, m.Marshal())
	case "manifest.mpd":
		return v.manifest("../../../live/" + channel + "/")
	}
	rendition, name, _ := strings.Cut(name, "/")
	p := v.playlists[rendition]
	if p == nil {
		return nil
	}
	m := v.mediaPlaylist(p, "../../../../live/"+channel+"/"+rendition+"/")
	switch {
	case len(m.Segments) == 0:
		return nil
	case name == "index.m3u8":
		return newDocument(typePlaylist, m.Append(nil))
	case name == "iframes.m3u8" && p.iframes != nil:
		frames := cmaf.IFramePlaylist{MediaPlaylist: m}
		return newDocument(typePlaylist, frames.Append(nil))
	}
	return nil
}

func (v view) mediaPlaylist(p *playlists, base string) cmaf.MediaPlaylist {
	rows, ended := v.rows(p)
	m := cmaf.MediaPlaylist{
		Rendition: p.rendition, Segments: segments(rows, p.rendition), Ended: ended, PartHoldBack: v.holdBack, Base: base,
	}
	if len(rows) > 0 {
		m.DiscontinuitySequence = rows[0].Changes
	}
	switch {
	case ended:
		m.Type = cmaf.VOD
	case v.span.rewind == 0:
		m.Type = cmaf.Event
	}
	return m
}

func (v view) manifest(base string) *document {
	m := cmaf.MPD{TimeURL: v.timeURL, Base: base}
	for _, r := range v.edge.Layout.Renditions {
		p := v.playlists[r.ID]
		rows, ended := v.rows(p)
		if len(rows) == 0 {
			continue
		}
		m.Windows = append(m.Windows, cmaf.Window{Rendition: r, Segments: segments(rows, r)})
		m.Static = ended
		m.PublishTime = max(m.PublishTime, end(r, rows))
		m.Depth = max(m.Depth, m.PublishTime.Sub(r.Grid.SegmentTime(rows[0].Number)))
	}
	if v.span.rewind > 0 {
		m.Latency = v.span.rewind
	}
	text, err := m.Marshal()
	if err != nil { // no segments
		return nil
	}
	return newDocument(typeManifest, text)
}
