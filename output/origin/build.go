package origin

import (
	"sync"

	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/record"
)

func (d *documents) newPlaylists(r *cmaf.Rendition, listing *record.Listing) *playlists {
	p := &playlists{rendition: r, listing: listing, urgency: urgency(r, d.edge.Layout.Renditions)}
	p.window = sync.OnceValue(func() []*record.Segment { return d.liveWindow(listing) })
	p.full = sync.OnceValue(func() *document {
		media := d.mediaPlaylist(p)
		return newDocument(typePlaylist, media.Append(nil))
	})
	p.delta = sync.OnceValue(func() *document {
		media := d.mediaPlaylist(p)
		if media.Skippable() == 0 {
			return p.full()
		}
		return newDocument(typePlaylist, media.AppendDelta(nil))
	})
	if r.Track.Kind != media.Video {
		return p
	}
	p.iframes = sync.OnceValue(func() *document {
		frames := cmaf.IFramePlaylist{MediaPlaylist: d.mediaPlaylist(p)}
		return newDocument(typePlaylist, frames.Append(nil))
	})
	p.iframesDelta = sync.OnceValue(func() *document {
		frames := cmaf.IFramePlaylist{MediaPlaylist: d.mediaPlaylist(p)}
		if frames.Skippable() == 0 {
			return p.iframes()
		}
		return newDocument(typePlaylist, frames.AppendDelta(nil))
	})
	return p
}

// liveWindow is what live playlists list: a number of segments back from the
// newest, and the one in progress. All renditions have the same distance, so
// that the first number never falls.
func (d *documents) liveWindow(listing *record.Listing) []*record.Segment {
	newest, _ := listing.Newest()
	return listing.Range(newest-d.windowSegments(), newest+1)
}

// windowSegments is the length of live playlists.
func (d *documents) windowSegments() int64 {
	window := d.channel.LiveWindow
	if window <= 0 {
		window = defaultWindow
	}
	return max(int64(window/d.edge.Layout.Grid.SegmentDuration()), leastSegments)
}

// segments are a window as cmaf takes it. Init sections other than the present
// one are named.
func segments(window []*record.Segment, present *cmaf.Rendition) []cmaf.Segment {
	out := make([]cmaf.Segment, len(window))
	for i, g := range window {
		out[i] = g.Describe()
		if g.Rendition.InitName != present.InitName {
			out[i].InitName = g.Rendition.InitName
		}
	}
	return out
}

func (d *documents) mediaPlaylist(p *playlists) cmaf.MediaPlaylist {
	window := p.window()
	m := cmaf.MediaPlaylist{
		Rendition: p.rendition, Segments: segments(window, p.rendition), LowLatency: !d.channel.Ended, Ended: d.channel.Ended,
		PartHoldBack: d.holdBack, DiscontinuitySequence: window[0].Changes,
	}
	for _, other := range d.offered() {
		q := d.playlists[other.ID]
		if other.ID == p.rendition.ID || q == nil || d.channel.Ended {
			continue
		}
		segment, part := q.listing.Newest()
		m.Reports = append(m.Reports, cmaf.Report{URI: "../" + other.ID + "/index.m3u8", LastSegment: segment, LastPart: part})
	}
	return m
}

func (d *documents) buildMultivariant() *document {
	m := cmaf.Multivariant{Renditions: d.offered(), IFrames: true}
	return newDocument(typePlaylist, m.Marshal())
}

func (d *documents) buildManifest() *document {
	m := cmaf.MPD{TimeURL: d.timeURL, Static: d.channel.Ended, Depth: d.channel.LiveWindow}
	if m.Depth <= 0 {
		m.Depth = defaultWindow
	}
	for _, r := range d.offered() {
		p := d.playlists[r.ID]
		if p == nil {
			continue
		}
		window := p.window()
		m.Windows = append(m.Windows, cmaf.Window{Rendition: r, Segments: segments(window, r)})
		m.PublishTime = max(m.PublishTime, end(r, window))
	}
	text, err := m.Marshal()
	if err != nil { // for want of segments only, and ready has seen some
		text = nil
	}
	return newDocument(typeManifest, text)
}

// end is when what is listed ends: the publish time of a manifest is that of
// the media, so that two nodes say the same.
func end(r *cmaf.Rendition, window []*record.Segment) media.Time {
	parts := window[len(window)-1].Parts()
	if len(parts) == 0 {
		return 0
	}
	last := parts[len(parts)-1]
	return r.Time(last.Start + last.Duration)
}
