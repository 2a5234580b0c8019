package origin

import (
	"slices"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

// renditions are those of which the view holds something: the channel's present
// ones, and after them those that it had then. Each is as it was at the end of the
// view.
func (v view) renditions() []*cmaf.Rendition {
	var out []*cmaf.Rendition
	for _, l := range v.edge.Listings() {
		for _, g := range slices.Backward(l.Range(v.from, v.to)) {
			if !g.Gap() && g.Rendition != nil {
				out = append(out, g.Rendition)
				break
			}
		}
	}
	return out
}

// find is the rendition of an id, or nil.
func (v view) find(id string) *cmaf.Rendition {
	for _, r := range v.renditions() {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// present says that the channel has the rendition now, with this init section.
func (v view) present(r *cmaf.Rendition) bool {
	return slices.ContainsFunc(v.edge.Layout.Renditions, func(p *cmaf.Rendition) bool {
		return p.ID == r.ID && p.InitName == r.InitName
	})
}

// reach is from the first to the last segment that is listed of any rendition.
func (v view) reach() (first, last int64) {
	first, last = -1, -1
	for _, l := range v.edge.Listings() {
		if rows := l.Range(v.from, v.to); len(rows) > 0 {
			if n := rows[0].Number; first < 0 || n < first {
				first = n
			}
			last = max(last, rows[len(rows)-1].Number)
		}
	}
	return first, last
}

// begins is time zero of a span for those who count from its beginning.
func (v view) begins() media.Time {
	first := v.origin
	if v.ended {
		first, _ = v.reach()
		first = max(first, v.origin)
	}
	return v.edge.Layout.Grid.SegmentTime(first)
}

// whole is the row of a rendition with gaps for what other renditions have and it
// has not, so that all playlists of a span begin and end together. What follows
// live has no such gaps.
func (v view) whole(row []cmaf.Segment) []cmaf.Segment {
	if v.latency > 0 || len(row) == 0 {
		return row
	}
	gap := func(k int64, like *cmaf.Segment) cmaf.Segment {
		return cmaf.Segment{Number: k, Complete: true, InitName: like.InitName}
	}
	first, last := v.reach()
	if n := len(row); row[n-1].Number < last {
		row = append(row, gap(last, &row[n-1]))
	}
	if row[0].Number > first {
		row = slices.Insert(row, 0, gap(first, &row[0]))
	}
	return row
}

// runs are the segments of a rendition as manifests take them: those of each init
// section by themselves.
func (v view) runs(id string, rows []*record.Segment) (out []cmaf.Window) {
	for _, g := range rows {
		if g.Gap() || g.Rendition == nil {
			continue
		}
		if n := len(out); n == 0 || out[n-1].Rendition.InitName != g.Rendition.InitName {
			if n > 0 {
				out[n-1].Over = true
			}
			out = append(out, cmaf.Window{Rendition: g.Rendition})
		}
		w := &out[len(out)-1]
		w.Segments = append(w.Segments, g.Describe())
	}
	if n := len(out); n > 0 {
		out[n-1].Over = !v.present(out[n-1].Rendition)
	}
	return out
}
