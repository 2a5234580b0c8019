package cmaf

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"millrace/internal/media"
)

// spanDelay is how far behind the newest segment players of a span begin, in
// segments: as HOLD-BACK says it in HLS.
const spanDelay = 3

// describeSpan says what a client needs to play a span that grows.
func (m *MPD) describeSpan(out *mpd.MPD, start media.Time) {
	segment := m.Windows[0].Rendition.Grid.SegmentDuration()
	m.describeClock(out)
	// Rounded up: nothing is promised before it is there.
	out.AvailabilityStartTime = mpd.DateTime(m.Origin.Add(time.Millisecond - 1).UTC().Format(mpdTimeFormat))
	out.SuggestedPresentationDelay = duration(spanDelay * segment)
	if start.Sub(m.Origin) >= segment { // its beginning has expired, or never was
		out.TimeShiftBufferDepth = duration(max(m.PublishTime.Sub(start), 0))
	}
}

// run is a time in which the renditions and their init sections are the same, and
// something is stored of every segment: a period. Time zero of it is start.
type run struct {
	id      string
	start   media.Time
	windows []Window
}

// runs are one at the edge, and of a span one for each change of renditions or of
// init sections, and one after each gap: players do not ask for what lies between
// two periods. (Shaka Player sets a rung aside for half a minute when it is refused
// a segment of it.)
func (m *MPD) runs() []run {
	if m.atEdge() {
		return []run{{id: "P0", windows: m.Windows}}
	}
	grid := m.Windows[0].Rendition.Grid
	var out []run
	changes := m.changes()
	for i, from := range changes[:len(changes)-1] {
		to := changes[i+1]
		r := run{id: fmt.Sprintf("P%d", from), start: grid.SegmentTime(from)}
		if len(out) == 0 {
			r.id, r.start = "P0", m.Origin
		}
		for _, w := range m.Windows {
			if w = w.between(from, to); len(w.Segments) > 0 {
				r.windows = append(r.windows, w)
			}
		}
		if len(r.windows) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// changes are the segments with which runs begin and end: where windows begin,
// where they are over, and where nothing is stored.
func (m *MPD) changes() []int64 {
	var out []int64
	var stored []extent
	for _, w := range m.Windows {
		pieces := w.pieces()
		stored = append(stored, pieces...)
		out = append(out, pieces[0].from)
		if w.Over {
			out = append(out, pieces[len(pieces)-1].to)
		}
	}
	slices.SortFunc(stored, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	end := stored[0].from
	for _, piece := range stored {
		if piece.from > end {
			out = append(out, end, piece.from)
		}
		end = max(end, piece.to)
	}
	out = append(out, end)
	slices.Sort(out)
	return slices.Compact(out)
}

// extent is segments [from, to).
type extent struct{ from, to int64 }

// pieces are what the window holds without a gap.
func (w Window) pieces() (out []extent) {
	for _, s := range w.Segments {
		if n := len(out); n > 0 && out[n-1].to == s.Number {
			out[n-1].to++
		} else {
			out = append(out, extent{s.Number, s.Number + 1})
		}
	}
	return out
}

// between is what of the window lies in segments [from, to).
func (w Window) between(from, to int64) Window {
	at := func(k int64) int {
		i, _ := slices.BinarySearchFunc(w.Segments, k, func(s Segment, k int64) int { return int(s.Number - k) })
		return i
	}
	w.Segments = w.Segments[at(from):max(at(to), at(from))]
	return w
}

// period describes a run. It reaches to the next, as periods without a duration do:
// dash.js takes the sum of durations for the length of the whole, and would not let
// viewers into as much of the end as gaps take.
func (m *MPD) period(r *run) *mpd.Period {
	out := mpd.NewPeriod()
	out.Id = r.id
	start := mpd.Duration(0)
	if !m.atEdge() {
		start = mpd.Duration(r.start.Sub(m.Origin).Round(time.Microsecond))
	}
	out.Start = &start
	for _, kind := range []media.Kind{media.Video, media.Audio} {
		m.appendSets(out, r, kind)
	}
	return out
}

// lost says which times of a window's timeline stand there for the sake of the
// numbers only: nothing is stored of them (ISO/IEC 23009-1 §5.3.9.7). It is nil
// where there are none.
func (w *Window) lost() *mpd.FailoverContentType {
	list := &mpd.FailoverContentType{Valid: mpd.Ptr(false)}
	playlist := MediaPlaylist{Rendition: w.Rendition, Segments: w.Segments}
	var end int64
	for e := range playlist.entries {
		if e.segment != nil {
			continue
		}
		length := uint64(e.end - e.start)
		if n := len(list.FCS); n > 0 && end == e.start {
			list.FCS[n-1].D += length
		} else {
			list.FCS = append(list.FCS, &mpd.FCS{T: uint64(e.start), D: length})
		}
		end = e.end
	}
	if len(list.FCS) == 0 {
		return nil
	}
	return list
}

var lostLast = regexp.MustCompile(`(?s)(<SegmentTimeline>.*?</SegmentTimeline>)(\s*)(<FailoverContent .*?</FailoverContent>)`)

// lostFirst puts FailoverContent before SegmentTimeline: the schema has the
// elements of a segment base first, the library writes them last.
func lostFirst(text []byte) []byte { return lostLast.ReplaceAll(text, []byte("$3$2$1")) }
