package origin

import (
	"net/http"
	"strings"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

// Clip is frames [First, End) of a channel, which lie in segments [From, To).
// Its files begin with the last IDR at or before the first frame, or, where it
// is Exact, with that frame.
type Clip struct {
	Channel    string
	From, To   int64
	First, End int64
	Exact      bool
	Unmade     bool // it is exact, and its beginning is still being encoded
	// Lead is the beginning of an exact clip in a rendition (record.Lead), nil
	// where it begins with an IDR.
	Lead func(rendition string) []byte
}

// clipView is what is there of a clip.
type clipView struct {
	view
	clip Clip
}

// serveClip answers for /clips/CLIP.mp4 and /clips/CLIP/...
func (h *Handler) serveClip(w http.ResponseWriter, r *http.Request, id, rest string) {
	whole := false
	if rest == "" {
		id, whole = strings.CutSuffix(id, ".mp4")
	}
	clip, ok := Clip{}, false
	if h.config.Clip != nil {
		clip, ok = h.config.Clip(id)
	}
	d, ok := h.stored(w, r, clip.Channel, ok)
	if !ok {
		return
	}
	v := clipView{view{documents: d, from: clip.From, origin: clip.From, path: "../../live/" + d.channel.id + "/", kind: cmaf.VOD, ended: true}, clip}
	v.to = min(clip.To, v.last()+1)
	over := d.channel.over() || d.edge.Layout.Grid.SegmentTime(clip.To+2) <= h.config.Clock.Now()
	switch {
	case clip.Unmade, v.to <= v.from || v.to < clip.To && !over:
		starting(w, r) // its end is not stored yet
	case strings.HasPrefix(rest, "thumbnails/"):
		shown := v.view
		shown.from, _ = d.edge.Layout.Grid.Segment(clip.First)
		h.serveThumbnail(w, r, shown, strings.TrimPrefix(rest, "thumbnails/"))
	case clip.Exact:
		v.documents = d.encodedAnew()
		h.serveExact(w, r, exactView{v}, id, rest, whole)
	case whole:
		h.serveMovie(w, r, v.view, v.film(id, r.URL.Query().Get("rendition")))
	default:
		h.serveView(w, r, v, rest)
	}
}

// document is what a name below /clips/CLIP/ says, or nil.
func (v clipView) document(name string) *document {
	if name == "index.m3u8" {
		m := cmaf.Multivariant{Renditions: v.renditions()}
		return newDocument(typePlaylist, m.Marshal())
	}
	id, name, _ := strings.Cut(name, "/")
	r := v.find(id)
	if r == nil || name != "index.m3u8" {
		return nil
	}
	m := v.mediaPlaylist(r)
	if m.Segments = v.cut(r, m.Segments); len(m.Segments) == 0 {
		return nil
	}
	return newDocument(typePlaylist, m.Append(nil))
}

// start is the first part of the clip's first segment: the last one at or before
// the first frame that begins with an IDR. It is the same in every rendition.
func (v clipView) start() int {
	part := 0
	for _, r := range v.renditions() {
		row := v.rows(r)
		if r.Track.Kind != media.Video || len(row) == 0 || row[0].Number != v.clip.From {
			continue
		}
		for i, p := range row[0].Parts() {
			if p.Independent && p.Start <= v.clip.First*r.UnitTicks() {
				part = i
			}
		}
		break
	}
	return part
}

// stop is how many parts of the clip's last segment it has.
func (v clipView) stop() int {
	grid := v.edge.Layout.Grid
	_, part := grid.Segment(v.clip.End - 1)
	return part + 1
}

// cut leaves out what of the first and of the last segment lies outside.
func (v clipView) cut(r *cmaf.Rendition, row []cmaf.Segment) []cmaf.Segment {
	if n := len(row); n > 0 && row[n-1].Number == v.clip.To-1 {
		row[n-1] = trimmed(row[n-1], 0, v.stop())
	}
	if len(row) > 0 && row[0].Number == v.clip.From {
		row[0] = trimmed(row[0], v.start(), len(row[0].Parts))
	}
	return row
}

// trimmed is a segment with parts [from, to) only.
func trimmed(g cmaf.Segment, from, to int) cmaf.Segment {
	from, to = min(from, len(g.Parts)), min(to, len(g.Parts))
	if from >= to {
		return g
	}
	for _, p := range g.Parts[:from] {
		g.Offset += int64(p.Bytes)
	}
	g.Cut = g.Cut || from > 0 || to < len(g.Parts)
	g.Parts = g.Parts[from:to]
	return g
}

// film is the clip as one file: pictures from the IDR on to the last frame, and
// the sound of the same time within one access unit.
func (v clipView) film(name, rendition string) film {
	f := film{name: name}
	picture, sound := v.choose(rendition)
	grid := v.edge.Layout.Grid
	begin := grid.PartStart(v.clip.From, v.start())
	for _, r := range []*cmaf.Rendition{picture, sound} {
		if r == nil {
			continue
		}
		f.plan.Tracks = append(f.plan.Tracks, record.MovieTrack{
			Rendition: r, Segments: v.rows(r),
			From: r.UnitAfter(grid.Rate.At(begin)), To: r.UnitAfter(grid.Rate.At(v.clip.End)),
		})
	}
	return f
}
