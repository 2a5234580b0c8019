package origin

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"millrace/internal/media"
	"millrace/output/cmaf"
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

// spanForm is what to ask for instead of something that is no span.
const spanForm = "Not Found: a span is START-END, START-now or rewind-SECONDS, with END after START, in Unix seconds."

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

// view is what a span covers of a channel as it stands.
func (s span) view(d *documents) view {
	grid := d.edge.Layout.Grid
	v := view{documents: d, path: "../../../live/" + d.channel.id + "/"}
	last := v.last()
	switch {
	case s.rewind > 0:
		v.to = last - int64((s.rewind+grid.SegmentDuration()-1)/grid.SegmentDuration()) + 1
		v.from, v.latency = v.to-d.windowSegments(), s.rewind
	case s.open:
		v.origin = grid.SegmentAt(s.start)
		v.from, v.to, v.ended, v.kind = v.origin, last+1, d.channel.over(), cmaf.Event
	default:
		to := grid.SegmentAt(s.end-1) + 1
		v.origin = grid.SegmentAt(s.start)
		v.from, v.to, v.kind = v.origin, min(to, last+1), cmaf.Event
		v.ended = to <= last+1 || d.channel.over()
	}
	if v.ended {
		v.kind = cmaf.VOD
	}
	return v
}

// serveDVR answers for /dvr/CHANNEL/SPAN/...: the same segments as live, listed
// for another time.
func (h *Handler) serveDVR(w http.ResponseWriter, r *http.Request, c *channel, rest string) {
	text, name, _ := strings.Cut(rest, "/")
	d := c.documents(h.config.TimeURL)
	s, ok := parseSpan(text)
	switch {
	case d.edge.Layout == nil:
		starting(w, r)
	case !ok:
		explain(w, r, http.StatusNotFound, d.ages.plainError, spanForm)
	case !d.ready():
		starting(w, r)
	default:
		v := s.view(d)
		if h.config.Draw != nil {
			v = v.illustrated()
		}
		if image, ok := strings.CutPrefix(name, "thumbnails/"); ok && v.drawn {
			h.serveThumbnail(w, r, v, image)
			return
		}
		h.serveView(w, r, v, name)
	}
}
