package rtmp

import (
	"log/slog"
	"sync"
	"time"
)

// quiet is a log for what strangers cause: one line a second, which counts
// those that were left out before it.
type quiet struct {
	log *slog.Logger

	mu      sync.Mutex
	last    time.Time
	omitted int
}

func (q *quiet) warn(text string, args ...any) {
	q.mu.Lock()
	now := time.Now()
	if now.Sub(q.last) < time.Second {
		q.omitted++
		q.mu.Unlock()
		return
	}
	omitted := q.omitted
	q.last, q.omitted = now, 0
	q.mu.Unlock()
	if omitted > 0 {
		args = append(args, "omitted", omitted)
	}
	q.log.Warn(text, args...)
}
