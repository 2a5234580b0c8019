package appliance

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/oklog/ulid/v2"

	"millrace/api"
	"millrace/internal/media"
	"millrace/output/origin"
	"millrace/record"
)

// stamp is an instant of the timeline in the API.
func stamp(t media.Time) api.Timestamp { return api.Timestamp{Time: t.UTC()} }

// StartRecording implements api.Recordings.
func (c *channels) StartRecording(ctx context.Context, channel string, request api.RecordingRequest) (api.Stored[api.Recording], error) {
	none := api.Stored[api.Recording]{}
	p, release, err := c.hold(channel)
	if err != nil {
		return none, err
	}
	defer release()
	return c.record(ctx, p, request, false)
}

// record begins a recording. The caller holds live.
func (c *channels) record(ctx context.Context, p *program, request api.RecordingRequest, automatic bool) (api.Stored[api.Recording], error) {
	none := api.Stored[api.Recording]{}
	c.mu.RLock()
	run, store, document, lasting := p.run, p.store, p.stored.Value, c.ctx
	c.mu.RUnlock()
	if run == nil || store.Edge().Layout == nil {
		return none, notRunning(document.Id)
	}
	if faults := c.checkISO(document, request.Iso, "/iso"); len(faults) > 0 {
		return none, api.Invalid(faults...)
	}
	now := c.clock.Now()
	made := storedRecording{
		ID: ulid.Make().String(), Channel: document.Id, Name: request.Name, Tags: request.Tags, ISO: request.Iso, Automatic: automatic,
		Start: now, From: run.Grid.SegmentAt(now), To: record.Forever,
	}
	stored, err := c.archive.recordings.add(ctx, made.ID, made)
	if err != nil {
		return none, err
	}
	c.retain(p)
	c.iso.start(context.WithoutCancel(lasting), made) // until it is stopped, or the node
	view, _ := viewed(stored, nil, c.viewRecording)
	c.bus.Publish("recording.started", view.Value)
	return view, nil
}

func notRunning(channel string) error {
	return api.Conflict("not-running", fmt.Sprintf("The channel %q is not running.", channel), "Start it with POST …/start.")
}

// ListRecordings implements api.Recordings.
func (c *channels) ListRecordings(filter api.Filter) []api.Stored[api.Recording] {
	pass := func(r storedRecording) bool { return filter.Matches(r.Channel, r.titles()) }
	return viewsOf(c.archive.recordings, pass, c.viewRecording)
}

// GetRecording implements api.Recordings.
func (c *channels) GetRecording(id string) (api.Stored[api.Recording], error) {
	found, err := c.archive.recordings.get(id)
	return viewed(found, err, c.viewRecording)
}

// StopRecording implements api.Recordings.
func (c *channels) StopRecording(ctx context.Context, id string) (api.Stored[api.Recording], error) {
	now, ended := c.clock.Now(), false
	stopped, err := c.changeRecording(ctx, id, api.Match{Any: true}, func(r *storedRecording) error {
		if !r.running() {
			return nil
		}
		ended = true
		r.Stop, r.To = now, r.From+1
		if grid, ok := c.gridOf(r.Channel); ok {
			r.To = max(grid.SegmentAt(now-1)+1, r.From+1)
		}
		return nil
	})
	if err == nil && ended {
		c.iso.stop(id)
		stopped, err = c.GetRecording(id)
		c.bus.Publish("recording.stopped", stopped.Value)
	}
	return stopped, err
}

// UpdateRecording implements api.Recordings.
func (c *channels) UpdateRecording(ctx context.Context, id string, match api.Match, change func(api.Titles) (api.Titles, error)) (api.Stored[api.Recording], error) {
	return c.changeRecording(ctx, id, match, func(r *storedRecording) error {
		titles, err := change(r.titles())
		r.Name, r.Tags = titles.Name, titles.Tags
		return err
	})
}

