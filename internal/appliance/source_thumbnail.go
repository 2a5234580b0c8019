package appliance

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"sync"
	"time"

	"millrace/api"
	"millrace/internal/media"
	"millrace/output/origin"
)

const (
	thumbnailWidth  = 320
	thumbnailFresh  = time.Second // how long one that was drawn is given out again
	thumbnailPlaces = 1           // processes that draw at once
	thumbnailLimit  = 5 * time.Second
)

// thumbnails are the newest pictures of sources.
type thumbnails struct {
	draw   func(context.Context, origin.Sheet) ([]byte, error)
	places chan struct{}

	mu    sync.Mutex
	drawn map[string]thumbnail // by source
}

type thumbnail struct {
	of   *media.Packet
	file string // SHA-256 of a still's
	at   time.Time
	jpeg []byte
}

func newThumbnails(draw func(context.Context, origin.Sheet) ([]byte, error)) *thumbnails {
	return &thumbnails{draw: draw, places: make(chan struct{}, thumbnailPlaces), drawn: map[string]thumbnail{}}
}

// SourceThumbnail implements api.Sources.
func (n *Node) SourceThumbnail(ctx context.Context, id string) ([]byte, error) {
	document, known := n.sources.document(id)
	feed := n.sources.feed(id)
	switch {
	case !known:
		return nil, api.NotFound("source", id)
	case document.Kind == api.SourceKindStill:
		return n.thumbnails.still(n.assets, id, document.Asset)
	case feed == nil:
		return nil, api.Conflict("no-packets", fmt.Sprintf("A %s source is drawn by the mixer.", document.Kind), "Look at the program.")
	}
	key := feed.Keyframe()
	if key == nil {
		return nil, api.Conflict("no-picture", fmt.Sprintf("The source %q sends no picture now.", id), "Wait until its state is live.")
	}
	return n.thumbnails.of(ctx, id, key)
}

// of is a source's picture: the last one where that is fresh or still the newest.
func (t *thumbnails) of(ctx context.Context, source string, key *media.Packet) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, thumbnailLimit)
	defer cancel()
	busy := api.Unavailable("busy", "Other pictures are being drawn.", "Try again in a second.")
	select {
	case t.places <- struct{}{}:
		defer func() { <-t.places }()
	case <-ctx.Done():
		return nil, busy
	}
	t.mu.Lock()
	last := t.drawn[source]
	t.mu.Unlock()
	if last.of == key || last.jpeg != nil && time.Since(last.at) < thumbnailFresh {
		return last.jpeg, nil
	}
	height := thumbnailWidth * 9 / 16
	if w, h := key.Track.Width, key.Track.Height; w > 0 && h > 0 {
		height = min(max(thumbnailWidth*h/w, 2), 4*thumbnailWidth)
	}
	drawn, err := t.draw(ctx, origin.Sheet{
		Columns: 1, Rows: 1, Width: thumbnailWidth, Height: (height + 1) &^ 1,
		Tracks: []*media.Track{key.Track}, Pictures: [][]byte{key.Data},
	})
	if ctx.Err() != nil {
		return nil, busy
	}
	if err == nil {
		t.mu.Lock()
		t.drawn[source] = thumbnail{of: key, at: time.Now(), jpeg: drawn}
		t.mu.Unlock()
	}
	return drawn, err
}

// still is a picture's, on black. It is drawn once.
func (t *thumbnails) still(assets *assets, source, id string) ([]byte, error) {
	asset, err := assets.find(id)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	last := t.drawn[source]
	t.mu.Unlock()
	if last.file == asset.Value.Sha256 {
		return last.jpeg, nil
	}
	picture, err := assets.Picture(id, thumbnailWidth*thumbnailWidth*9/16)
	if err != nil {
		return nil, err
	}
	whole := image.NewRGBA(picture.Rect)
	draw.Draw(whole, whole.Rect, image.Black, image.Point{}, draw.Src)
	draw.Draw(whole, whole.Rect, picture, image.Point{}, draw.Over)
	var text bytes.Buffer
	if err := jpeg.Encode(&text, whole, nil); err != nil {
		return nil, fmt.Errorf("draw picture %q: %w", id, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drawn[source] = thumbnail{file: asset.Value.Sha256, jpeg: text.Bytes()}
	return text.Bytes(), nil
}
