package origin

import (
	"net/http"
	"time"

	"millrace/output/cmaf"
	"millrace/record"
)

// iFramesPerSegment is how many entries an I-frame playlist has per segment.
const iFramesPerSegment = 2

// playlist answers for a media or I-frame playlist, after waiting for what the
// delivery directives ask (draft-pantos-hls-rfc8216bis-22 §6.2.5.2).
func (q *request) playlist(d *documents, iframes bool) {
	p := d.playlists[q.rendition]
	switch {
	case p == nil && d.layoutHas(q.rendition):
		starting(q.w, q.r)
		return
	case p == nil || iframes && p.iframes == nil:
		q.refuse(http.StatusNotFound, d.ages.plainError)
		return
	}
	asked, err := parseDirectives(q.r.URL.RawQuery)
	switch {
	case q.channel.Ended: // H27, H32
		asked = directives{segment: -1, part: -1}
	case err != nil:
		q.refuse(http.StatusBadRequest, d.ages.plainError)
		return
	}
	cache := d.ages.plain
	if asked.segment >= 0 {
		cache = d.ages.blocking
		want := position{asked.segment, asked.part}
		if iframes {
			want = position{asked.segment / iFramesPerSegment, -1}
		}
		if want.beyond(p) {
			q.refuse(http.StatusBadRequest, d.ages.plainError)
			return
		}
		if d = q.await(d, want.listed); d == nil {
			return
		}
		p = d.playlists[q.rendition]
	}
	p.document(asked.skip, iframes).serve(q.w, q.r, cache)
}

func (p *playlists) document(skip, iframes bool) *document {
	switch {
	case iframes && skip:
		return p.iframesDelta()
	case iframes:
		return p.iframes()
	case skip:
		return p.delta()
	}
	return p.full()
}

// position is what a blocking request waits for: a part, or with part below 0 a
// whole segment.
type position struct{ segment, part int64 }

// beyond says that a position lies farther ahead than a request may ask for
// (H21, H22).
func (want position) beyond(p *playlists) bool {
	if want.segment > p.listing.Last()+2 {
		return true
	}
	newest, part := p.listing.Newest()
	limit := advanceParts(p.rendition.Grid)
	switch {
	case want.segment == newest:
		return want.part > int64(part)+limit
	case want.segment > newest:
		return want.part > limit
	}
	return false
}

// advanceParts is the Advance Part Limit: 3 divided by the part target where
// that is below a second, else 3.
func advanceParts(grid cmaf.Grid) int64 {
	part := grid.PartDuration()
	if part >= time.Second {
		return 3
	}
	return int64((3*time.Second + part - 1) / part)
}

// listed says that a listing has reached the position. A part past the last of a
// complete segment is part 0 of the next one (H23).
func (want position) listed(l *record.Listing) bool {
	newest, part := l.Newest()
	if newest != want.segment {
		return newest > want.segment
	}
	if want.part < 0 {
		return l.Last() >= want.segment
	}
	return int64(part) >= want.part
}

// await waits until the rendition's listing is as wanted, and gives the
// documents of that moment. Else it has answered: 503 after three target
// durations (H26) or when the channel went, 404 when the rendition did.
func (q *request) await(d *documents, listed func(*record.Listing) bool) *documents {
	if p := d.playlists[q.rendition]; listed(p.listing) {
		return d
	}
	q.handler.waiting.Add(1)
	defer q.handler.waiting.Add(-1)
	timer := time.NewTimer(patience(d))
	defer timer.Stop()
	for {
		select {
		case <-d.playlists[q.rendition].listing.Changed:
		case <-timer.C:
			q.overdue()
			return nil
		case <-q.channel.removed: // stopped, or the server ends: no cache may keep that
			q.overdue()
			return nil
		case <-q.r.Context().Done(): // the client is gone, or the server ends
			q.overdue()
			return nil
		}
		next := q.channel.documents(q.handler.config.TimeURL)
		p := next.playlists[q.rendition]
		if p == nil {
			q.refuse(http.StatusNotFound, d.ages.blockingError)
			return nil
		}
		if d = next; listed(p.listing) {
			return d
		}
	}
}

// patience is how long a request may wait: three target durations.
func patience(d *documents) time.Duration {
	return 3 * time.Second * time.Duration(d.edge.Layout.Grid.TargetDuration())
}
