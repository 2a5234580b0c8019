package appliance

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"millrace/api"
	"millrace/internal/events"
	"millrace/internal/state"
)

const (
	kindAlarm      = "alarm"
	kindThresholds = "thresholds"
	alarmsKept     = 500              // cleared ones
	clearAfter     = 20 * time.Second // of calm: what comes and goes is one alarm
	sameWithin     = 10 * time.Minute // what comes back within it is the same alarm
)

// trouble is something that is wrong at this moment.
type trouble struct {
	code, channel, source string
	severity              api.AlarmSeverity
	detail, hint          string
	lasting               time.Duration // how long it is wrong before it is an alarm
}

// key says which troubles are one.
func (t trouble) key() string { return t.code + " " + t.channel + " " + t.source }

func keyOf(a api.Alarm) string {
	return trouble{code: a.Code, channel: a.Channel, source: a.Source}.key()
}

// alarms keeps what is wrong until it is over, and a while longer. Nothing is
// raised for a moment, nothing cleared in a moment. It implements api.Alarms.
type alarms struct {
	store state.Store
	bus   *events.Bus
	log   *slog.Logger
	now   func() time.Time

	mu         sync.Mutex
	byID       map[string]api.Stored[api.Alarm]
	latest     map[string]string    // id of the newest alarm, by key
	wrong      map[string]time.Time // since when, by key
	calm       map[string]time.Time // since when an active alarm's trouble is gone, by key
	thresholds api.Stored[api.AlarmThresholds]
}

func defaultThresholds() api.AlarmThresholds {
	return api.AlarmThresholds{SourceLostMs: 2000, WorkerRestarts: 3, LateTicksPercent: 1, DiskDays: 2, TemperatureC: 90}
}

func openAlarms(ctx context.Context, store state.Store, bus *events.Bus, now func() time.Time, log *slog.Logger) (*alarms, error) {
	known, err := loadAll[api.Alarm](ctx, store, kindAlarm)
	if err != nil {
		return nil, err
	}
	thresholds, err := loadAll[api.AlarmThresholds](ctx, store, kindThresholds)
	if err != nil {
		return nil, err
	}
	a := &alarms{
		store: store, bus: bus, log: log, now: now,
		byID: known, latest: map[string]string{}, wrong: map[string]time.Time{}, calm: map[string]time.Time{},
		thresholds: api.Stored[api.AlarmThresholds]{Value: defaultThresholds()},
	}
	if stored, ok := thresholds[kindThresholds]; ok {
		a.thresholds = stored
	}
	for id, alarm := range known {
		key := keyOf(alarm.Value)
		a.latest[key] = max(a.latest[key], id)
	}
	return a, nil
}

// observe takes all that is wrong now.
func (a *alarms) observe(ctx context.Context, troubles []trouble) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	present := map[string]bool{}
	for _, t := range troubles {
		key := t.key()
		present[key] = true
		delete(a.calm, key)
		if _, ok := a.wrong[key]; !ok {
			a.wrong[key] = now
		}
		if now.Sub(a.wrong[key]) >= t.lasting {
			a.raise(ctx, t, now)
		}
	}
	for key := range a.wrong {
		if !present[key] {
			delete(a.wrong, key)
		}
	}
	for key, id := range a.latest {
		if a.byID[id].Value.State != api.AlarmStateActive || present[key] {
			continue
		}
		if _, ok := a.calm[key]; !ok {
			a.calm[key] = now
		}
		if now.Sub(a.calm[key]) >= clearAfter {
			a.clear(ctx, id, now)
		}
	}
}

// raise makes an alarm of a trouble, or brings its last one back; the caller
// holds mu.
func (a *alarms) raise(ctx context.Context, t trouble, now time.Time) {
	last, known := a.byID[a.latest[t.key()]]
	alarm := last.Value
	switch {
	case known && alarm.State == api.AlarmStateActive:
		if alarm.Severity == t.severity {
			return
		}
		alarm.Severity, alarm.Detail = t.severity, t.detail
		a.keep(ctx, alarm, "alarm.changed")
		return
	case known && now.Sub(alarm.ClearedAt.Time) < sameWithin:
		alarm.Count++
		alarm.ClearedAt, alarm.AcknowledgedAt, alarm.AcknowledgedBy = api.Timestamp{}, api.Timestamp{}, ""
	default:
		alarm = api.Alarm{Id: ulid.Make().String(), Code: t.code, Channel: t.channel, Source: t.source, Count: 1}
	}
	alarm.State, alarm.Severity, alarm.Detail, alarm.Hint = api.AlarmStateActive, t.severity, t.detail, t.hint
	alarm.RaisedAt = api.Timestamp{Time: now}
	a.latest[t.key()] = alarm.Id
	a.log.Warn("alarm raised", "code", t.code, "channel", t.channel, "source", t.source, "severity", t.severity, "detail", t.detail)
	a.keep(ctx, alarm, "alarm.raised")
	a.forget(ctx)
}

