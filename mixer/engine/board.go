package engine

import (
	"fmt"
	"image"
	"log/slog"
	"sync"
	"time"
	_ "time/tzdata" // a clock's zone, where the worker may read no files

	"millrace/gpu"
	"millrace/internal/media"
	"millrace/mixer/engine/graphics"
	"millrace/mixer/scene"
	"millrace/mixer/worker"
)

const (
	drawingLife  = 10 * time.Second       // of one that is on no scene of the show and was not shown
	clockAhead   = 500 * time.Millisecond // that a clock's next second is drawn before it comes
	mostDrawings = 192
	mostStrip    = gpu.MaxSide
)

// board draws texts and images, once for each change, on goroutines of its own: a tick takes
// what is ready. What is on the show's scenes is drawn before it is needed.
// Owned by the tick, but for the finished ones.
type board struct {
	device gpu.Device
	canvas worker.Canvas
	fonts  *graphics.Fonts
	log    *slog.Logger

	wanted map[drawingKey]bool // of the show
	shown  map[slot]drawingKey // the newest that was shown at a place
	album  album
	mu     sync.Mutex // of all
	all    map[drawingKey]*drawing
	work   sync.WaitGroup
	busy   chan struct{} // one draws at a time
}

// drawingKey is all that a drawing depends on.
type drawingKey struct {
	graphic       scene.Graphic
	width, height int // pixels
	// Of an image; nil while the server has not sent it.
	picture *image.RGBA
	fit     scene.Fit
	crop    scene.Rect
}

// missing reports whether it is of an image that the server has not sent.
func (k drawingKey) missing() bool { return k.graphic.Kind == scene.KindImage && k.picture == nil }

// slot is a place on the canvas where one drawing follows another.
type slot struct {
	rect scene.Rect
	kind scene.Kind
}

// drawing is a finished picture with its matte, which is nil where it covers all;
// without a picture it is under way or cannot be made.
type drawing struct {
	picture, matte *gpu.Frame
	used           media.Time
}

func newBoard(device gpu.Device, canvas worker.Canvas, log *slog.Logger) (*board, error) {
	fonts, err := graphics.NewFonts()
	if err != nil {
		return nil, err
	}
	return &board{
		device: device, canvas: canvas, fonts: fonts, log: log, wanted: map[drawingKey]bool{}, shown: map[slot]drawingKey{},
		all: map[drawingKey]*drawing{}, busy: make(chan struct{}, 1),
	}, nil
}

// prepare draws ahead what placements show.
func (b *board) prepare(placements []scene.Placement, t media.Time) {
	clear(b.wanted)
	for _, p := range placements {
		if p.Drawn() && len(b.wanted) < mostDrawings/2 {
			key := b.key(p, t)
			b.wanted[key] = true
			b.find(key, t)
		}
	}
}

// key is that of a placement's drawing at t.
func (b *board) key(p scene.Placement, t media.Time) drawingKey {
	size := p.Rect.Pixels(b.canvas.Width, b.canvas.Height).Size()
	key := drawingKey{graphic: p.Graphic, width: size.X, height: size.Y}
	switch p.Kind {
	case scene.KindImage:
		key.graphic = scene.Graphic{Kind: scene.KindImage, Asset: p.Asset}
		key.picture, key.fit, key.crop = b.album.find(p.Asset), p.Fit, p.Crop
	case scene.KindClock:
		form := p.Text
		if form == "" {
			form = "15:04:05"
		}
		zone, err := time.LoadLocation(p.Zone)
		if err != nil {
			zone = time.UTC
		}
		key.graphic = scene.Graphic{Kind: scene.KindText, Text: t.UTC().In(zone).Format(form), Style: p.Style}
	}
	return key
}

// keep draws ahead the stills of a show and its slate, after prepare.
func (b *board) keep(show worker.Show, t media.Time) {
	assets := []string{show.Slate}
	for _, s := range show.Sources {
		assets = append(assets, s.Still)
	}
	for _, asset := range assets {
		if key := b.whole(asset); key.picture != nil {
			b.wanted[key] = true
			b.find(key, t)
		}
	}
}

// photo is an asset as a picture in a shape of its own; nil while it is not
// drawn.
func (b *board) photo(asset string, t media.Time) *drawing {
	if asset == "" {
		return nil
	}
	return b.find(b.whole(asset), t)
}

// whole is the key of an asset in its own shape.
func (b *board) whole(asset string) drawingKey {
	key := drawingKey{graphic: scene.Graphic{Kind: scene.KindImage, Asset: asset}, fit: scene.Fill, picture: b.album.find(asset)}
	if key.picture != nil {
		size := key.picture.Rect.Size()
		key.width, key.height = max(size.X&^1, 2), max(size.Y&^1, 2)
	}
	return key
}

