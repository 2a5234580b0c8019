package rtmp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"millrace/ingest"
	"millrace/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// feed is a session that remembers what it was given.
type feed struct {
	mu      sync.Mutex
	units   []ingest.AccessUnit
	closed  chan struct{}
	reason  error
	changed chan struct{} // closed at each write, then renewed
	revoke  chan struct{}
	why     error
}

func newFeed() *feed {
	return &feed{closed: make(chan struct{}), changed: make(chan struct{}), revoke: make(chan struct{})}
}

func (f *feed) Write(u ingest.AccessUnit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.units = append(f.units, u)
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feed) Close(reason error)       { f.reason = reason; close(f.closed) }
func (f *feed) Revoked() <-chan struct{} { return f.revoke }
func (f *feed) Reason() error            { return f.why }

// until waits until enough says yes to the units so far.
func (f *feed) until(t *testing.T, enough func([]ingest.AccessUnit) bool) []ingest.AccessUnit {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		f.mu.Lock()
		units, changed := f.units, f.changed
		f.mu.Unlock()
		if enough(units) {
			return units
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not enough after 20 s: %d units", len(units))
		}
	}
}

// end waits for the session's end.
func (f *feed) end(t *testing.T) error {
	t.Helper()
	select {
	case <-f.closed:
		return f.reason
	case <-time.After(20 * time.Second):
		t.Fatal("session not closed after 20 s")
		return nil
	}
}

func of(units []ingest.AccessUnit, kind media.Kind) (selected []ingest.AccessUnit) {
	for _, u := range units {
		if u.Track.Kind == kind {
			selected = append(selected, u)
		}
	}
	return selected
}

const goodKey = "abcdefghij0123456789"

// registry lets one publisher in by goodKey.
type registry struct {
	mu       sync.Mutex
	feeds    chan *feed
	busy     bool
	requests []Request
}

func (r *registry) accept(request Request) (ingest.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
	switch {
	case request.Source != "" && request.Source != "cam1":
		return nil, fmt.Errorf("source %q: %w", request.Source, ingest.ErrUnknownSource)
	case request.Key != goodKey:
		return nil, fmt.Errorf("source %q: %w", "cam1", ingest.ErrBadKey)
	case r.busy:
		return nil, fmt.Errorf("source %q: %w", "cam1", ingest.ErrBusy)
	}
	r.busy = true
	f := newFeed()
	r.feeds <- f
	return registered{f, r}, nil
}

type registered struct {
	*feed
	r *registry
}

func (s registered) Close(reason error) {
	s.r.mu.Lock()
	s.r.busy = false
	s.r.mu.Unlock()
	s.feed.Close(reason)
}

func (r *registry) feed(t *testing.T) *feed {
	t.Helper()
	select {
	case f := <-r.feeds:
		return f
	case <-time.After(20 * time.Second):
		t.Fatal("nobody published within 20 s")
		return nil
	}
}

// serve runs a server until the test ends and returns its address.
func serve(t *testing.T, log *slog.Logger) (*Server, *registry, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &registry{feeds: make(chan *feed, 16)}
	s := New(Config{Listener: listener, Accept: r.accept, Log: log})
	run(t, s)
	return s, r, listener.Addr().String()
}

func run(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(20 * time.Second):
			t.Error(errors.New("Run did not return"))
		}
	})
}
