package appliance

import (
	"slices"
	"sync"

	"millrace/mixer/worker"
)

// meterHub hands the meters of a channel on, across its runs and workers. The
// worker measures only while somebody listens.
type meterHub struct {
	mu        sync.Mutex
	listeners []*meterListener // immutable
	host      *worker.Host     // of the present run; nil between runs
	leave     func()           // ends the listening at host; nil while there is none
}

type meterListener struct{ to func(worker.Meters) }

// Meters calls to with every reading of a channel's meters, 20 a second while it
// is on air, until cancel. It must not block.
func (c *channels) Meters(id string, to func(worker.Meters)) (cancel func(), err error) {
	p, err := c.find(id)
	if err != nil {
		return nil, err
	}
	return p.meters.listen(to), nil
}

func (h *meterHub) listen(to func(worker.Meters)) (cancel func()) {
	l := &meterListener{to}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = append(slices.Clip(h.listeners), l)
	h.follow()
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.listeners = slices.DeleteFunc(slices.Clone(h.listeners), func(other *meterListener) bool { return other == l })
		h.follow()
	}
}

// run takes the host of a new run; nil when it is over.
func (h *meterHub) run(host *worker.Host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leave != nil {
		h.leave()
		h.leave = nil
	}
	h.host = host
	h.follow()
}

// follow listens at the host exactly while somebody listens here; mu is held.
func (h *meterHub) follow() {
	switch wanted := h.host != nil && len(h.listeners) > 0; {
	case wanted && h.leave == nil:
		h.leave = h.host.Meters(h.publish)
	case !wanted && h.leave != nil:
		h.leave()
		h.leave = nil
	}
}

func (h *meterHub) publish(m worker.Meters) {
	h.mu.Lock()
	listeners := h.listeners
	h.mu.Unlock()
	for _, l := range listeners {
		l.to(m)
	}
}
