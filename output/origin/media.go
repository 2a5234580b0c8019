package origin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"millrace/internal/media"
	"millrace/record"
)

// mediaName is what K.m4s and K.P.m4s name; part is below 0 for a segment.
type mediaName struct{ segment, part int64 }

// parseMediaName accepts a number in one way only: a name has one spelling.
func parseMediaName(name string) (mediaName, bool) {
	stem, ok := strings.CutSuffix(name, ".m4s")
	if !ok {
		return mediaName{}, false
	}
	segmentText, partText, hasPart := strings.Cut(stem, ".")
	out := mediaName{part: -1}
	if out.segment, ok = parseCanonical(segmentText); !ok {
		return mediaName{}, false
	}
	if hasPart {
		if out.part, ok = parseCanonical(partText); !ok {
			return mediaName{}, false
		}
	}
	return out, true
}

func parseCanonical(s string) (int64, bool) {
	n, err := parseNumber(s)
	return n, err == nil && (s[0] != '0' || s == "0")
}

// init answers for an init section that anything stored needs.
func (q *request) init(d *documents) {
	body, ok := d.edge.Init(q.rendition, q.name)
	if !ok {
		q.refuse(http.StatusNotFound, d.ages.plainError)
		return
	}
	h := q.w.Header()
	h["Content-Type"] = typeVideoInit
	if l := d.playlists[q.rendition]; l != nil && l.rendition.Track.Kind == media.Audio {
		h["Content-Type"] = typeAudioInit
	}
	h["Cache-Control"] = immutable
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["Etag"] = []string{`"` + q.name + `"`}
	q.prioritise(d)
	if matches(q.r.Header["If-None-Match"], h["Etag"][0]) {
		notModified(q.w)
		return
	}
	if q.r.Method == http.MethodHead {
		return
	}
	s := newSender(q.w)
	defer s.done()
	s.expect(len(body))
	_, _ = q.w.Write(body) // the client is gone
}

func notModified(w http.ResponseWriter) {
	h := w.Header()
	delete(h, "Content-Length")
	delete(h, "Content-Type")
	w.WriteHeader(http.StatusNotModified)
}

func (q *request) prioritise(d *documents) {
	q.w.Header()["Priority"] = urgencies[2]
	if p := d.playlists[q.rendition]; p != nil {
		q.w.Header()["Priority"] = p.urgency
	}
}

// media answers for a segment or a part.
func (q *request) media(d *documents) {
	name, ok := parseMediaName(q.name)
	if !ok {
		q.refuse(http.StatusNotFound, d.ages.plainError)
		return
	}
	blocked := false
	g, err := d.edge.Find(q.rendition, name.segment)
	if q.early(d, name, g, err) {
		blocked = true
		if d = q.await(d, name.there); d == nil {
			return
		}
		g, err = d.edge.Find(q.rendition, name.segment)
	}
	switch {
	case errors.Is(err, record.ErrExpired):
		q.refuse(http.StatusGone, d.ages.plainError)
	case err != nil || name.part >= int64(g.Len()):
		// Never there, lost, or a hint that the next listing dropped (H48).
		q.refuse(http.StatusNotFound, d.ages.plainError)
	case name.part >= 0:
		q.stored(d, g, int(name.part), int(name.part)+1, blocked)
	case g.Complete:
		q.stored(d, g, 0, g.Len(), blocked)
	default:
		q.follow(d, g)
	}
}

