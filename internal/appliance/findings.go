package appliance

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"millrace/api"
	"millrace/internal/media"
	"millrace/mixer/worker"
	"millrace/record"
)

// findingsWaiting bounds what a worker found and nobody has written down yet:
// hours of it, as fast as findings can come.
const findingsWaiting = 512

// findings hands what a worker found to those who write it down, which may wait for
// a slow disk; the worker's packets, which come the same way, must not.
type findings struct {
	waiting chan worker.Finding
	log     *slog.Logger

	mu      sync.Mutex
	present []worker.Finding // that last
}

func newFindings(log *slog.Logger) *findings {
	return &findings{waiting: make(chan worker.Finding, findingsWaiting), log: log}
}

// put never blocks. It is called by one goroutine at a time.
func (f *findings) put(found worker.Finding) {
	f.mu.Lock()
	f.present = slices.DeleteFunc(slices.Clone(f.present), func(other worker.Finding) bool {
		return other.Kind == found.Kind && other.Source == found.Source
	})
	if found.End == 0 {
		f.present = append(f.present, found)
	}
	f.mu.Unlock()
	select {
	case f.waiting <- found:
	default:
		f.log.Warn("finding is not written down, the disk is too slow", "kind", found.Kind, "source", found.Source)
	}
}

// last are those that last.
func (f *findings) last() []worker.Finding {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.present
}

// run hands findings on until the context ends, and then those that wait.
func (f *findings) run(ctx context.Context, take func(worker.Finding)) {
	for {
		select {
		case found := <-f.waiting:
			take(found)
			continue
		case <-ctx.Done():
		}
		select {
		case found := <-f.waiting:
			take(found)
		default:
			return
		}
	}
}

// findingEvent is the data of channel.finding.
type findingEvent struct {
	Channel  string            `json:"channel"`
	Type     api.ShowEventType `json:"type"`
	Source   string            `json:"source,omitempty"`
	Frame    int64             `json:"frame"`
	Time     api.Timestamp     `json:"time"`
	EndFrame int64             `json:"endFrame,omitempty"`
	End      api.Timestamp     `json:"end,omitzero"`
}

// found writes down what was found, or its end, and tells of it.
func (c *channels) found(ctx context.Context, p *program, f worker.Finding) {
	grid, ok := c.gridOf(p.id)
	if !ok {
		return
	}
	e := api.ShowEvent{Type: api.ShowEventType(f.Kind), Source: f.Source, Frame: f.Begin, Time: stamp(grid.Rate.At(f.Begin))}
	if f.End == 0 {
		c.note(ctx, p, e)
	} else {
		e.EndFrame, e.End = f.End, stamp(grid.Rate.At(f.End))
		c.settle(ctx, p.id, e)
	}
	c.bus.Publish("channel.finding", findingEvent{
		Channel: p.id, Type: e.Type, Source: e.Source, Frame: e.Frame, Time: e.Time, EndFrame: e.EndFrame, End: e.End,
	})
}

// settle writes down the end of what was found.
func (c *channels) settle(ctx context.Context, channel string, e api.ShowEvent) {
	if err := c.showLog.end(context.WithoutCancel(ctx), channel, e); err != nil {
		c.log.Error("log the end of a finding", "channel", channel, "err", err)
	}
}

// settleBefore ends what earlier runs of the channel found and did not see the end
// of, with the last frame that they stored.
func (c *channels) settleBefore(channel string, last media.Time) {
	grid, ok := c.gridOf(channel)
	if !ok {
		return
	}
	for _, e := range c.showLog.lasting(channel) {
		e.EndFrame = max(grid.Rate.Index(last), e.Frame) + 1
		e.End = stamp(grid.Rate.At(e.EndFrame))
		c.settle(context.Background(), channel, e)
	}
}

// newestStored is when the last stored frame of a channel was due; 0 for none.
func newestStored(store *record.Store) media.Time {
	if listings := store.Edge().Listings(); len(listings) > 0 {
		return newestFrame(listings[0])
	}
	return 0
}

// finds says whether events of that type last, and have a source.
func finds(t api.ShowEventType) bool {
	switch t {
	case api.ShowEventTypeBlack, api.ShowEventTypeFrozen, api.ShowEventTypeSilent:
		return true
	}
	return false
}

// end gives an event that lasts its end. One that is not known, because its page
// was full or has expired, is none.
func (l *showLog) end(ctx context.Context, channel string, e api.ShowEvent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	page := pageOf(media.TimeOf(e.Time.Time))
	d, known := l.channel(channel)[page]
	at := slices.IndexFunc(d.Events, func(other api.ShowEvent) bool {
		return other.Type == e.Type && other.Source == e.Source && other.Frame == e.Frame
	})
	if !known || at < 0 {
		return nil
	}
	d.Events = slices.Clone(d.Events)
	d.Events[at] = e
	return l.put(ctx, d)
}

// lasting are the findings whose end is not known.
func (l *showLog) lasting(channel string) (events []api.ShowEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, page := range slices.Sorted(maps.Keys(l.pages[channel])) {
		for _, e := range l.pages[channel][page].Events {
			if finds(e.Type) && e.EndFrame == 0 {
				events = append(events, e)
			}
		}
	}
	return events
}

// findingTroubles are the findings of a channel that are alarms: those of the
// program, and of the sources that are on it. A program that was faded to black is
// meant to be black and silent.
func findingTroubles(run *channel, limits api.AlarmThresholds, black bool, onProgram func(source string) bool, now media.Time) (list []trouble) {
	for _, f := range run.findings.last() {
		var limit int
		switch f.Kind {
		case worker.FindingBlack:
			limit = limits.BlackMs
		case worker.FindingFrozen:
			limit = limits.FrozenMs
		case worker.FindingSilent:
			limit = limits.SilentMs
		}
		lasted := now.Sub(run.Grid.Rate.At(f.Begin))
		if limit == 0 || lasted < time.Duration(limit)*time.Millisecond || f.Source == "" && black || f.Source != "" && !onProgram(f.Source) {
			continue
		}
		t := trouble{
			code: "program." + string(f.Kind), severity: api.Critical,
			detail: fmt.Sprintf("The program is %s since %s.", f.Kind, run.Grid.Rate.At(f.Begin).UTC().Format("15:04:05")),
			hint:   "Look at what is on program; docs/findings.md says what counts.",
		}
		if f.Source != "" {
			t.code, t.source = "source."+string(f.Kind), f.Source
			t.detail = fmt.Sprintf("The source %q is on program and %s since %s.", f.Source, f.Kind, run.Grid.Rate.At(f.Begin).UTC().Format("15:04:05"))
			t.hint = "Cut to another scene, or see to its encoder."
		}
		list = append(list, t)
	}
	return list
}
