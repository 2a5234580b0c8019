package appliance

import (
	"context"
	"sync"
)

// task is a Run method that goes on in its own goroutine until it is stopped.
// Whoever starts one stops it.
type task struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// begin starts run under a context of its own.
func begin(ctx context.Context, run func(context.Context)) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel: cancel}
	t.done.Go(func() {
		defer cancel()
		run(ctx)
	})
	return t
}

// stop ends the task and waits for it. A nil task has ended already.
func (t *task) stop() {
	if t == nil {
		return
	}
	t.cancel()
	t.done.Wait()
}
