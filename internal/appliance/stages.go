package appliance

import (
	"context"
	"time"

	"millrace/api"
	"millrace/ingest"
	"millrace/internal/delay"
	"millrace/internal/media"
	"millrace/mixer/worker"
	"millrace/record"
)

// stages is how long a channel's pictures take behind its worker, in the last
// 10 s.
type stages struct {
	listed delay.Window // from a part's last frame being due to the part being listed
	sent   delay.Window // from a frame being due to its last packet going to a viewer by WebRTC
}

// watch measures the parts of the first rendition as they are listed, until the
// context ends.
func (s *stages) watch(ctx context.Context, store *record.Store, clock *media.Clock) {
	var last media.Time
	for {
		edge := store.Edge()
		if listings := edge.Listings(); len(listings) > 0 {
			now, due := clock.Now(), newestFrame(listings[0])
			if due > last && last != 0 {
				s.listed.Add(now, now.Sub(due))
			}
			last = max(last, due)
		}
		select {
		case <-edge.Changed:
		case <-ctx.Done():
			return
		}
	}
}

// newestFrame is when the last frame of a rendition's newest listed part was
// due; 0 where there is none.
func newestFrame(listing *record.Listing) media.Time {
	k, part := listing.Newest()
	segment := listing.Segment(k)
	if part < 0 || segment == nil || segment.Gap() {
		return 0
	}
	p := segment.Parts()[part]
	return media.TimeOfTicks(p.Start+p.Duration-segment.Rendition.UnitTicks(), int64(segment.Rendition.Timescale()))
}

// latency is where a channel's time goes behind the tick.
func (c *channel) latency() api.ChannelLatency {
	report, now := c.host.Report(), c.Clock.Now()
	l := api.ChannelLatency{
		Composed: spreadOf(report.Composed), FromWorker: spreadOf(c.host.Socket()),
		Listed: spreadOf(c.stages.listed.Spread(now)), Sent: spreadOf(c.stages.sent.Spread(now)),
		Encoded: make(map[string]api.Spread, len(report.Rungs)),
	}
	for id, spread := range report.Rungs {
		l.Encoded[id] = spreadOf(spread)
	}
	return l
}

// wayOf is where the time of a source's pictures goes before the tick.
func wayOf(feed *ingest.Source, way worker.Way) api.SourceLatency {
	return api.SourceLatency{
		Assembled: spreadOf(feed.Assembly()), ToWorker: spreadOf(way.Socket), Decoded: spreadOf(way.Decode),
		Waited: spreadOf(way.Wait), Total: spreadOf(way.Total),
	}
}

func spreadOf(s delay.Spread) api.Spread {
	ms := func(d time.Duration) float64 {
		return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
	}
	return api.Spread{P50: ms(s.P50), P95: ms(s.P95), Max: ms(s.Max)}
}
