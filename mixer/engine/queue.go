package engine

import (
	"context"
	"sync"
	"time"

	"millrace/internal/media"
)

// What one stream of a source may keep undecoded. A GOP cache replays at most
// 10 s or 16 MB at once.
const (
	queuePackets = 2048
	queueBytes   = 24 << 20
)

// queue holds one stream's packets between the socket and its decoder. Newest
// wins: when it is full, or when its head lags behind the ticks, it drops to
// the next keyframe. put is called from one goroutine, take from another.
type queue struct {
	mu      sync.Mutex
	packets []*media.Packet
	bytes   int
	track   *media.Track
	needKey bool // drop until decoding can begin
	ended   bool // the publisher is gone, the decoder may give out all it holds
	dropped uint64
	wake    chan struct{}
}

func newQueue() *queue { return &queue{needKey: true, wake: make(chan struct{}, 1)} }

// put never blocks. A new track begins with a keyframe.
func (q *queue) put(p *media.Packet) {
	q.mu.Lock()
	if p.Track != q.track {
		q.track, q.needKey = p.Track, true
	}
	if q.needKey && !p.Key && p.Track.Kind == media.Video {
		q.dropped++
		q.mu.Unlock()
		return
	}
	q.needKey, q.ended = false, false
	q.packets = append(q.packets, p)
	q.bytes += len(p.Data)
	if len(q.packets) > queuePackets || q.bytes > queueBytes {
		q.overflow()
	}
	q.mu.Unlock()
	signal(q.wake)
}

// end says that nothing follows for now.
func (q *queue) end() {
	q.mu.Lock()
	q.ended, q.needKey = true, true
	q.mu.Unlock()
	signal(q.wake)
}

// overflow drops to the newest keyframe, or all if that is the oldest packet.
func (q *queue) overflow() {
	key := q.newestKey(media.Time(1<<63 - 1))
	if key <= 0 {
		key = len(q.packets)
		q.needKey = true
	}
	q.drop(key)
}

// newestKey is the index of the newest keyframe due at or before t, or -1.
func (q *queue) newestKey(t media.Time) int {
	for i := len(q.packets) - 1; i >= 0; i-- {
		if q.packets[i].Key && q.packets[i].PTS <= t {
			return i
		}
	}
	return -1
}

func (q *queue) drop(n int) {
	for _, p := range q.packets[:n] {
		q.bytes -= len(p.Data)
	}
	q.dropped += uint64(n)
	q.packets = append(q.packets[:0:0], q.packets[n:]...)
}

// lag is how far the head may lie behind the ticks before the decoder skips to
// a later keyframe that is due.
const lag = 500 * time.Millisecond

// take waits for the next packet; nil means that all before end were taken. now
// is the newest tick.
func (q *queue) take(ctx context.Context, now func() media.Time) (*media.Packet, error) {
	for {
		if p, ok := q.next(now()); ok {
			return p, nil
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *queue) next(now media.Time) (p *media.Packet, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.packets) == 0 {
		ok, q.ended = q.ended, false
		return nil, ok
	}
	if head := q.packets[0]; head.Track.Kind == media.Video && head.PTS.Add(lag) < now {
		if key := q.newestKey(now); key > 0 {
			q.drop(key)
		}
	}
	p = q.packets[0]
	q.packets[0] = nil
	q.packets = q.packets[1:]
	q.bytes -= len(p.Data)
	return p, true
}

// held is what waits for the decoder: packets and their bytes.
func (q *queue) held() (packets, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.packets), q.bytes
}

// drops counts the packets that were never decoded.
func (q *queue) drops() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
