package origin

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

// exactView is a clip that has its own first and last chunk, made of pictures
// encoded anew and of parts of what is stored.
type exactView struct{ clipView }

// The names of those chunks, beside a rendition's playlist.
const (
	firstPiece = "first.m4s"
	lastPiece  = "last.m4s"
)

// serveExact answers for an exact clip.
func (h *Handler) serveExact(w http.ResponseWriter, r *http.Request, v exactView, id, rest string, whole bool) {
	rendition, name, _ := strings.Cut(rest, "/")
	switch {
	case whole:
		h.serveMovie(w, r, v.view, v.film(id, r.URL.Query().Get("rendition")))
	case name == firstPiece || name == lastPiece:
		h.servePiece(w, r, v, id, rendition, name)
	default:
		h.serveView(w, r, v, rest)
	}
}

// encodedAnew are the documents without what only cards encode: the first pictures of
// an exact clip are made by x264.
func (d *documents) encodedAnew() *documents {
	edge, layout, out := *d.edge, *d.edge.Layout, *d
	layout.Renditions = slices.DeleteFunc(slices.Clone(layout.Renditions), func(r *cmaf.Rendition) bool {
		return r.Track.Kind == media.Video && r.Track.Codec != media.H264
	})
	edge.Layout, out.edge = &layout, &edge
	return &out
}