// layer shows a placement at t: what is ready of it, or what stood in its place
// before. l has its destination; false where there is nothing yet.
func (b *board) layer(p scene.Placement, t media.Time, l *gpu.Layer) bool {
	key := b.key(p, t)
	if p.Kind == scene.KindClock {
		b.find(b.key(p, t.Add(clockAhead)), t)
	}
	at := slot{p.Rect, p.Kind}
	d := b.find(key, t)
	if d == nil {
		if key.missing() {
			return false
		}
		if d = b.find(b.shown[at], t); d == nil {
			return false
		}
	} else {
		b.shown[at] = key
	}
	l.Frame, l.Matte, l.Fit, l.Crop, l.Radius, l.Border = d.picture, d.matte, gpu.Fill, gpu.Crop{}, 0, gpu.Border{}
	if p.Kind == scene.KindTicker {
		b.scroll(p, t, d, l)
	}
	return true
}

// scroll moves a ticker's strip through its rectangle, from its right edge to
// its left, over and over.
func (b *board) scroll(p scene.Placement, t media.Time, d *drawing, l *gpu.Layer) {
	speed := p.Speed
	if speed == 0 {
		speed = 0.1
	}
	strip, window := d.picture.Size.Width, l.Dst.Dx()
	way := int64(strip + window)
	// From the timeline, so that every worker shows the same at the same time.
	perSecond := max(int64(speed*float64(b.canvas.Width)), 1)
	whole, rest := int64(t)/int64(time.Second), int64(t)%int64(time.Second)
	moved := ((whole%way)*(perSecond%way) + rest*perSecond/int64(time.Second)) % way
	left := (window - int(moved)) &^ 1 // of the strip, in the rectangle
	from, until := max(left, 0), min(left+strip, window)
	if from >= until {
		from, until = 0, 2
		l.Opacity = 0
	}
	l.Dst = image.Rect(l.Dst.Min.X+from, l.Dst.Min.Y, l.Dst.Min.X+until, l.Dst.Max.Y)
	l.Crop = gpu.Crop{X: float64(from-left) / float64(strip), W: float64(until-from) / float64(strip), H: 1}
}

// find gives a drawing that is ready; nil while it is not, and it is begun.
func (b *board) find(key drawingKey, t media.Time) *drawing {
	if key.width == 0 || key.missing() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := b.all[key]; d != nil {
		d.used = t
		if d.picture == nil {
			return nil
		}
		return d
	}
	if len(b.all) >= mostDrawings {
		return nil
	}
	b.all[key] = &drawing{used: t}
	b.work.Go(func() { b.make(key) })
	return nil
}

// make draws. One that fails stays empty until nobody asks for it.
func (b *board) make(key drawingKey) {
	b.busy <- struct{}{}
	defer func() { <-b.busy }()
	picture, matte, err := b.draw(key)
	if err != nil {
		b.log.Warn("drawing is not shown", "kind", key.graphic.Kind, "err", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.all[key]
	if d == nil { // swept
		(&drawing{picture: picture, matte: matte}).release()
		return
	}
	d.picture, d.matte = picture, matte
}

func (b *board) draw(key drawingKey) (picture, matte *gpu.Frame, err error) {
	g := key.graphic
	switch g.Kind {
	case scene.KindText:
		return gpu.NewGraphic(b.device, b.fonts.Text(g.Text, g.Style, image.Pt(key.width, key.height), b.canvas.Height))
	case scene.KindTicker:
		return gpu.NewGraphic(b.device, b.fonts.Strip(g.Text, g.Style, key.height, mostStrip, b.canvas.Height))
	case scene.KindImage:
		scaled := graphics.Picture(key.picture, image.Pt(key.width, key.height), key.fit, key.crop)
		picture, matte, err = gpu.NewGraphic(b.device, scaled)
		if err == nil && scaled.Opaque() {
			matte.Release()
			matte = nil
		}
		return picture, matte, err
	}
	return nil, nil, fmt.Errorf("draw %q: nobody draws that", g.Kind)
}

// sweep drops what is on no scene and was not shown for a while.
func (b *board) sweep(t media.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, d := range b.all {
		if !b.wanted[key] && t.Sub(d.used) > drawingLife {
			d.release()
			delete(b.all, key)
		}
	}
	for at, key := range b.shown {
		if b.all[key] == nil {
			delete(b.shown, at)
		}
	}
}

func (d *drawing) release() {
	if d.picture != nil {
		d.picture.Release()
	}
	if d.matte != nil {
		d.matte.Release()
	}
}

func (b *board) close() {
	b.work.Wait()
	for _, d := range b.all {
		d.release()
	}
	clear(b.all)
}
