package events

import (
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// What a Bus remembers and whom it serves.
const (
	rememberEvents = 2048
	rememberBytes  = 4 << 20
	maxReaders     = 512
	maxWaiting     = 512 // events that one reader may be behind
)

// ErrFull says that there are as many readers as the node takes.
var ErrFull = errors.New("there are as many readers of events as this node takes")

// Bus hands what happens to its readers. All methods may be called from any
// goroutine, none waits for a reader. A nil Bus takes events and tells nobody.
type Bus struct {
	now func() time.Time // never goes back: ids are in its order
	log *slog.Logger

	mu       sync.Mutex
	entropy  io.Reader
	past     []Event // oldest first
	bytes    int     // of past
	readers  map[*Reader]struct{}
	interest map[string]int // readers by topic
}

// NewBus makes a Bus that takes its times from now.
func NewBus(now func() time.Time, log *slog.Logger) *Bus {
	return &Bus{
		now: now, log: log, entropy: ulid.Monotonic(ulid.DefaultEntropy(), 0),
		readers: map[*Reader]struct{}{}, interest: map[string]int{},
	}
}

// Publish tells and remembers that something happened. Data must encode as JSON.
func (b *Bus) Publish(kind string, data any) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.now()
	id, err := ulid.New(ulid.Timestamp(at), b.entropy)
	if err != nil { // 2^80 events in one millisecond
		b.log.Error("number event", "type", kind, "err", err)
		return
	}
	text, err := encode(id.String(), kind, at, data)
	if err != nil {
		b.log.Error("publish event", "err", err)
		return
	}
	event := Event{ID: id.String(), Type: kind, Text: text}
	b.remember(event)
	for reader := range b.readers {
		if reader.filter.Matches(kind) {
			b.give(reader, event)
		}
	}
}

// remember keeps an event for those who resume; the caller holds mu.
func (b *Bus) remember(event Event) {
	b.past = append(b.past, event)
	b.bytes += len(event.Text)
	drop := 0
	for len(b.past)-drop > rememberEvents || b.bytes > rememberBytes {
		b.bytes -= len(b.past[drop].Text)
		drop++
	}
	b.past = slices.Delete(b.past, 0, drop)
}

// give hands an event to a reader, or cuts him off; the caller holds mu.
func (b *Bus) give(reader *Reader, event Event) {
	select {
	case reader.events <- event:
	default:
		b.drop(reader)
	}
}

// drop ends a reader; the caller holds mu.
func (b *Bus) drop(reader *Reader) {
	if _, ok := b.readers[reader]; !ok {
		return
	}
	delete(b.readers, reader)
	b.watch(reader, nil)
	close(reader.events)
}

// Wanted reports whether anybody reads the signals of a topic, so that nobody
// measures what nobody sees.
func (b *Bus) Wanted(topic string) bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.interest[topic] > 0
}

// Signal tells the readers of a topic how something is now. It is not
// remembered, and a reader who is busy misses it: the next one says more.
func (b *Bus) Signal(kind, topic string, data any) {
	if !b.Wanted(topic) {
		return
	}
	text, err := encode("", kind, b.now(), data)
	if err != nil {
		b.log.Error("signal", "err", err)
		return
	}
	event := Event{Type: kind, Topic: topic, Text: text}
	b.mu.Lock()
	defer b.mu.Unlock()
	for reader := range b.readers {
		if !slices.Contains(reader.topics, topic) {
			continue
		}
		select {
		case reader.signals <- event:
		default:
		}
	}
}

// Readers is how many there are.
func (b *Bus) Readers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.readers)
}
