package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// judgeWhep is what only viewers meet.
func (e *endpoint) judgeWhep(ctx context.Context) error {
	head := e.Client.do(ctx, http.MethodHead, e.url)
	e.Report.Expect("E03", head.Status == http.StatusOK && head.Header.Get("Content-Type") == offerType, "HEAD %s %q", head, head.Header.Get("Content-Type"))
	p, a, err := e.open(ctx)
	if err != nil {
		return err
	}
	e.Report.Expect("E01", a.Header.Get("Location") != "" && a.Header.Get("Content-Type") == offerType, "%s without Location or type", a)
	if e.Idle != "" {
		idle := e.ask(ctx, http.MethodPost, e.Idle, p.offer, "Content-Type", offerType)
		seconds, err := strconv.Atoi(idle.Header.Get("Retry-After"))
		e.Report.Expect("E02", idle.Status == http.StatusConflict && err == nil && seconds > 0, "%s, Retry-After %q", idle, idle.Header.Get("Retry-After"))
	}
	defer e.leave(ctx, p)
	if err := p.accept(ctx); err != nil {
		e.Report.Expect("E01", false, "%v", err)
		return nil
	}
	e.judgeDelay(ctx, p)
	return nil
}

// judgeDelay measures how old pictures are when they come, by the time that
// sender reports give them (E06): all but the camera's and the screen's part.
func (e *endpoint) judgeDelay(ctx context.Context, p *peer) {
	const most, enough = 500 * time.Millisecond, 50
	deadline := time.Now().Add(connectLimit)
	var values []time.Duration
	for len(values) < enough && time.Now().Before(deadline) && ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
		p.delays.mu.Lock()
		values = slices.Clone(p.delays.values)
		p.delays.mu.Unlock()
	}
	if !e.Report.Expect("E06", len(values) >= enough, "%d pictures with a time", len(values)) {
		return
	}
	slices.Sort(values)
	p95 := values[len(values)*95/100]
	e.Report.Expect("E06", p95 < most, "p95 %v from a picture's time to its arrival", p95)
	e.Report.Note("E06", "p50 %v, p95 %v from a picture's time to its arrival", values[len(values)/2].Round(time.Millisecond), p95.Round(time.Millisecond))
}
