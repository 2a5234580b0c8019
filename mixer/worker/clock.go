package worker

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"millrace/internal/media"
)

// ClockAnchor hands the channel timeline to another process: the instant of
// the timeline at one reading of the machine's CLOCK_MONOTONIC.
type ClockAnchor struct {
	Time      media.Time `json:"time"`      // nanoseconds since the Unix epoch
	Monotonic int64      `json:"monotonic"` // nanoseconds
}

// Anchor reads clock and the monotonic clock together.
func Anchor(clock *media.Clock) (ClockAnchor, error) {
	monotonic, err := monotonicNow()
	if err != nil {
		return ClockAnchor{}, err
	}
	return ClockAnchor{Time: clock.Now(), Monotonic: monotonic}, nil
}

// Clock is the anchored timeline in this process.
func (a ClockAnchor) Clock() (*media.Clock, error) {
	monotonic, err := monotonicNow()
	if err != nil {
		return nil, err
	}
	return media.NewClock(a.Time.Add(time.Duration(monotonic-a.Monotonic)), time.Now()), nil
}

func monotonicNow() (int64, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0, fmt.Errorf("read monotonic clock: %w", err)
	}
	return now.Nano(), nil
}
