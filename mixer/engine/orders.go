package engine

import (
	"fmt"
	"slices"
	"sync"

	"millrace/mixer/worker"
)

// mostOrders bounds the commands that wait for their frame.
const mostOrders = 256

// orders are the commands that wait for their tick. Safe for concurrent use.
type orders struct {
	mu      sync.Mutex
	waiting []order // as they came
	closed  bool
}

type order struct {
	command worker.Command
	reply   func(worker.Ack)
}

func (o *orders) add(command worker.Command, reply func(worker.Ack)) {
	o.mu.Lock()
	refused := ""
	switch {
	case o.closed:
		refused = "the mixer is stopping"
	case len(o.waiting) >= mostOrders:
		refused = fmt.Sprintf("%d commands wait already", mostOrders)
	default:
		o.waiting = append(o.waiting, order{command, reply})
	}
	o.mu.Unlock()
	if refused != "" {
		reply(worker.Ack{ID: command.ID, Code: worker.AckInvalid, Error: refused})
	}
}

// due takes out the commands for tick n and those that came too late.
func (o *orders) due(n int64) (now []order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return nil
	}
	o.waiting = slices.DeleteFunc(o.waiting, func(w order) bool {
		due := w.command.At <= n
		if due {
			now = append(now, w)
		}
		return due
	})
	return now
}

// refuse answers everything that waits: the mixer stops.
func (o *orders) refuse() {
	o.mu.Lock()
	waiting := o.waiting
	o.waiting, o.closed = nil, true
	o.mu.Unlock()
	for _, w := range waiting {
		w.reply(worker.Ack{ID: w.command.ID, Code: worker.AckInvalid, Error: "the mixer is stopping"})
	}
}