func (c *channels) changeRecording(ctx context.Context, id string, match api.Match, edit func(*storedRecording) error) (api.Stored[api.Recording], error) {
	changed, err := c.archive.recordings.change(ctx, id, match, edit)
	if err == nil {
		c.retainID(changed.Value.Channel)
	}
	return viewed(changed, err, c.viewRecording)
}

// DeleteRecording implements api.Recordings.
func (c *channels) DeleteRecording(ctx context.Context, id string, match api.Match) error {
	gone, err := c.archive.recordings.discard(ctx, id, match)
	if err == nil {
		c.retainID(gone.Channel)
		c.iso.remove(gone.Channel, id)
	}
	return err
}

// stopRecordings ends those of a channel that stops for good.
func (c *channels) stopRecordings(ctx context.Context, channel string) error {
	for _, id := range c.archive.running(channel) {
		if _, err := c.StopRecording(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (c *channels) viewRecording(r storedRecording) api.Recording {
	v := api.Recording{
		Id: r.ID, Channel: r.Channel, Name: r.Name, Tags: r.Tags, State: api.RecordingStateRecording, StartedAt: stamp(r.Start),
		Playback: api.PlaybackPaths{
			Hls: "/vod/" + r.ID + "/index.m3u8", Dash: "/vod/" + r.ID + "/manifest.mpd", Download: "/vod/" + r.ID + "/download.mp4",
			Thumbnail: "/vod/" + r.ID + "/thumbnails/poster.jpg", Thumbnails: "/vod/" + r.ID + "/thumbnails.vtt",
		},
		Automatic: r.Automatic, Iso: c.iso.view(r),
	}
	if !r.running() {
		v.State, v.StoppedAt = api.RecordingStateStopped, stamp(r.Stop)
		v.Playback.Package = "/vod/" + r.ID + "/package.tar"
	}
	held := c.held(r.Channel, r.From, r.To)
	v.DurationMs, v.MissingMs = held.duration.Milliseconds(), held.missing.Milliseconds()
	return v
}

// recording is what the origin serves under an id.
func (c *channels) recording(id string) (origin.Recording, bool) {
	found, err := c.archive.recordings.get(id)
	r := found.Value
	rec := origin.Recording{
		Channel: r.Channel, From: r.From, To: r.To,
		Open: func(name string) (*os.File, error) { return c.iso.open(r, name) },
	}
	if !r.running() {
		rec.Package = func() ([]origin.Enclosed, error) { return c.packageOf(r) }
	}
	return rec, err == nil
}

// span is how much a store holds of a run of segments.
type span struct {
	duration, missing time.Duration // gaps included; of gaps
	gaps              map[int64]bool
	last              int64 // newest whole segment of it; below from where there is none
}

// held looks at all renditions: a segment that one of them lacks is missing.
func (c *channels) held(channel string, from, to int64) span {
	s := span{last: from - 1}
	p, err := c.find(channel)
	if err != nil {
		return s
	}
	c.mu.RLock()
	store := p.store
	c.mu.RUnlock()
	if store == nil || store.Edge().Layout == nil {
		return s
	}
	edge := store.Edge()
	segment := edge.Layout.Grid.SegmentDuration()
	last := to - 1
	gaps := map[int64]bool{}
	s.gaps = gaps
	for _, r := range edge.Layout.Renditions {
		l := edge.Listing(r.ID)
		if l == nil {
			return s
		}
		newest, _ := l.Newest()
		if l.Open() != nil {
			newest--
		}
		last = min(last, newest)
		expected := from
		for _, g := range l.Range(from, to) {
			for ; expected < g.Number; expected++ {
				gaps[expected] = true
			}
			if g.Gap() {
				gaps[g.Number] = true
			}
			expected = g.Number + 1
		}
		for ; expected <= min(newest, to-1); expected++ {
			gaps[expected] = true
		}
	}
	s.last = max(last, from-1)
	s.duration = time.Duration(s.last-from+1) * segment
	for k := range gaps {
		if k <= s.last {
			s.missing += segment
		}
	}
	return s
}
