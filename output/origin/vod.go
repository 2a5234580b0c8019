package origin

import (
	"net/http"
	"os"
	"strings"

	"millrace/output/cmaf"
	"millrace/record"
)

// Recording is a run of a channel's segments with a name of its own. It is
// playable while it is made.
type Recording struct {
	Channel string
	From    int64 // first segment
	To      int64 // the one after the last; record.Forever while it is made
	// Open opens a file of a single source by its name; nil where there are none.
	Open func(name string) (*os.File, error)
	// Package is what lies in the recording's package beside its program, a manifest
	// first; nil while it is made.
	Package func() ([]Enclosed, error)
}

// view is what is there of the recording.
func (rec Recording) view(d *documents) view {
	v := view{documents: d, from: rec.From, origin: rec.From, path: "../../live/" + d.channel.id + "/", kind: cmaf.Event}
	last := v.last()
	v.to = min(rec.To, last+1)
	if v.ended = rec.To <= last+1 || d.channel.over() && rec.To < record.Forever; v.ended {
		v.kind = cmaf.VOD
	}
	return v
}

// serveVOD answers for /vod/RECORDING/...
func (h *Handler) serveVOD(w http.ResponseWriter, r *http.Request, id, rest string) {
	rec, ok := Recording{}, false
	if h.config.Recording != nil {
		rec, ok = h.config.Recording(id)
	}
	d, ok := h.stored(w, r, rec.Channel, ok)
	if !ok {
		return
	}
	v := rec.view(d)
	if h.config.Draw != nil {
		v = v.illustrated()
	}
	name, single := strings.CutPrefix(rest, "iso/")
	image, thumbnail := strings.CutPrefix(rest, "thumbnails/")
	switch {
	case single:
		h.serveFile(w, r, rec, name)
	case v.from >= v.to:
		starting(w, r) // its first segment is not whole yet
	case thumbnail:
		h.serveThumbnail(w, r, v, image)
	case rest == "download.mp4":
		h.serveMovie(w, r, v, v.film(id, r.URL.Query().Get("rendition")))
	case rest == "package.tar":
		h.servePackage(w, r, v, id, rec)
	default:
		h.serveView(w, r, v, rest)
	}
}

// stored finds the channel of something that is stored; else it has answered.
func (h *Handler) stored(w http.ResponseWriter, r *http.Request, id string, known bool) (*documents, bool) {
	c := (*h.channels.Load())[id]
	if !known || c == nil {
		refuse(w, r, http.StatusNotFound, shortly)
		return nil, false
	}
	if !c.admit(w, r) {
		return nil, false
	}
	d := c.documents(h.config.TimeURL)
	if d.edge.Layout == nil {
		starting(w, r)
		return nil, false
	}
	return d, true
}
