package engine

import (
	"fmt"
	"image"
	"sync"

	"millrace/mixer/worker"
)

// album is the pictures that the server gave, by asset. Safe for concurrent use;
// the zero value is empty.
type album struct {
	mu       sync.Mutex
	pictures map[string]*image.RGBA // immutable, each
	changed  bool                   // since renewed was asked
}

// put takes a picture; nil is no picture any more.
func (a *album) put(asset string, picture *image.RGBA) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if picture == nil {
		delete(a.pictures, asset)
		return nil
	}
	if a.pictures == nil {
		a.pictures = map[string]*image.RGBA{}
	}
	if _, known := a.pictures[asset]; !known && len(a.pictures) >= worker.MaxPictures {
		return fmt.Errorf("%w: more than %d pictures", worker.ErrProtocol, worker.MaxPictures)
	}
	a.pictures[asset], a.changed = picture, true
	return nil
}

// find gives a picture; nil where there is none.
func (a *album) find(asset string) *image.RGBA {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pictures[asset]
}

// renewed reports, once, that a picture came.
func (a *album) renewed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	changed := a.changed
	a.changed = false
	return changed
}
