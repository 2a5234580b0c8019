package worker

import (
	"context"
	"fmt"
	"time"
)

// unkillable is how long a killed process may keep its end of the socket: one
// that hangs in a driver cannot be killed, but its channel must go on.
const unkillable = 500 * time.Millisecond

// watch ends a worker that is silent, asks it to quit when ctx ends, and
// reports drops, until work ends.
func (s *session) watch(ctx, work context.Context) {
	limit := s.host.config.WatchLimit
	ticker := time.NewTicker(limit / 10)
	defer ticker.Stop()
	begin := time.Now()
	patience := patience{limit: limit, last: begin, until: begin}
	quit := ctx.Done()
	drops := dropLog{session: s, reported: begin}
	leak := leak{session: s, looked: begin}
	for {
		select {
		case <-work.Done():
			drops.log()
			return
		case <-quit:
			quit = nil
			if err := s.outbox.control(&Quit{}); err != nil {
				s.fail(fmt.Errorf("ask worker to quit: %w", err))
				return
			}
		case <-leak.over:
			leak.recycle()
		case <-ticker.C:
		}
		now := time.Now()
		fair := patience.judge(now) && quit != nil
		if err := s.overdue(); err != nil && fair {
			s.fail(fmt.Errorf("%w: %w", errSilent, err))
			return
		}
		drops.tick(now)
		leak.look(now)
	}
}

// patience says whether a worker's silence is its own. When this process
// itself stood still, what the worker sent meanwhile must be read first.
type patience struct {
	limit time.Duration
	last  time.Time // judgement
	until time.Time
}

func (p *patience) judge(now time.Time) bool {
	if now.Sub(p.last) > p.limit/2 {
		p.until = now.Add(p.limit)
	}
	p.last = now
	return !now.Before(p.until)
}

func (s *session) overdue() error {
	config := s.host.config
	if continuity := s.timeline(); continuity != nil {
		return continuity.Overdue(config.WatchLimit + config.Rate.Interval())
	}
	if waited := time.Since(s.began); waited > config.ReadyLimit {
		return fmt.Errorf("worker is not ready after %v", waited.Round(time.Millisecond))
	}
	return nil
}

// fail ends the session for a reason; receive sees its end.
func (s *session) fail(reason error) {
	s.mu.Lock()
	if s.failure == nil {
		s.failure = reason
	}
	s.mu.Unlock()
	s.process.Kill()
	timer := time.NewTimer(unkillable)
	defer timer.Stop()
	select {
	case <-s.over:
	case <-timer.C:
		_ = s.conn.Close()
	}
}

// dropLog says at most once a second that sources lost packets.
type dropLog struct {
	session  *session
	reported time.Time
	total    uint64
}

func (d *dropLog) tick(now time.Time) {
	if now.Sub(d.reported) >= time.Second {
		d.reported = now
		d.log()
	}
}

func (d *dropLog) log() {
	var total uint64
	dropped := d.session.outbox.dropped()
	for _, count := range dropped {
		total += count
	}
	if total > d.total {
		d.session.host.config.Log.Warn("worker too slow for its sources", "dropped", total-d.total, "sources", dropped)
		d.total = total
	}
}
