package appliance

import (
	"context"

	"millrace/mixer/worker"
)

// reporting hands what a worker says of itself to those who look at it. They look
// at sources and channels too, which may wait for a slow disk of the node's data;
// the worker's packets, which come the same way, must not.
type reporting struct {
	newest chan worker.Report // capacity 1: who is late sees the newest only
}

func newReporting() *reporting { return &reporting{newest: make(chan worker.Report, 1)} }

// put never blocks. It is called by one goroutine at a time.
func (r *reporting) put(report worker.Report) {
	select {
	case <-r.newest:
	default:
	}
	r.newest <- report
}

// run hands reports on until the context ends.
func (r *reporting) run(ctx context.Context, take func(worker.Report)) {
	for {
		select {
		case report := <-r.newest:
			take(report)
		case <-ctx.Done():
			return
		}
	}
}