// early says that the name is not there but is to be waited for: a hinted part
// (H13), or a segment that has begun by the clock or begins in less than a segment.
// A DASH player goes by the clock: it must not be refused what a slow moment of
// the encoder or the disk holds back, nor when a slow answer of /time has set
// its clock ahead.
func (q *request) early(d *documents, name mediaName, g *record.Segment, err error) bool {
	p := d.playlists[q.rendition]
	if p == nil || q.channel.over() {
		return false
	}
	segment, part := p.listing.Newest()
	next, nextPart := segment, int64(part)+1
	if p.listing.Open() == nil {
		next, nextPart = segment+1, 0
	}
	if name.part >= 0 {
		return name.segment == next && name.part == nextPart
	}
	if err == nil && g != nil {
		return false
	}
	grid := p.rendition.Grid
	soon := q.handler.config.Clock.Now().Add(grid.SegmentDuration() - grid.PartDuration())
	return name.segment == next && nextPart == 0 || name.segment > segment && name.segment <= grid.SegmentAt(soon)
}

// there says that the name is listed, or never will be.
func (name mediaName) there(l *record.Listing) bool {
	return position{name.segment, max(name.part, 0)}.listed(l) || l.Last() >= name.segment
}

// stored answers with parts [from, to) of a segment: a part, or a whole segment.
func (q *request) stored(d *documents, g *record.Segment, from, to int, blocked bool) {
	if err := g.Check(from, to); err != nil {
		q.handler.config.Log.Warn("segment is lost", "channel", q.channel.id, "rendition", q.rendition, "segment", g.Number, "err", err)
		q.refuse(http.StatusNotFound, d.ages.plainError)
		return
	}
	size := 0
	for _, part := range g.Parts()[from:to] {
		size += part.Bytes
	}
	h := q.w.Header()
	h["Content-Type"] = typeSegment
	h["Cache-Control"] = immutable
	if blocked {
		h["Cache-Control"] = d.ages.blocking
	}
	etag := fmt.Sprintf(`"%s-%d-%d-%d"`, q.name, g.Len(), size, g.Parts()[from].Start)
	h["Etag"] = []string{etag}
	h["Accept-Ranges"] = acceptRanges
	q.prioritise(d)
	s := newSender(q.w)
	defer s.done()
	s.expect(size)
	if q.r.Header["Range"] != nil {
		http.ServeContent(q.w, q.r, "", time.Time{}, g.Reader(from, to))
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(size)}
	if matches(q.r.Header["If-None-Match"], etag) {
		notModified(q.w)
		return
	}
	if q.r.Method == http.MethodHead {
		return
	}
	if err := g.WriteParts(q.w, from, to); err != nil {
		q.cut(err)
	}
}

// cut ends an answer that cannot be completed, so that the client sees it.
func (q *request) cut(err error) {
	q.handler.config.Log.Debug("answer ends early", "channel", q.channel.id, "rendition", q.rendition, "name", q.name, "err", err)
	panic(http.ErrAbortHandler)
}

// follow answers with a segment in progress, each chunk as it is listed (D15).
func (q *request) follow(d *documents, g *record.Segment) {
	h := q.w.Header()
	h["Content-Type"] = typeSegment
	h["Cache-Control"] = d.ages.blocking
	q.prioritise(d)
	if q.r.Method == http.MethodHead {
		return
	}
	s := newSender(q.w)
	defer s.done()
	timer := time.NewTimer(patience(d))
	defer timer.Stop()
	listing := d.playlists[q.rendition].listing
	for sent := 0; ; {
		for ; sent < g.Len(); sent++ {
			s.expect(g.Parts()[sent].Bytes)
			err := g.WriteParts(q.w, sent, sent+1)
			if err == nil {
				err = s.flush()
			}
			if err != nil {
				q.cut(err)
			}
			timer.Reset(patience(d))
		}
		if g.Complete {
			return
		}
		select {
		case <-listing.Changed:
		case <-timer.C:
			q.cut(errOverdue)
		case <-q.channel.removed:
			q.cut(errOverdue)
		case <-q.r.Context().Done():
			q.cut(q.r.Context().Err())
		}
		edge := q.channel.Store.Edge()
		var err error
		if g, err = edge.Find(q.rendition, g.Number); err != nil {
			q.cut(err)
		}
		listing = edge.Listing(q.rendition)
	}
}

var errOverdue = errors.New("segment does not go on")
