package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"millrace/gpu"
	"millrace/internal/media"
)

// picturesAhead bounds the decoded pictures of one source that wait for their
// tick.
const picturesAhead = 8

// pictures are one source's decoded frames around the present tick: the one on
// screen and those that wait. A decoder puts, the tick looks.
//
// On screen is the newest picture that is due. Where a picture becomes due right
// at a tick, jitter would make it come now a tick sooner and now a tick later;
// so it is shown up to half a tick early where that keeps the age at which
// pictures come on screen.
type pictures struct {
	tick   time.Duration // from tick to tick
	mu     sync.Mutex
	frames []picture     // by PTS
	now    media.Time    // the newest tick
	shown  media.Time    // PTS of the picture shown last
	age    time.Duration // that pictures have on their first tick, averaged; negative: they come early
	count  uint64        // frames put
	room   chan struct{} // a tick may have made room for the decoder of pictures
	ticked chan struct{} // the same for the decoder of sound
}

// picture is a decoded frame with its way so far.
type picture struct {
	*gpu.Frame            // nil: none
	stamp      media.Time // its packet's
	decoded    media.Time
}

func newPictures(tick time.Duration) *pictures {
	return &pictures{tick: tick, room: make(chan struct{}, 1), ticked: make(chan struct{}, 1)}
}

// put takes over the caller's reference. A picture that comes before others
// (the source's time was moved back) replaces them.
func (q *pictures) put(f picture) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count++
	for n := len(q.frames); n > 0 && q.frames[n-1].PTS >= f.PTS; n-- {
		q.frames[n-1].Release()
		q.frames = q.frames[:n-1]
	}
	q.frames = append(q.frames, f)
	q.prune()
}

// prune releases what a later picture has replaced on screen.
func (q *pictures) prune() {
	due := 0
	for due < len(q.frames) && q.frames[due].PTS <= q.now {
		due++
	}
	for ; due > 1; due-- {
		q.frames[0].Release()
		q.frames = slices.Delete(q.frames, 0, 1)
	}
}

// at moves the tick to t and gives the picture on screen, if there is one: the
// same however often a tick asks. The caller owns a reference.
func (q *pictures) at(t media.Time) (shown picture) {
	q.mu.Lock()
	again := t <= q.now
	q.now = max(q.now, t)
	q.prune()
	if !again && q.early(t) {
		q.frames[0].Release()
		q.frames = slices.Delete(q.frames, 0, 1)
		q.show(q.frames[0], t)
	}
	if len(q.frames) > 0 && (q.frames[0].PTS <= t || q.frames[0].PTS == q.shown) {
		shown = q.frames[0]
		shown.Retain()
		q.show(shown, t)
	}
	q.mu.Unlock()
	signal(q.room)
	signal(q.ticked)
	return shown
}

// ageShare is how much one picture counts in the average of ages.
const ageShare = 8

func (q *pictures) show(f picture, t media.Time) {
	if f.PTS == q.shown {
		return
	}
	change := t.Sub(f.PTS) - q.age
	if q.shown != 0 && change.Abs() < q.tick/2 {
		change /= ageShare
	}
	q.shown = f.PTS
	q.age += change
}

// early reports whether the picture that is due next shall come on screen at t
// already: its age would then be nearer to that of those before than if it came
// at the next tick, or than that of the picture that has become due.
func (q *pictures) early(t media.Time) bool {
	if q.shown == 0 || len(q.frames) < 2 || q.frames[0].PTS > t {
		return false
	}
	now := t.Sub(q.frames[1].PTS) // age
	otherwise := t.Sub(q.frames[0].PTS)
	if q.frames[0].PTS == q.shown {
		otherwise = now + q.tick
	}
	return now < 0 && now >= -q.tick/2 && (now-q.age).Abs() < (otherwise-q.age).Abs()
}

// signal wakes the receiver of a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// present is the newest tick seen.
func (q *pictures) present() media.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.now
}

// wait returns once fewer than picturesAhead pictures wait for their tick.
func (q *pictures) wait(ctx context.Context) error {
	for {
		q.mu.Lock()
		ahead := 0
		for _, f := range q.frames {
			if f.PTS > q.now {
				ahead++
			}
		}
		q.mu.Unlock()
		if ahead < picturesAhead {
			return nil
		}
		select {
		case <-q.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release gives up every picture.
func (q *pictures) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range q.frames {
		f.Release()
	}
	q.frames = nil
}

// nextTick returns once the tick moved on, for the source's sound.
func (q *pictures) nextTick(ctx context.Context) error {
	select {
	case <-q.ticked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// total counts the pictures put.
func (q *pictures) total() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// begin says that the first tick is at t.
func (q *pictures) begin(t media.Time) {
	q.mu.Lock()
	q.now = t - 1
	q.mu.Unlock()
}
