package gpu

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"millrace/gpu/cuda"
	"millrace/gpu/kernels"
)

// tick is the work on the card that writes the pictures of a composition. The
// frames know it, so that who downloads them waits for it on the card.
type tick struct {
	mu    sync.Mutex
	event *cuda.Event // nil when all of it is over
}

// before lets what is queued later on the stream begin when the tick is drawn.
func (t *tick) before(stream *cuda.Stream) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.event == nil {
		return nil
	}
	return stream.Wait(t.event)
}

// wait blocks until the tick is drawn.
func (t *tick) wait(patience time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.event == nil {
		return nil
	}
	return t.event.Wait(patience)
}

// end waits for the last tick and gives the event back.
func (t *tick) end(patience time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.event.Wait(patience) // of a card that is lost nothing is expected
	t.event.Close()
	t.event = nil
}

// cudaCompositor draws canvas and rungs in one launch. At most one tick is on the
// card: the next one begins by seeing that it is over, which lets the sources of
// that tick, held until then, go.
type cudaCompositor struct {
	config   CompositorConfig
	device   *cudaDevice
	stream   *cuda.Stream
	tick     *tick
	card     *cuda.Memory // the work list
	host     *cuda.Memory // the same, pinned
	previous previous
}

func newCUDACompositor(device *cudaDevice, config CompositorConfig) (Compositor, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	config.Rungs = slices.Clone(config.Rungs)
	stream, err := device.card.NewStream()
	if err != nil {
		return nil, fmt.Errorf("make compositor: %w", err)
	}
	event, err := device.card.NewEvent(false)
	if err != nil {
		stream.Close()
		return nil, fmt.Errorf("make compositor: %w", err)
	}
	return &cudaCompositor{config: config, device: device, stream: stream, tick: &tick{event: event}}, nil
}

func (c *cudaCompositor) Compose(layers []Layer, background Color) (Composition, error) {
	resolved, err := c.resolve(layers)
	if err != nil {
		return Composition{}, err
	}
	if c.previous.shows(resolved, background) {
		return c.previous.composition.retain(), nil
	}
	if err := c.tick.event.Wait(c.device.patience); err != nil {
		return Composition{}, fmt.Errorf("compose: the tick before: %w", err)
	}
	composition, err := c.config.frames(c.device.drawn())
	if err != nil {
		return Composition{}, err
	}
	from := make([]*Frame, len(layers))
	for i := range layers {
		from[i] = layers[i].Frame
	}
	if err := c.submit(composition, from, resolved, background); err != nil {
		composition.Release()
		return Composition{}, fmt.Errorf("compose: %w", err)
	}
	c.previous.set(layers, resolved, background, composition)
	return composition, nil
}

// resolve gives the layers that show something, with their pictures on the card.
func (c *cudaCompositor) resolve(layers []Layer) ([]kernels.Layer, error) {
	shown := make([]Layer, 0, len(layers))
	for i, layer := range layers {
		if _, ok := layer.resolve(c.config.Canvas); !ok {
			continue
		}
		picture, err := c.device.onCard(layer.Frame)
		if err != nil {
			return nil, fmt.Errorf("compose layer %d: %w", i, err)
		}
		layer.Frame = picture
		if layer.Matte != nil {
			if layer.Matte, err = c.device.onCard(layer.Matte); err != nil {
				return nil, fmt.Errorf("compose the matte of layer %d: %w", i, err)
			}
		}
		shown = append(shown, layer)
	}
	return resolveAll(shown, c.config.Canvas)
}

// submit starts the drawing, when what is drawn from is there.
func (c *cudaCompositor) submit(composition Composition, from []*Frame, layers []kernels.Layer, background Color) error {
	show := kernels.Show{
		Canvas: composition.Canvas.picture(), Background: [3]uint8{background.Y, background.Cb, background.Cr}, Layers: layers,
	}
	for _, rung := range composition.Rungs {
		if rung != composition.Canvas {
			show.Rungs = append(show.Rungs, rung.picture())
		}
	}
	shows := []kernels.Show{show}
	size := kernels.WorkBytes(shows)
	if err := c.reserve(size); err != nil {
		return err
	}
	tiles, err := kernels.Pack(c.host.Bytes(), c.card.Address, shows)
	if err != nil {
		return err
	}
	for _, f := range from { // pictures that another compositor is still drawing
		if f.tick != nil && f.tick != c.tick {
			if err := f.tick.before(c.stream); err != nil {
				return err
			}
		}
	}
	grid := cuda.Grid{Across: tiles, Down: 1, Threads: kernels.Threads}
	if err := c.stream.Submit(c.device.compose, grid, c.card, c.host, size, c.tick.event); err != nil {
		return err
	}
	composition.Canvas.tick = c.tick
	for _, rung := range composition.Rungs {
		rung.tick = c.tick
	}
	return nil
}

// reserve makes room for the work list; the tick before is over.
func (c *cudaCompositor) reserve(size int) (err error) {
	if c.host != nil && c.host.Size >= size {
		return nil
	}
	c.free()
	size = 2 * max(size, 4096)
	if c.card, err = c.device.card.Alloc(size); err != nil {
		return err
	}
	c.host, err = c.device.card.AllocHost(size)
	return err
}

func (c *cudaCompositor) free() {
	if c.card != nil {
		c.card.Free()
	}
	if c.host != nil {
		c.host.Free()
	}
	c.card, c.host = nil, nil
}

func (c *cudaCompositor) Close() {
	c.tick.end(c.device.patience)
	c.stream.Close()
	c.previous.release()
	c.free()
}
