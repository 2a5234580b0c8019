package appliance

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"millrace/internal/media"
	"millrace/record"
)

// startClock begins the node's timeline: at the system's time, or, where a channel
// has stored later segments than that because the clock was set back, where those
// end. A channel then goes on at once, under names that were never used; the
// alternative is to wait for the next free number to be due.
func (n *Node) startClock(ctx context.Context) error {
	documents, err := n.state.List(ctx, kindChannel)
	if err != nil {
		return fmt.Errorf("list channels: %w", err)
	}
	ids := make([]string, 0, len(documents))
	for _, d := range documents {
		ids = append(ids, d.ID)
	}
	n.clock = media.StartClock()
	if free := newestOf(n.config.Storage.Volumes, ids, n.clock.Now()); free > 0 {
		now := time.Now()
		n.log.Warn("the system clock lies behind what is stored; the timeline goes on from there",
			"behind", free.Sub(media.TimeOf(now)).Round(time.Second), "timeline", free.UTC().Format(time.RFC3339))
		n.clock, n.ahead = media.NewClock(free, now), free
	}
	return nil
}

// newestOf is where the newest segment ends that one of the channels has stored and
// that begins after now; 0 where there is none.
func newestOf(volumes, channels []string, now media.Time) media.Time {
	var mu sync.Mutex
	var latest media.Time
	var looking sync.WaitGroup
	places := make(chan struct{}, runtime.NumCPU())
	for _, id := range channels {
		dirs := make([]string, len(volumes))
		for i, volume := range volumes {
			dirs[i] = filepath.Join(volume, id)
		}
		looking.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			begin, next, ok, err := record.Newest(dirs)
			if err != nil || !ok || begin <= now { // a store that cannot be read says so when it is opened
				return
			}
			mu.Lock()
			latest = max(latest, next)
			mu.Unlock()
		})
	}
	looking.Wait()
	return latest
}

// clockHint says what to do about a clock that is off the timeline.
func (n *Node) clockHint() string {
	if n.ahead == 0 {
		return "The timeline never steps. See to the machine's clock synchronisation; a restart of the node takes its time again."
	}
	return "At the start the clock lay behind the stored segments, and the timeline began where those end. See to the machine's clock synchronisation; " +
		"once its clock has passed what is stored, a restart of the node takes its time again."
}
