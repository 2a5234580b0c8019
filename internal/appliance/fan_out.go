package appliance

import (
	"slices"
	"sync"

	"millrace/internal/media"
)

// fanOut hands every packet of a channel's program to the sinks that take its
// rendition. Sinks come and go from any goroutine at any time; the zero value
// has none. One goroutine at a time writes.
type fanOut struct {
	mu      sync.RWMutex
	outlets []*outlet
}

type outlet struct {
	sink media.Sink
	take func(*media.Track) bool
}

// Write gives p to the sinks in the order in which they were added.
func (f *fanOut) Write(p *media.Packet) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, o := range f.outlets {
		if o.take == nil || o.take(p.Track) {
			o.sink.Write(p)
		}
	}
}

// add gives a sink what comes from now on, of the renditions that take says; nil
// is all of them. After remove returned the sink is written to no more; a sink
// must not call it from within Write.
func (f *fanOut) add(sink media.Sink, take func(*media.Track) bool) (remove func()) {
	o := &outlet{sink, take}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outlets = append(f.outlets, o)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.outlets = slices.DeleteFunc(f.outlets, func(other *outlet) bool { return other == o })
	}
}
