package appliance

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"millrace/api"
	"millrace/internal/media"
	"millrace/internal/state"
	"millrace/record"
)

const (
	kindShowLog = "showlog"
	logPage     = 5 * time.Minute // of the timeline, in one document
	logEvents   = 2000            // of one document; what comes beyond is dropped and logged
)

// logDocument is what happened on a channel within one page of the timeline.
type logDocument struct {
	Channel string          `json:"channel"`
	Page    int64           `json:"page"` // since the epoch
	Events  []api.ShowEvent `json:"events"`
}

func (d logDocument) id() string { return fmt.Sprintf("%s_%d", d.Channel, d.Page) }

// showLog keeps what was done on air, with its frames. Pages go when neither
// the DVR window nor a recording covers them.
type showLog struct {
	state state.Store

	mu    sync.Mutex
	pages map[string]map[int64]logDocument // by channel and page
}

func openShowLog(ctx context.Context, store state.Store) (*showLog, error) {
	all, err := loadAll[logDocument](ctx, store, kindShowLog)
	if err != nil {
		return nil, err
	}
	l := &showLog{state: store, pages: map[string]map[int64]logDocument{}}
	for _, d := range all {
		l.channel(d.Value.Channel)[d.Value.Page] = d.Value
	}
	return l, nil
}

func (l *showLog) channel(id string) map[int64]logDocument {
	if l.pages[id] == nil {
		l.pages[id] = map[int64]logDocument{}
	}
	return l.pages[id]
}

func pageOf(t media.Time) int64 { return int64(t) / int64(logPage) }

// add stores an event. The pages that expire go with the first one of a new page.
func (l *showLog) add(ctx context.Context, channel string, e api.ShowEvent, expired func(page int64) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	pages := l.channel(channel)
	page := pageOf(media.TimeOf(e.Time.Time))
	d, known := pages[page]
	if len(d.Events) >= logEvents {
		return fmt.Errorf("log event of channel %q: more than %d in %v", channel, logEvents, logPage)
	}
	d = logDocument{Channel: channel, Page: page, Events: append(slices.Clip(d.Events), e)}
	slices.SortStableFunc(d.Events, func(a, b api.ShowEvent) int { return int(a.Frame - b.Frame) })
	if err := l.put(ctx, d); err != nil || known {
		return err
	}
	return l.sweep(ctx, channel, expired)
}

// put stores a page; the lock is held.
func (l *showLog) put(ctx context.Context, d logDocument) error {
	_, err := put(ctx, l.state, kindShowLog, d.id(), d, uint64(state.AnyRevision))
	if err == nil {
		l.channel(d.Channel)[d.Page] = d
	}
	return err
}

// sweep removes pages; the lock is held.
func (l *showLog) sweep(ctx context.Context, channel string, expired func(page int64) bool) error {
	for page, d := range l.pages[channel] {
		if !expired(page) {
			continue
		}
		if err := remove(ctx, l.state, kindShowLog, d.id(), uint64(state.AnyRevision)); err != nil {
			return err
		}
		delete(l.pages[channel], page)
	}
	return nil
}

// clear removes all of a channel.
func (l *showLog) clear(ctx context.Context, channel string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sweep(ctx, channel, func(int64) bool { return true })
}

// between are the events of [from, to), in order, and those before that last
// into it.
func (l *showLog) between(channel string, from, to media.Time) []api.ShowEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := []api.ShowEvent{}
	for page, d := range l.pages[channel] {
		if page > pageOf(to) {
			continue
		}
		for _, e := range d.Events {
			t := media.TimeOf(e.Time.Time)
			lasts := finds(e.Type) && (e.EndFrame == 0 || media.TimeOf(e.End.Time) > from)
			if t < to && (t >= from || lasts) {
				events = append(events, e)
			}
		}
	}
	slices.SortStableFunc(events, func(a, b api.ShowEvent) int { return int(a.Frame - b.Frame) })
	return events
}

// note writes down what was done. What was done stays done where that fails.
func (c *channels) note(ctx context.Context, p *program, e api.ShowEvent) {
	c.mu.RLock()
	rate := string(p.stored.Value.Canvas.Rate)
	c.mu.RUnlock()
	parsed, err := media.ParseRate(rate)
	if err == nil {
		e.Time = stamp(parsed.At(e.Frame))
		err = c.showLog.add(context.WithoutCancel(ctx), p.id, e, c.pageExpired(p))
	}
	if err != nil {
		c.log.Error("log what was done on air", "channel", p.id, "err", err)
	}
}

// pageExpired says of a page whether the channel keeps nothing of its time.
func (c *channels) pageExpired(p *program) func(page int64) bool {
	keep, now := c.retention(p), c.clock.Now()
	grid, _ := c.gridOf(p.id)
	return func(page int64) bool {
		start, end := media.Time(page*int64(logPage)), media.Time((page+1)*int64(logPage))
		if end > now.Add(-keep.Window) {
			return false
		}
		from, to := grid.SegmentAt(start), grid.SegmentAt(end)+1
		return !slices.ContainsFunc(keep.Pins, func(pin record.Pin) bool { return pin.From < to && from < pin.To })
	}
}

// Mark implements api.ShowLog.
func (c *channels) Mark(ctx context.Context, channel, text string, at time.Time) (api.ShowEvent, error) {
	p, err := c.find(channel)
	if err != nil {
		return api.ShowEvent{}, err
	}
	grid, _ := c.gridOf(channel)
	now := c.clock.Now()
	when := now
	if !at.IsZero() {
		when = media.TimeOf(at)
	}
	e := api.ShowEvent{Type: api.ShowEventTypeMark, Text: text, Frame: grid.Rate.Index(when-1) + 1}
	e.Time = stamp(grid.Rate.At(e.Frame))
	expired := c.pageExpired(p)
	if when < 0 || when > now.Add(clipAhead) || expired(pageOf(when)) {
		return e, api.Invalid(api.Fault{Pointer: "/at", Detail: fmt.Sprintf("it is more than %v ahead, or the channel keeps nothing of that time", clipAhead)})
	}
	err = c.showLog.add(ctx, channel, e, expired)
	if err == nil {
		c.bus.Publish("channel.mark", markEvent{Channel: channel, Text: text, Frame: e.Frame, Time: e.Time})
	}
	return e, err
}
