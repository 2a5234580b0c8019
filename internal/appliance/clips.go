package appliance

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"millrace/api"
	"millrace/internal/media"
	"millrace/output/cmaf"
	"millrace/output/origin"
)

const (
	clipAhead   = time.Hour // how far in the future a clip may end
	clipLongest = 6 * time.Hour

	mostUnfinished = 200 // clips that are not ready
)

// CreateClip implements api.Clips.
func (c *channels) CreateClip(ctx context.Context, request api.ClipRequest) (api.Stored[api.Clip], error) {
	none := api.Stored[api.Clip]{}
	p, release, err := c.hold(request.Channel)
	if err != nil {
		return none, err
	}
	defer release()
	grid, ok := c.gridOf(request.Channel)
	if !ok {
		return none, api.NotFound("channel", request.Channel)
	}
	made := storedClip{
		ID: ulid.Make().String(), Channel: request.Channel, Name: request.Name, Tags: request.Tags, Mode: string(request.Mode),
		Created: c.clock.Now(), Start: media.TimeOf(request.Start.Time), End: media.TimeOf(request.End.Time),
	}
	if err := c.checkClip(&made, grid); err != nil {
		return none, err
	}
	if c.unfinished() >= mostUnfinished {
		return none, api.Conflict("too-many-clips", fmt.Sprintf("%d clips are waiting to be made.", mostUnfinished),
			"Wait for some of them, or delete them.")
	}
	if c.viewClip(made).State != api.ClipStateReady {
		made.Job = ulid.Make().String()
	}
	stored, err := c.archive.clips.add(ctx, made.ID, made)
	if err != nil {
		return none, err
	}
	c.retain(p)
	c.maker.add(made)
	return viewed(stored, nil, c.viewClip)
}

// checkClip says whether a clip can be had, and fills in its segments.
func (c *channels) checkClip(clip *storedClip, grid cmaf.Grid) error {
	now := c.clock.Now()
	switch {
	case clip.Start < 0 || clip.End <= clip.Start:
		return api.Invalid(api.Fault{Pointer: "/end", Detail: "it is not after the start"})
	case clip.End.Sub(clip.Start) > clipLongest:
		return api.Invalid(api.Fault{Pointer: "/end", Detail: fmt.Sprintf("it is more than %v after the start", clipLongest)})
	case clip.End > now.Add(clipAhead):
		return api.Invalid(api.Fault{Pointer: "/end", Detail: fmt.Sprintf("it is more than %v ahead", clipAhead)})
	case clip.firstFrame(grid.Rate) >= clip.endFrame(grid.Rate):
		return api.Invalid(api.Fault{Pointer: "/end", Detail: "no frame lies between start and end"})
	}
	clip.From = grid.SegmentAt(grid.Rate.At(clip.firstFrame(grid.Rate)))
	clip.To = grid.SegmentAt(grid.Rate.At(clip.endFrame(grid.Rate)-1)) + 1
	held := c.held(clip.Channel, clip.From, clip.To)
	stored := grid.SegmentTime(clip.From+2) <= now // or will never be
	if stored && (held.last < clip.From || held.missing >= held.duration) {
		return api.Conflict("not-stored", "Nothing of that time is stored.", "It has expired, or the channel did not run then.")
	}
	return nil
}

// firstFrame is the first that is due at or after the start.
func (clip *storedClip) firstFrame(rate media.Rate) int64 { return rate.Index(clip.Start-1) + 1 }

// endFrame is the first that is not in the clip.
func (clip *storedClip) endFrame(rate media.Rate) int64 { return rate.Index(clip.End-1) + 1 }

// ListClips implements api.Clips.
func (c *channels) ListClips(filter api.Filter) []api.Stored[api.Clip] {
	pass := func(clip storedClip) bool { return filter.Matches(clip.Channel, clip.titles()) }
	return viewsOf(c.archive.clips, pass, c.viewClip)
}

// GetClip implements api.Clips.
func (c *channels) GetClip(id string) (api.Stored[api.Clip], error) {
	found, err := c.archive.clips.get(id)
	return viewed(found, err, c.viewClip)
}

// UpdateClip implements api.Clips.
func (c *channels) UpdateClip(ctx context.Context, id string, match api.Match, change func(api.Titles) (api.Titles, error)) (api.Stored[api.Clip], error) {
	changed, err := c.archive.clips.change(ctx, id, match, func(clip *storedClip) error {
		titles, err := change(clip.titles())
		clip.Name, clip.Tags = titles.Name, titles.Tags
		return err
	})
	return viewed(changed, err, c.viewClip)
}

// DeleteClip implements api.Clips.
func (c *channels) DeleteClip(ctx context.Context, id string, match api.Match) error {
	gone, err := c.archive.clips.discard(ctx, id, match)
	if err == nil {
		c.retainID(gone.Channel)
		c.maker.forget(id)
	}
	return err
}

func (c *channels) viewClip(s storedClip) api.Clip {
	v := api.Clip{
		Id: s.ID, Channel: s.Channel, Name: s.Name, Tags: s.Tags, Mode: api.ClipMode(s.Mode), State: api.ClipStatePending,
		Reason: s.Failure, Job: s.Job, Start: stamp(s.Start), End: stamp(s.End), CreatedAt: stamp(s.Created),
		Playback: api.PlaybackPaths{Hls: "/clips/" + s.ID + "/index.m3u8", Download: "/clips/" + s.ID + ".mp4", Thumbnail: "/clips/" + s.ID + "/thumbnails/poster.jpg"},
	}
	held := c.held(s.Channel, s.From, s.To)
	v.MissingMs = held.missing.Milliseconds()
	switch {
	case s.Failure != "":
		v.State = api.ClipStateFailed
	case c.complete(s, held) && (s.Made || !s.exact()):
		v.State = api.ClipStateReady
	}
	return v
}

// complete says that what is not stored of a clip by now never will be.
func (c *channels) complete(s storedClip, held span) bool {
	grid, _ := c.gridOf(s.Channel)
	return held.last+1 >= s.To || grid.SegmentTime(s.To+2) <= c.clock.Now()
}

// unfinished is how many clips are not ready.
func (c *channels) unfinished() (n int) {
	for _, s := range c.archive.clips.all() {
		if s.Value.Job != "" && c.viewClip(s.Value).State == api.ClipStatePending {
			n++
		}
	}
	return n
}

// clip is what the origin serves under an id.
func (c *channels) clip(id string) (origin.Clip, bool) {
	found, err := c.archive.clips.get(id)
	clip := found.Value
	if err != nil || clip.Failure != "" {
		return origin.Clip{}, false
	}
	grid, ok := c.gridOf(clip.Channel)
	kept := clip.kept()
	return origin.Clip{
		Channel: clip.Channel, From: kept.From, To: kept.To, First: clip.firstFrame(grid.Rate), End: clip.endFrame(grid.Rate),
		Exact: clip.exact(), Unmade: clip.exact() && !clip.Made,
		Lead: func(rendition string) []byte { return c.maker.lead(id, rendition) },
	}, ok
}