// clear ends an alarm; the caller holds mu.
func (a *alarms) clear(ctx context.Context, id string, now time.Time) {
	alarm := a.byID[id].Value
	alarm.State, alarm.ClearedAt = api.AlarmStateCleared, api.Timestamp{Time: now}
	delete(a.calm, keyOf(alarm))
	a.log.Info("alarm cleared", "code", alarm.Code, "channel", alarm.Channel, "source", alarm.Source)
	a.keep(ctx, alarm, "alarm.cleared")
}

// keep stores an alarm and tells of it; the caller holds mu. Where the disk does
// not take it, which may be what the alarm is about, it holds in memory.
func (a *alarms) keep(ctx context.Context, alarm api.Alarm, event string) api.Stored[api.Alarm] {
	stored, err := put(ctx, a.store, kindAlarm, alarm.Id, alarm, uint64(state.AnyRevision))
	if err != nil {
		a.log.Error("store alarm", "code", alarm.Code, "err", err)
		stored = api.Stored[api.Alarm]{Value: alarm, Revision: a.byID[alarm.Id].Revision}
	}
	a.byID[alarm.Id] = stored
	a.bus.Publish(event, alarm)
	return stored
}

// forget lets go of the oldest that are cleared; the caller holds mu.
func (a *alarms) forget(ctx context.Context) {
	var cleared []string
	for id, alarm := range a.byID {
		if alarm.Value.State == api.AlarmStateCleared {
			cleared = append(cleared, id)
		}
	}
	slices.Sort(cleared)
	for _, id := range cleared[:max(0, len(cleared)-alarmsKept)] {
		if err := remove(ctx, a.store, kindAlarm, id, uint64(state.AnyRevision)); err != nil {
			a.log.Error("remove old alarm", "err", err)
			return
		}
		if key := keyOf(a.byID[id].Value); a.latest[key] == id {
			delete(a.latest, key)
		}
		delete(a.byID, id)
	}
}

// ListAlarms implements api.Alarms.
func (a *alarms) ListAlarms() []api.Stored[api.Alarm] {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]api.Stored[api.Alarm], 0, len(a.byID))
	for _, alarm := range a.byID {
		list = append(list, alarm)
	}
	slices.SortFunc(list, func(x, y api.Stored[api.Alarm]) int { return cmp.Compare(x.Value.Id, y.Value.Id) })
	return list
}

// GetAlarm implements api.Alarms.
func (a *alarms) GetAlarm(id string) (api.Stored[api.Alarm], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	alarm, ok := a.byID[id]
	if !ok {
		return alarm, api.NotFound("alarm", id)
	}
	return alarm, nil
}

// Acknowledge implements api.Alarms.
func (a *alarms) Acknowledge(ctx context.Context, id string) (api.Stored[api.Alarm], error) {
	who := api.Who(ctx)
	return a.change(ctx, id, func(alarm *api.Alarm) {
		if alarm.AcknowledgedAt.IsZero() {
			alarm.AcknowledgedAt = api.Timestamp{Time: a.now()}
			alarm.AcknowledgedBy = cmp.Or(who.Name, who.ID, string(who.Kind))
		}
	})
}

// Shelve implements api.Alarms.
func (a *alarms) Shelve(ctx context.Context, id string, d time.Duration) (api.Stored[api.Alarm], error) {
	return a.change(ctx, id, func(alarm *api.Alarm) {
		alarm.ShelvedUntil = api.Timestamp{}
		if d > 0 {
			alarm.ShelvedUntil = api.Timestamp{Time: a.now().Add(d)}
		}
	})
}

func (a *alarms) change(ctx context.Context, id string, change func(*api.Alarm)) (api.Stored[api.Alarm], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	stored, ok := a.byID[id]
	if !ok {
		return stored, api.NotFound("alarm", id)
	}
	changed := stored.Value
	change(&changed)
	if changed == stored.Value {
		return stored, nil
	}
	return a.keep(ctx, changed, "alarm.changed"), nil
}

// active is how many alarms of a severity hold, without those on the shelf.
func (a *alarms) active(severity api.AlarmSeverity) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, alarm := range a.byID {
		v := alarm.Value
		if v.State == api.AlarmStateActive && v.Severity == severity && !a.now().Before(v.ShelvedUntil.Time) {
			n++
		}
	}
	return n
}

// Thresholds implements api.Alarms.
func (a *alarms) Thresholds() api.Stored[api.AlarmThresholds] {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.thresholds
}

// UpdateThresholds implements api.Alarms.
func (a *alarms) UpdateThresholds(ctx context.Context, match api.Match, change func(api.AlarmThresholds) (api.AlarmThresholds, error)) (api.Stored[api.AlarmThresholds], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !match.Holds(a.thresholds.Revision) {
		return a.thresholds, api.Stale()
	}
	changed, err := change(a.thresholds.Value)
	if err != nil {
		return a.thresholds, err
	}
	stored, err := put(ctx, a.store, kindThresholds, kindThresholds, changed, a.thresholds.Revision)
	if err == nil {
		a.thresholds = stored
	}
	return a.thresholds, err
}
