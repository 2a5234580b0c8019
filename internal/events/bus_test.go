package events

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newBus() *Bus {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	return NewBus(func() time.Time { return at }, slog.New(slog.DiscardHandler))
}

func types(events []Event) (list []string) {
	for _, e := range events {
		list = append(list, e.Type)
	}
	return list
}

// waiting takes what a reader has.
func waiting(r *Reader) (list []Event) {
	for {
		select {
		case e, ok := <-r.Events():
			if !ok {
				return list
			}
			list = append(list, e)
		default:
			return list
		}
	}
}

func subscribe(t *testing.T, b *Bus, filter, after string) (*Reader, []Event, bool) {
	t.Helper()
	r, past, whole, err := b.Subscribe(ParseFilter(filter), after)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r, past, whole
}

func TestFilter(t *testing.T) {
	for _, row := range []struct {
		filter, kind string
		want         bool
	}{
		{"", "source.state", true}, {" , ", "source.state", true},
		{"source.state", "source.state", true}, {"source.state", "source.states", false},
		{"source.*", "source.state", true}, {"source.*", "sources.state", false},
		{"a,tally*", "tally.changed", true}, {"*", "anything", true}, {"a, b", "b", true},
	} {
		require.Equal(t, row.want, ParseFilter(row.filter).Matches(row.kind), "%q of %q", row.kind, row.filter)
	}
}

func TestReadersGetWhatTheyAskFor(t *testing.T) {
	b := newBus()
	all, past, whole := subscribe(t, b, "", "")
	require.Empty(t, past)
	require.True(t, whole)
	some, _, _ := subscribe(t, b, "tally.*", "")
	b.Publish("source.state", map[string]string{"source": "cam1"})
	b.Publish("tally.changed", map[string]string{"channel": "main"})

	got := waiting(all)
	require.Equal(t, []string{"source.state", "tally.changed"}, types(got))
	require.Equal(t, []string{"tally.changed"}, types(waiting(some)))
	require.Less(t, got[0].ID, got[1].ID, "ids are in order within a millisecond")
	require.JSONEq(t, `{"id":"`+got[0].ID+`","type":"source.state","time":"2026-11-20T12:00:00.000Z","data":{"source":"cam1"}}`, string(got[0].Text))

	some.Select(ParseFilter("source.*"), nil)
	b.Publish("source.state", nil)
	b.Publish("tally.changed", nil)
	require.Equal(t, []string{"source.state"}, types(waiting(some)))
}

func TestResume(t *testing.T) {
	b := newBus()
	first, _, _ := subscribe(t, b, "", "")
	for range 5 {
		b.Publish("a", nil)
		b.Publish("b", nil)
	}
	seen := waiting(first)
	first.Close()
	_, past, whole := subscribe(t, b, "", seen[3].ID)
	require.True(t, whole)
	require.Equal(t, seen[4:], past)
	_, past, whole = subscribe(t, b, "b", seen[3].ID)
	require.True(t, whole)
	require.Equal(t, []string{"b", "b", "b"}, types(past))
	_, past, whole = subscribe(t, b, "", seen[9].ID)
	require.True(t, whole)
	require.Empty(t, past)

	for _, unknown := range []string{"01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"} {
		_, past, whole = subscribe(t, b, "", unknown)
		require.False(t, whole)
		require.Empty(t, past)
	}
}

func TestThePastIsBounded(t *testing.T) {
	b := newBus()
	b.Publish("first", nil)
	first := b.past[0].ID
	for range rememberEvents {
		b.Publish("small", nil)
	}
	require.Len(t, b.past, rememberEvents)
	_, _, whole := subscribe(t, b, "", first)
	require.False(t, whole)

	large := strings.Repeat("x", rememberBytes/4)
	for range 10 {
		b.Publish("large", large)
	}
	require.Len(t, b.past, 3)
	sum := 0
	for _, e := range b.past {
		sum += len(e.Text)
	}
	require.Equal(t, sum, b.bytes)
	require.LessOrEqual(t, b.bytes, rememberBytes)
}

func TestASlowReaderIsCutOffAndNobodyWaits(t *testing.T) {
	b := newBus()
	slow, _, _ := subscribe(t, b, "", "")
	slow.Select(nil, []string{"main"})
	quick, _, _ := subscribe(t, b, "", "")
	for range maxWaiting {
		b.Publish("a", nil)
	}
	require.Len(t, waiting(quick), maxWaiting)
	b.Publish("last", nil)
	require.Equal(t, []string{"last"}, types(waiting(quick)))
	require.Len(t, waiting(slow), maxWaiting)
	_, open := <-slow.Events()
	require.False(t, open)
	require.False(t, b.Wanted("main"), "nothing of it is left")
	require.Equal(t, 1, b.Readers())
	slow.Close() // a second end is none
}

func TestSignals(t *testing.T) {
	b := newBus()
	r, _, _ := subscribe(t, b, "", "")
	other, _, _ := subscribe(t, b, "", "")
	b.Signal("meters", "main", 1)
	require.Empty(t, r.Signals())
	r.Select(nil, []string{"main", "main"})
	require.True(t, b.Wanted("main"))
	for range 3 * maxSignals {
		b.Signal("meters", "main", 1)
		b.Signal("meters", "other", 2)
	}
	require.Len(t, r.Signals(), maxSignals, "what is missed is missed")
	require.Empty(t, other.Signals())
	require.Empty(t, waiting(r), "signals take no room of events")
	require.Empty(t, b.past)
	text := (<-r.Signals()).Text
	require.JSONEq(t, `{"type":"meters","time":"2026-11-20T12:00:00.000Z","data":1}`, string(text))
	r.Select(nil, nil)
	require.False(t, b.Wanted("main"))
}

func TestReadersAreBounded(t *testing.T) {
	b := newBus()
	for range maxReaders {
		subscribe(t, b, "", "")
	}
	_, _, _, err := b.Subscribe(nil, "")
	require.ErrorIs(t, err, ErrFull)
}

func TestWhatCannotBeEncodedIsNoEvent(t *testing.T) {
	b := newBus()
	b.Publish("bad", func() {})
	require.Empty(t, b.past)
	var none *Bus
	none.Publish("a", nil)
	none.Signal("a", "b", nil)
}

// BenchmarkFiftyReaders is a signal to 50 readers: encoded once.
func BenchmarkFiftyReaders(b *testing.B) {
	bus := newBus()
	data := map[string]json.RawMessage{"sources": json.RawMessage(`{"cam1":{"peakDb":[-12.5,-13.1]}}`)}
	for range 50 {
		r, _, _, err := bus.Subscribe(nil, "")
		require.NoError(b, err)
		defer r.Close()
		r.Select(nil, []string{"main"})
	}
	for b.Loop() {
		bus.Signal("meters", "main", data)
	}
}
