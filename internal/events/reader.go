package events

import "slices"

// maxSignals is how many signals may wait for a reader: one of each of a few
// topics.
const maxSignals = 8

// Reader gets the events that happen while it is open.
type Reader struct {
	bus     *Bus
	events  chan Event
	signals chan Event
	filter  Filter   // changes under bus.mu
	topics  []string // likewise
}

// Subscribe opens a reader. After is the id of the last event that it has seen,
// or empty: past holds what came since. Whole is false when that cannot be said,
// because it is too long ago or the node has been started since.
func (b *Bus) Subscribe(filter Filter, after string) (reader *Reader, past []Event, whole bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.readers) >= maxReaders {
		return nil, nil, false, ErrFull
	}
	past, whole = b.since(filter, after)
	reader = &Reader{
		bus: b, filter: filter,
		events: make(chan Event, maxWaiting), signals: make(chan Event, maxSignals),
	}
	b.readers[reader] = struct{}{}
	return reader, past, whole, nil
}

// since is what came after an event; the caller holds mu.
func (b *Bus) since(filter Filter, after string) (past []Event, whole bool) {
	if after == "" {
		return nil, true
	}
	seen := slices.IndexFunc(b.past, func(e Event) bool { return e.ID == after })
	if seen < 0 {
		return nil, false
	}
	for _, event := range b.past[seen+1:] {
		if filter.Matches(event.Type) {
			past = append(past, event)
		}
	}
	return past, true
}

// Events are those that pass the filter, in order. It is closed when the reader
// fell too far behind, or was closed.
func (r *Reader) Events() <-chan Event { return r.events }

// Signals are those of the watched topics. It is never closed.
func (r *Reader) Signals() <-chan Event { return r.signals }

// Select changes which events and which topics the reader gets from now on.
func (r *Reader) Select(filter Filter, topics []string) {
	r.bus.mu.Lock()
	defer r.bus.mu.Unlock()
	if _, open := r.bus.readers[r]; open {
		r.filter = filter
		r.bus.watch(r, slices.Compact(slices.Sorted(slices.Values(topics))))
	}
}

// watch changes a reader's topics; the caller holds mu.
func (b *Bus) watch(reader *Reader, topics []string) {
	for _, topic := range reader.topics {
		if b.interest[topic]--; b.interest[topic] == 0 {
			delete(b.interest, topic)
		}
	}
	reader.topics = topics
	for _, topic := range topics {
		b.interest[topic]++
	}
}

// Close ends the reader.
func (r *Reader) Close() {
	r.bus.mu.Lock()
	defer r.bus.mu.Unlock()
	r.bus.drop(r)
}
