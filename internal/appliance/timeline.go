package appliance

import (
	"fmt"
	"time"

	"millrace/api"
	"millrace/internal/media"
)

// timelineSpan is how much of a timeline one answer may cover.
const timelineSpan = 24 * time.Hour

// Timeline implements api.ShowLog.
func (c *channels) Timeline(channel string, from, to time.Time) (api.Timeline, error) {
	if _, err := c.find(channel); err != nil {
		return api.Timeline{}, err
	}
	end := c.clock.Now()
	if !to.IsZero() {
		end = media.TimeOf(to)
	}
	start := end.Add(-time.Hour)
	if !from.IsZero() {
		start = media.TimeOf(from)
	}
	switch {
	case start < 0 || start >= end:
		return api.Timeline{}, api.Invalid(api.Fault{Pointer: "/from", Detail: "it is not before to"})
	case end.Sub(start) > timelineSpan:
		return api.Timeline{}, api.Invalid(api.Fault{Pointer: "/from", Detail: fmt.Sprintf("it is more than %v before to", timelineSpan)})
	}
	t := api.Timeline{From: stamp(start), To: stamp(end), Events: c.showLog.between(channel, start, end)}
	t.Ranges, t.Gaps = c.ranges(channel, start, end)
	return t, nil
}

// ranges are the times of which every rendition is held, and those between them.
func (c *channels) ranges(channel string, start, end media.Time) (ranges, gaps []api.TimeRange) {
	ranges, gaps = []api.TimeRange{}, []api.TimeRange{}
	grid, ok := c.gridOf(channel)
	if !ok {
		return ranges, gaps
	}
	from, to := grid.SegmentAt(start), grid.SegmentAt(end-1)+1
	held := c.held(channel, from, to)
	for k := from; k <= held.last; k++ {
		of := &ranges
		if held.gaps[k] {
			if of = &gaps; len(ranges) == 0 {
				continue // nothing was held before it
			}
		}
		begin, next := stamp(grid.SegmentTime(k)), stamp(grid.SegmentTime(k+1))
		if n := len(*of); n > 0 && (*of)[n-1].End.Equal(begin.Time) {
			(*of)[n-1].End = next
			continue
		}
		*of = append(*of, api.TimeRange{Start: begin, End: next})
	}
	return ranges, gaps
}
