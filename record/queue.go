package record

import "sync"

// queue hands groups to the writer. It is bounded by what the committer admits.
type queue struct {
	mu      sync.Mutex
	batches []*batch
	closed  bool
	signal  chan struct{}
}

func newQueue() *queue { return &queue{signal: make(chan struct{}, 1)} }

func (q *queue) push(b *batch) {
	q.mu.Lock()
	q.batches = append(q.batches, b)
	q.mu.Unlock()
	q.notify()
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.notify()
}

func (q *queue) notify() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// pop waits for groups and takes all of them; none are left when it gives none.
func (q *queue) pop() []*batch {
	for {
		q.mu.Lock()
		batches, closed := q.batches, q.closed
		q.batches = nil
		q.mu.Unlock()
		if len(batches) > 0 || closed {
			return batches
		}
		<-q.signal
	}
}
