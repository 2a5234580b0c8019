package appliance

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"millrace/api"
	"millrace/internal/events"
)

const (
	webhookWaiting = 1000 // events of one webhook; the oldest give way
	webhookLog     = 200  // tries of one webhook
)

// pending is a message that is still to be taken.
type pending struct {
	message
	attempt int
	due     time.Time
}

// courier sends one webhook's events, one after the other, until it is stopped.
// What waits is lost when the node ends: who must have all reads /v1/events.
type courier struct {
	hooks *webhooks
	id    string
	task  *task

	mu      sync.Mutex
	after   string // the last event that was taken; "" where those from now on are wanted
	waiting []pending
	log     []api.Delivery // oldest first
	dropped int64
}

// run listens to the bus and sends until the context ends.
func (o *courier) run(ctx context.Context, filter events.Filter) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	o.mu.Lock()
	after := o.after
	o.mu.Unlock()
	for ctx.Err() == nil {
		reader, past, _, err := o.hooks.config.Bus.Subscribe(filter, after)
		if err != nil { // too many read; some go
			o.hooks.config.Log.Warn("webhook reads no events", "webhook", o.id, "err", err)
			timer.Reset(time.Second)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			continue
		}
		for _, event := range past {
			after = o.take(event)
		}
		after = o.follow(ctx, reader, timer, after)
		reader.Close()
	}
}

// follow takes events and sends what is due, until the reader was cut off.
func (o *courier) follow(ctx context.Context, reader *events.Reader, timer *time.Timer, after string) string {
	var sending sync.WaitGroup
	defer sending.Wait()
	sent := make(chan struct{}, 1)
	busy := false
	for {
		if !busy {
			if next, wait, ok := o.next(time.Now()); ok {
				busy = true
				sending.Go(func() {
					o.deliver(ctx, next)
					sent <- struct{}{}
				})
			} else {
				timer.Reset(wait)
			}
		}
		select {
		case <-ctx.Done():
			return after
		case event, open := <-reader.Events():
			if !open {
				return after
			}
			after = o.take(event)
		case <-sent:
			busy = false
		case <-timer.C:
		}
	}
}

// take adds an event to what waits and gives its id.
func (o *courier) take(event events.Event) string {
	m, err := messageOf(event)
	if err != nil { // the bus encoded it
		o.hooks.config.Log.Error("send event", "webhook", o.id, "err", err)
		return event.ID
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) >= webhookWaiting {
		o.waiting = slices.Delete(o.waiting, 0, 1)
		o.dropped++
	}
	o.waiting = append(o.waiting, pending{message: m, attempt: 1})
	o.after = event.ID
	return event.ID
}

// next takes out the first message that is due, or says how long there is none.
func (o *courier) next(now time.Time) (p pending, wait time.Duration, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wait = time.Hour
	for i, p := range o.waiting {
		if !p.due.After(now) {
			o.waiting = slices.Delete(o.waiting, i, i+1)
			return p, 0, true
		}
		wait = min(wait, p.due.Sub(now))
	}
	return pending{}, wait, false
}

// deliver tries a message and decides what becomes of it.
func (o *courier) deliver(ctx context.Context, p pending) {
	url, secrets, ok := o.hooks.target(o.id)
	if !ok {
		return // deleted or switched off just now
	}
	done := o.hooks.send(ctx, url, p.message, p.attempt, secrets...)
	if ctx.Err() != nil { // nothing can be said of it; it is sent again by its id
		o.mu.Lock()
		o.waiting = slices.Insert(o.waiting, 0, p)
		o.mu.Unlock()
		return
	}
	pauses := retryAfter()
	switch {
	case done.Ok:
	case done.Status == http.StatusGone: // Standard Webhooks: the receiver wants no more
		o.hooks.disable(ctx, o.id)
	case p.attempt <= len(pauses):
		p.due = time.Now().Add(pauses[p.attempt-1])
		done.NextAt = api.Timestamp{Time: p.due}
		p.attempt++
		o.mu.Lock()
		o.waiting = append(o.waiting, p)
		o.mu.Unlock()
	default:
		o.mu.Lock()
		o.dropped++
		o.mu.Unlock()
	}
	o.note(done)
}

// note writes a try down.
func (o *courier) note(d api.Delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, d)
	if len(o.log) > webhookLog {
		o.log = slices.Delete(o.log, 0, len(o.log)-webhookLog)
	}
}
