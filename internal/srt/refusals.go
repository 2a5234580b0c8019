package srt

import (
	"log/slog"
	"time"
)

// refusals logs what strangers cause: one line a second, which counts those
// that were left out before it. One goroutine.
type refusals struct {
	log     *slog.Logger
	last    time.Time
	omitted uint64
}

func (r *refusals) tell(refused Refused) {
	r.omitted += refused.Omitted
	now := time.Now()
	if now.Sub(r.last) < time.Second {
		r.omitted++
		return
	}
	args := []any{"remote", refused.Remote, "code", int(refused.Code), "reason", refused.Code.String()}
	if refused.Source != "" {
		args = append(args, "source", refused.Source)
	}
	if r.omitted > 0 {
		args = append(args, "omitted", r.omitted)
	}
	r.last, r.omitted = now, 0
	r.log.Warn("SRT caller refused", args...)
}