// servePiece answers with the first or the last chunk of a rendition.
func (h *Handler) servePiece(w http.ResponseWriter, r *http.Request, v exactView, id, rendition, name string) {
	if !h.building(w, r) {
		return
	}
	defer h.built()
	var data []byte
	if r := v.find(rendition); r != nil {
		p := v.pieces(r)
		own := p.first
		if name == lastPiece {
			own = p.last
		}
		if own.Chunk != nil {
			data = own.Data
		}
	}
	if data == nil {
		refuse(w, r, http.StatusNotFound, v.ages.plainError)
		return
	}
	header := w.Header()
	header["Content-Type"] = typeSegment
	header["Cache-Control"] = immutable
	header["Etag"] = []string{strconv.Quote(id + "-" + rendition + "-" + name)}
	s := newSender(w)
	defer s.done()
	s.expect(len(data))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// document is what a name below /clips/CLIP/ says, or nil.
func (v exactView) document(name string) *document {
	if name == "index.m3u8" {
		return v.clipView.document(name)
	}
	id, name, _ := strings.Cut(name, "/")
	r := v.find(id)
	if r == nil || name != "index.m3u8" {
		return nil
	}
	m := v.mediaPlaylist(r)
	if m.Segments = v.pieces(r).segments(r); len(m.Segments) == 0 {
		return nil
	}
	return newDocument(typePlaylist, m.Append(nil))
}

// units are those of a rendition that the clip shows: all frames, and the sound
// of their time within one access unit.
func (v exactView) units(r *cmaf.Rendition) (from, to int64) {
	if r.Track.Kind == media.Video {
		return v.clip.First, v.clip.End
	}
	rate := v.edge.Layout.Grid.Rate
	return r.UnitAfter(rate.At(v.clip.First)+1) - 1, r.UnitAfter(rate.At(v.clip.End))
}

// lead is the beginning of a picture rendition that was encoded anew, and the
// unit with which what is stored goes on.
func (v exactView) lead(r *cmaf.Rendition) (chunk []byte, next int64) {
	if r.Track.Kind == media.Video && v.clip.Lead != nil {
		chunk = v.clip.Lead(r.ID)
	}
	s, err := cmaf.ReadSamples(chunk)
	if err != nil {
		from, _ := v.units(r)
		return nil, from
	}
	return chunk, s.Start/r.UnitTicks() + int64(len(s.Sizes))
}

// pieces are what a rendition of the clip is listed as: whole stored parts, and
// before and behind them a chunk of its own where one is needed.
type pieces struct {
	first, last piece
	stored      []*record.Segment
	rows        []cmaf.Segment // of stored, with the parts that the clip has
	picture     bool
	begun       bool // of pictures: what comes can be decoded
}

// piece is a chunk of the clip's own; the zero value is none.
type piece struct {
	*cmaf.Chunk
	of *record.Segment // whose init section it needs
}

func (v exactView) pieces(r *cmaf.Rendition) *pieces {
	p := &pieces{picture: r.Track.Kind == media.Video}
	_, to := v.units(r)
	chunk, from := v.lead(r)
	for _, g := range v.rows(r) {
		if chunk != nil && p.first.Chunk == nil && g.Number == r.Grid.SegmentAt(r.Grid.Rate.At(v.clip.First)) {
			start := v.clip.First * r.UnitTicks()
			p.first = piece{&cmaf.Chunk{
				Segment: g.Number, Start: start, Duration: from*r.UnitTicks() - start, Independent: true, Data: chunk,
			}, g}
			p.begun = true
		}
		p.take(g, from, to)
	}
	return p
}

// take lists what a segment holds of units [from, to).
func (p *pieces) take(g *record.Segment, from, to int64) {
	unit := g.Rendition.UnitTicks()
	begin, end := -1, 0 // whole parts
	for i, part := range g.Parts() {
		a, b := part.Start/unit, (part.Start+part.Duration)/unit
		if from >= to || b <= from || a >= to || p.picture && !p.begun && !(part.Independent && a >= from) {
			continue
		}
		p.begun = true
		if a >= from && b <= to {
			if begin < 0 {
				begin = i
			}
			end = i + 1
			continue
		}
		chunk, err := g.Excerpt(i, from, to)
		switch {
		case err != nil: // what is damaged is left out, as everywhere
		case a < from:
			p.first = piece{chunk, g}
		default:
			p.last = piece{chunk, g}
		}
	}
	if begin >= 0 {
		p.stored = append(p.stored, g)
		p.rows = append(p.rows, trimmed(g.Describe(), begin, end))
	}
}

// segments are the pieces as a playlist takes them.
func (p *pieces) segments(r *cmaf.Rendition) []cmaf.Segment {
	var out []cmaf.Segment
	own := func(c piece, name string) {
		if c.Chunk == nil {
			return
		}
		part := cmaf.Part{Start: c.Start, Duration: c.Duration, Independent: c.Independent, Bytes: len(c.Data)}
		out = append(out, cmaf.Segment{
			Number: c.Segment, Parts: []cmaf.Part{part}, Complete: true, URI: name, InitName: initOf(c.of, r),
		})
	}
	own(p.first, firstPiece)
	for i, row := range p.rows {
		row.InitName = initOf(p.stored[i], r)
		out = append(out, row)
	}
	own(p.last, lastPiece)
	return out
}

// initOf names the init section of a segment where it is not the present one.
func initOf(g *record.Segment, present *cmaf.Rendition) string {
	if g.Rendition.InitName == present.InitName {
		return ""
	}
	return g.Rendition.InitName
}

// film is the clip as one file: its frames, and its sound from one access unit
// earlier on, which decoders need and nobody hears.
func (v exactView) film(name, rendition string) film {
	rate := v.edge.Layout.Grid.Rate
	f := film{name: name, plan: record.MoviePlan{Begin: rate.At(v.clip.First), End: rate.At(v.clip.End)}}
	picture, sound := v.choose(rendition)
	for _, r := range []*cmaf.Rendition{picture, sound} {
		if r == nil {
			continue
		}
		from, to := v.units(r)
		track := record.MovieTrack{Rendition: r, Segments: v.rows(r), From: from, To: to}
		if r.Track.Kind == media.Audio {
			track.From--
		} else {
			track.Lead, track.From = v.lead(r)
		}
		f.plan.Tracks = append(f.plan.Tracks, track)
	}
	return f
}
