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
)

// CreateClip implements api.Clips.
func (c *channels) CreateClip(ctx context.Context, request api.ClipRequest) (api.Stored[api.Clip], error) {
	none := api.Stored[api.Clip]{}
	p, err := c.find(request.Channel)
	if err != nil {
		return none, err
	}
	grid, ok := c.gridOf(request.Channel)
	if !ok {
		return none, api.NotFound("channel", request.Channel)
	}
	made := storedClip{
		ID: ulid.Make().String(), Channel: request.Channel, Name: request.Name, Mode: string(api.ClipModeFast),
		Created: c.clock.Now(), Start: media.TimeOf(request.Start.Time), End: media.TimeOf(request.End.Time),
	}
	if err := c.checkClip(&made, grid); err != nil {
		return none, err
	}
	a := c.archive
	a.mu.Lock()
	stored, err := create(ctx, a.state, kindClip, made.ID, made)
	if err == nil {
		a.clips[made.ID] = stored
	}
	a.mu.Unlock()
	if err != nil {
		return none, err
	}
	c.retain(p)
	return api.Stored[api.Clip]{Value: c.viewClip(made), Revision: stored.Revision}, nil
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
func (c *channels) ListClips(channel string) []api.Stored[api.Clip] {
	c.archive.mu.RLock()
	defer c.archive.mu.RUnlock()
	return listOf(c.archive.clips, channel, func(s storedClip) string { return s.Channel }, c.viewClip)
}

// GetClip implements api.Clips.
func (c *channels) GetClip(id string) (api.Stored[api.Clip], error) {
	c.archive.mu.RLock()
	defer c.archive.mu.RUnlock()
	found, ok := c.archive.clips[id]
	if !ok {
		return api.Stored[api.Clip]{}, api.NotFound("clip", id)
	}
	return api.Stored[api.Clip]{Value: c.viewClip(found.Value), Revision: found.Revision}, nil
}

// UpdateClip implements api.Clips.
func (c *channels) UpdateClip(ctx context.Context, id string, match api.Match, change func(api.Titles) (api.Titles, error)) (api.Stored[api.Clip], error) {
	none := api.Stored[api.Clip]{}
	a := c.archive
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok := a.clips[id]
	switch {
	case !ok:
		return none, api.NotFound("clip", id)
	case !match.Holds(found.Revision):
		return none, api.Stale()
	}
	titles, err := change(api.Titles{Name: found.Value.Name})
	if err != nil {
		return none, err
	}
	if titles.Name != found.Value.Name {
		changed := found.Value
		changed.Name = titles.Name
		if found, err = put(ctx, a.state, kindClip, id, changed, found.Revision); err != nil {
			return none, err
		}
		a.clips[id] = found
	}
	return api.Stored[api.Clip]{Value: c.viewClip(found.Value), Revision: found.Revision}, nil
}

// DeleteClip implements api.Clips.
func (c *channels) DeleteClip(ctx context.Context, id string, match api.Match) error {
	gone, err := discard(ctx, c.archive, c.archive.clips, kindClip, id, match)
	if err == nil {
		c.retainID(gone.Channel)
	}
	return err
}

func (c *channels) viewClip(s storedClip) api.Clip {
	v := api.Clip{
		Id: s.ID, Channel: s.Channel, Name: s.Name, Mode: api.ClipMode(s.Mode), State: api.Pending,
		Start: stamp(s.Start), End: stamp(s.End), CreatedAt: stamp(s.Created),
		Playback: api.PlaybackPaths{Hls: "/clips/" + s.ID + "/index.m3u8", Download: "/clips/" + s.ID + ".mp4"},
	}
	held := c.held(s.Channel, s.From, s.To)
	v.MissingMs = held.missing.Milliseconds()
	grid, _ := c.gridOf(s.Channel)
	if held.last+1 >= s.To || grid.SegmentTime(s.To+2) <= c.clock.Now() { // what is not stored by now is missing
		v.State = api.Ready
	}
	return v
}

// clip is what the origin serves under an id.
func (c *channels) clip(id string) (origin.Clip, bool) {
	c.archive.mu.RLock()
	defer c.archive.mu.RUnlock()
	found, ok := c.archive.clips[id]
	if !ok {
		return origin.Clip{}, false
	}
	grid, ok := c.gridOf(found.Value.Channel)
	return origin.Clip{
		Channel: found.Value.Channel, From: found.Value.From, To: found.Value.To,
		First: found.Value.firstFrame(grid.Rate), End: found.Value.endFrame(grid.Rate),
	}, ok
}
