package worker

import (
	"context"
	"slices"
	"sync"
)

// gallery is what one worker was given of pictures. Any goroutine may use it:
// one gives at a time, and has decoded no more than the picture that it sends.
type gallery struct {
	greeted  chan struct{} // closed when hello is out: pictures come behind it
	caughtUp chan struct{} // closed when the worker is on air and has the present show

	mu    sync.Mutex
	given map[string]bool // by asset; false: it cannot be had
}

func newGallery() gallery {
	return gallery{greeted: make(chan struct{}), caughtUp: make(chan struct{}), given: map[string]bool{}}
}

// furnish gives a worker the pictures of the present show while it starts, and
// once more when it is on air: the show may have changed.
func (s *session) furnish(work context.Context) {
	for _, moment := range []chan struct{}{s.gallery.greeted, s.gallery.caughtUp} {
		select {
		case <-moment:
			s.give(s.host.config.Show())
		case <-work.Done():
			return
		}
	}
}

// give sends the pictures of a show that the worker has not. It blocks while
// they are decoded and while the socket is full; the session's end ends that.
func (s *session) give(show Show) {
	g := &s.gallery
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, asset := range show.Assets() {
		if _, known := g.given[asset]; known || s.host.config.Picture == nil {
			continue
		}
		picture, err := s.host.config.Picture(asset, show.Canvas.Width*show.Canvas.Height)
		if err == nil {
			err = Send(s.conn, &Picture{Asset: asset, Image: picture})
		}
		if g.given[asset] = err == nil; err == nil {
			continue
		}
		s.host.config.Log.Warn("picture is not shown", "asset", asset, "err", err)
		if asset == show.Slate {
			_ = Send(s.conn, &Picture{Asset: asset}) // a worker waits for it; without a worker nobody does
		}
	}
}

// withdraw takes back what a show does not need.
func (s *session) withdraw(show Show) {
	g := &s.gallery
	g.mu.Lock()
	defer g.mu.Unlock()
	needed := show.Assets()
	for asset, held := range g.given {
		if slices.Contains(needed, asset) {
			continue
		}
		delete(g.given, asset)
		if held {
			_ = Send(s.conn, &Picture{Asset: asset}) // without a worker there is nothing to take back
		}
	}
}
